#include "runtime/model/buffer_plan.hpp"

#include <algorithm>

#include "runtime/model/layer_kind.hpp"

namespace splitsim {

namespace {

// Buffers that are handed out and come back. A buffer shared by several users comes back when all have let go.
class Pool {
 public:
  std::int32_t take(std::int64_t floats) {
    // The smallest free buffer that is large enough, else the largest free one, grown.
    std::int32_t best = -1;
    for (std::int32_t b = 0; b < static_cast<std::int32_t>(floats_.size()); ++b) {
      if (users_[at(b)] > 0) continue;
      const auto worse = [&](std::int32_t a, std::int32_t than) {
        const std::int64_t mine = floats_[at(a)], other = floats_[at(than)];
        if ((mine >= floats) != (other >= floats)) return mine < floats;
        return mine >= floats ? mine > other : mine < other;
      };
      if (best < 0 || worse(best, b)) best = b;
    }
    if (best < 0) {
      best = static_cast<std::int32_t>(floats_.size());
      floats_.push_back(0);
      users_.push_back(0);
    }
    floats_[at(best)] = std::max(floats_[at(best)], floats);
    users_[at(best)] = 1;
    return best;
  }
  void share(std::int32_t buffer) { ++users_[at(buffer)]; }
  void release(std::int32_t buffer) { --users_[at(buffer)]; }
  bool shared(std::int32_t buffer) const { return users_[at(buffer)] > 1; }
  const std::vector<std::int64_t>& floats() const { return floats_; }

 private:
  static std::size_t at(std::int32_t buffer) { return static_cast<std::size_t>(buffer); }
  std::vector<std::int64_t> floats_;
  std::vector<std::int32_t> users_;
};

class Planner {
 public:
  Planner(const Network& network, bool training, std::size_t first_trained)
      : network_(network), training_(training), first_trained_(first_trained) {}

  BufferPlan plan() {
    count_readers();
    plan_activations();
    if (training_) plan_gradients();
    return std::move(plan_);
  }

 private:
  static std::size_t at(std::int32_t layer) { return static_cast<std::size_t>(layer); }
  std::int32_t layers() const { return static_cast<std::int32_t>(network_.layers.size()); }
  std::int64_t floats(std::int32_t layer) const { return network_.layers[at(layer)].out.size(); }

  void count_readers() {
    readers_.assign(network_.layers.size(), 0);
    for (const Layer& layer : network_.layers) {
      if (layer.input >= 0) ++readers_[at(layer.input)];
      if (layer.other >= 0) ++readers_[at(layer.other)];
    }
  }

  // Whether layer i may write over its input: nobody else reads it, and, in training, not the layer that made it either
  // (some backward passes, ReLU's for one, read their own output). The network's input is read by the first layer only.
  bool in_place(std::int32_t i) const {
    const Layer& layer = network_.layers[at(i)];
    if (!layer.spec.kind->in_place) return false;
    if (layer.input < 0) return i == 0;
    if (readers_[at(layer.input)] != 1) return false;
    return !training_ || !network_.layers[at(layer.input)].spec.kind->reads_output;
  }

  void plan_activations() {
    Pool pool;
    std::vector<std::int32_t> left = readers_;
    plan_.activation.resize(network_.layers.size());
    for (std::int32_t i = 0; i < layers(); ++i) {
      const Layer& layer = network_.layers[at(i)];
      const auto buffer_of = [&](std::int32_t place) { return place < 0 ? -1 : plan_.activation[at(place)]; };
      const bool reuses = in_place(i);
      const std::int32_t mine = reuses ? buffer_of(layer.input) : pool.take(floats(i));
      plan_.activation[at(i)] = mine;
      if (training_) continue;  // the backward pass reads them all
      for (const std::int32_t read : {layer.input, layer.other}) {
        if (read < 0 || --left[at(read)] > 0) continue;
        if (buffer_of(read) >= 0 && buffer_of(read) != mine) pool.release(buffer_of(read));
      }
    }
    plan_.activation_floats = pool.floats();
  }

  void emit(BackwardOp::Kind kind, std::int32_t layer, std::int32_t from, std::int32_t to) {
    plan_.backward.push_back({kind, layer, from, to, false});
  }

  // The gradient of layer i's output, for a user that will change it: a copy if another one shares it.
  std::int32_t own(std::int32_t i) {
    std::int32_t& buffer = gradient_[at(i)];
    if (pool_.shared(buffer)) buffer = copied(i, buffer);
    return buffer;
  }

