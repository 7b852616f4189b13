#include "runtime/train/evaluator.hpp"

#include <algorithm>
#include <utility>

#include "kernels/device/philox.hpp"
#include "kernels/device/profile_range.hpp"
#include "kernels/nn/loss.hpp"
#include "kernels/nn/replicas.hpp"

namespace splitsim {

namespace {
// A fixed random order, so that its first images are a fair sample whatever the order of the file.
std::vector<std::int32_t> shuffled(std::int64_t count, std::uint64_t seed) {
  std::vector<std::pair<std::uint64_t, std::int32_t>> keys(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    keys[i] = {random_u64(seed, {Purpose::kEvaluation, static_cast<std::uint32_t>(i)}), static_cast<std::int32_t>(i)};
  }
  std::sort(keys.begin(), keys.end());
  std::vector<std::int32_t> ids;
  for (const auto& [key, id] : keys) ids.push_back(id);
  return ids;
}
}  // namespace

template <class Context>
Evaluator<Context>::Evaluator(Context& ctx, const Network& network, std::int32_t batch, const std::int64_t (&images)[2],
                              const std::vector<double>& client_weights, std::optional<Layout> features)
    : ctx_(ctx),
      network_(network),
      batch_(batch),
      images_{images[0], images[1]},
      batches_((std::max(images[0], images[1]) + batch - 1) / batch),
      client_weights_(client_weights),
      stack_(network, {.slots = batch, .layout = features.value_or(native_layout<Context>())}, false) {
  Arena<Context> measure;
  layout(measure);
  plan_ = measure.plan();
}

template <class Context>
void Evaluator<Context>::layout(Arena<Context>& arena) {
  const char* name = "evaluation";
  tables_.batch = arena.template take<std::int32_t>(1, name);
  tables_.slots = arena.template take<std::int32_t>(1, name);
  tables_.sample = arena.template take<std::int32_t>(batch_, name);
  tables_.label = arena.template take<std::int32_t>(batch_, name);
  tables_.active = arena.template take<std::int32_t>(1, name);
  tables_.replica = arena.template take<std::int32_t>(1, name);
  tables_.first = arena.template take<std::int32_t>(2, name);
  tables_.rank = arena.template take<std::int32_t>(batch_, name);
  weights_ = arena.template take<double>(static_cast<std::int64_t>(client_weights_.size()), name);
  for (int side = 0; side < 2; ++side)
    average_.side[side] = arena.template take<float>(stack_.placement().size(side), name);
  ids_ = arena.template take<std::int32_t>(images_[0] + images_[1], name);
  loss_ = arena.template take<float>(batch_, name);
  unit_ = arena.template take<float>(batch_, name);
  correct_ = arena.template take<std::int32_t>(batch_, name);
  predicted_ = arena.template take<std::int32_t>(batch_, name);
  confusion_ = arena.template take<std::int32_t>(std::int64_t{network_.classes} * network_.classes, name);
  loss_sums_ = arena.template take<double>(batches_, name);
  stack_.layout(ctx_, arena);
}

template <class Context>
void Evaluator<Context>::start(const DeviceImages<Context>& data, const GatherShape& gather) {
  data_ = &data;
  gather_ = gather;
  gather_.layout = stack_.layout();
  std::uint64_t bytes = 0;
  for (const MemoryItem& item : plan_) bytes += item.bytes;
  arena_ = Arena<Context>(ctx_, bytes);
  layout(arena_);
  std::vector<std::int32_t> ids = shuffled(images_[0], gather.seed);
  for (const std::int32_t id : shuffled(images_[1], gather.seed)) {
    ids.push_back(static_cast<std::int32_t>(images_[0]) + id);
  }
  if (!ids.empty()) ctx_.upload(ids_.data(), ids.data(), ids.size() * sizeof(std::int32_t));
  if (!client_weights_.empty()) {
    ctx_.upload(weights_.data(), client_weights_.data(), client_weights_.size() * sizeof(double));
  }
}

template <class Context>
TwoSides Evaluator<Context>::chosen(const View<const float> (&parameters)[2], const std::int64_t (&replicas)[2],
                                    std::int64_t which) {
  TwoSides used;
  for (int side = 0; side < 2; ++side) {
    const std::int64_t size = stack_.placement().size(side);
    if (replicas[side] > 1 && which != kAverage) {
      used.side[side] = {const_cast<float*>(parameters[side].data()) + which * size, size};
    } else if (replicas[side] > 1 && size > 0) {
      average_replicas(ctx_, parameters[side], View<const double>(weights_), average_.side[side]);
      used.side[side] = average_.side[side];
    } else {
      // The stack only reads parameters in forward(); TwoSides serves gradients as well, hence its mutable views.
      used.side[side] = {const_cast<float*>(parameters[side].data()), parameters[side].size()};
    }
  }
  return used;
}

template <class Context>
std::vector<float> Evaluator<Context>::average(const View<const float> (&parameters)[2],
                                               const std::int64_t (&replicas)[2], int side) {
  const View<float> from = chosen(parameters, replicas, kAverage).side[side];
  std::vector<float> values(static_cast<std::size_t>(from.size()));
  if (!values.empty()) ctx_.download(values.data(), from.data(), values.size() * sizeof(float));
  return stack_.placement().in_order(side, true, std::move(values));
}

template <class Context>
Evaluation Evaluator<Context>::evaluate(const View<const float> (&parameters)[2], const std::int64_t (&replicas)[2],
                                        std::int64_t which, std::int64_t limit, EvaluationSet set) {
  const Range range("evaluate");
  const bool validation = set == EvaluationSet::kValidation;
  const std::int64_t first = validation ? images_[0] : 0, all = images_[validation ? 1 : 0];
  const std::int64_t images = limit > 0 ? std::min(limit, all) : all;
  const std::int64_t batches = (images + batch_ - 1) / batch_;
  const TwoSides used = chosen(parameters, replicas, which);
  fill_zero(ctx_, tables_.batch);
  fill_zero(ctx_, confusion_);
  const ReplicaMap map{tables_.slots.data(),
                       tables_.active.data(),
                       tables_.replica.data(),
                       tables_.first.data(),
                       tables_.rank.data(),
                       batch_,
                       1,
                       1};
  const Segments segments{map.active, map.first, map.rank, 1};
  const StackMaps maps{{map, map}, {segments, segments}, {}};
  for (std::int64_t b = 0; b < batches; ++b) {
    begin_eval(ctx_, View<const std::int32_t>(ids_.sub(first, images)), data_->labels.view(), tables_);
    gather_images(ctx_, map.valid(), gather_, data_->images.view(), tables_.sample, nullptr, stack_.input());
    stack_.forward(ctx_, maps, used);
    softmax_cross_entropy(ctx_, map.valid(), {network_.classes}, {stack_.output(), tables_.label, unit_},
                          {loss_, correct_, predicted_, {}});
    end_eval(ctx_, network_.classes, loss_, predicted_, tables_, confusion_, loss_sums_);
  }
  Evaluation result;
  result.confusion.resize(static_cast<std::size_t>(confusion_.size()));
  std::vector<double> sums(static_cast<std::size_t>(batches));
  if (!sums.empty()) ctx_.download(sums.data(), loss_sums_.data(), sums.size() * sizeof(double));
  ctx_.download(result.confusion.data(), confusion_.data(), result.confusion.size() * sizeof(std::int32_t));
  for (const double sum : sums) result.loss += sum;
  if (images > 0) result.loss /= static_cast<double>(images);
  return result;
}

template class Evaluator<CpuContext>;
#if SPLITSIM_WITH_CUDA
template class Evaluator<CudaContext>;
#endif

}  // namespace splitsim