  // A buffer of its own with what a shared one holds.
  std::int32_t copied(std::int32_t i, std::int32_t buffer) {
    const std::int32_t fresh = pool_.take(floats(i));
    emit(BackwardOp::Kind::kCopy, i, buffer, fresh);
    pool_.release(buffer);
    return fresh;
  }

  // Whether somebody needs the gradient of this layer's output; of a client's that of the server's loss is not used
  // where there is an auxiliary one.
  bool wanted(std::int32_t i) const { return i >= 0 && at(i) >= first_trained_; }
  bool wanted(std::int32_t i, std::int32_t reader) const {
    const bool comes_back = network_.side(at(i)) == network_.side(at(reader)) || !network_.has_auxiliary();
    return wanted(i) && comes_back;
  }

  // `buffer` holds a part of the gradient of layer i's output, and now belongs to it.
  void give(std::int32_t i, std::int32_t buffer) {
    std::int32_t& sum = gradient_[at(i)];
    if (sum < 0) {
      sum = buffer;
      return;
    }
    // Add the one that may be read elsewhere to the one that may be changed.
    std::int32_t from = buffer, to = sum;
    if (pool_.shared(to)) std::swap(from, to);
    if (pool_.shared(to)) to = copied(i, to);
    emit(BackwardOp::Kind::kAccumulate, i, from, to);
    pool_.release(from);
    sum = to;
  }

  void plan_gradients() {
    gradient_.assign(network_.layers.size(), -1);
    const std::int32_t last = layers() - 1;
    plan_.output_gradient = gradient_[at(last)] = pool_.take(floats(last));
    if (network_.has_auxiliary()) {
      const auto head = static_cast<std::int32_t>(network_.auxiliary_layer());
      plan_.auxiliary_gradient = gradient_[at(head)] = pool_.take(floats(head));
    }
    for (std::int32_t i = last; wanted(i); --i) {
      const Layer& layer = network_.layers[at(i)];
      if (gradient_[at(i)] < 0) continue;  // nobody reads this layer
      if (at(i) == network_.cut_layer() && !network_.has_auxiliary()) emit(BackwardOp::Kind::kCutScale, i, own(i), -1);
      if (layer.spec.kind->adds) {
        const std::int32_t dy = gradient_[at(i)];
        for (const std::int32_t summand : {layer.input, layer.other}) {
          if (!wanted(summand, i)) continue;
          pool_.share(dy);
          give(summand, dy);
        }
        pool_.release(dy);
      } else if (layer.spec.kind->concatenates) {
        const std::int32_t dy = gradient_[at(i)];
        for (const bool second : {false, true}) {
          const std::int32_t part = second ? layer.other : layer.input;
          if (!wanted(part, i)) continue;
          const std::int32_t dx = pool_.take(floats(part));
          plan_.backward.push_back({BackwardOp::Kind::kLayer, i, dy, dx, second});
          give(part, dx);
        }
        pool_.release(dy);
      } else if (layer.spec.kind->in_place || layer.spec.kind->gradient_in_place) {
        const bool goes_on = wanted(layer.input, i);
        if (!goes_on && !layer.has_parameters()) continue;
        const std::int32_t dy = own(i);
        emit(BackwardOp::Kind::kLayer, i, dy, dy);
        if (goes_on) {
          give(layer.input, dy);
        } else {
          pool_.release(dy);
        }
      } else {
        const std::int32_t dy = gradient_[at(i)];
        const std::int32_t dx = wanted(layer.input, i) ? pool_.take(layer.in.size()) : -1;
        emit(BackwardOp::Kind::kLayer, i, dy, dx);
        pool_.release(dy);
        if (dx >= 0) give(layer.input, dx);
      }
    }
    plan_.gradient_floats = pool_.floats();
  }

  const Network& network_;
  bool training_;
  std::size_t first_trained_;
  BufferPlan plan_;
  std::vector<std::int32_t> readers_;
  Pool pool_;
  std::vector<std::int32_t> gradient_;  // [layers] buffer of the gradient of its output so far, -1: none yet
};

}  // namespace

BufferPlan plan_buffers(const Network& network, bool training, std::size_t first_trained) {
  return Planner(network, training, first_trained).plan();
}

}  // namespace splitsim
