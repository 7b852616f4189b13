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

std::int32_t int32(std::int64_t value) { return static_cast<std::int32_t>(value); }

StackBounds stack_bounds(const EvaluatorSettings& settings, std::int64_t together, Layout native) {
  StackBounds bounds;
  bounds.slots = int32(settings.batch * together);
  for (int side = 0; side < 2; ++side) {
    bounds.active[side] = bounds.segments[side] = settings.each[side] ? int32(together) : 1;
  }
  bounds.layout = settings.layout.value_or(native);
  bounds.precision = settings.precision;
  return bounds;
}
}  // namespace

template <class Context>
Evaluator<Context>::Evaluator(Context& ctx, const Network& network, const EvaluatorSettings& settings)
    : ctx_(ctx),
      network_(network),
      settings_(settings),
      most_tested_(settings.each[0] || settings.each[1]
                       ? std::clamp<std::int64_t>(
                             std::max(std::ssize(settings.weights[0]), std::ssize(settings.weights[1])), 1, kMostTested)
                       : 1),
      together_(Context::kIsDevice ? std::clamp<std::int64_t>(kSlotsTogether / settings.batch, 1, most_tested_) : 1),
      stack_(network, stack_bounds(settings, together_, native_layout<Context>()), false) {
  Arena<Context> measure;
  layout(measure);
  plan_ = measure.plan();
}

template <class Context>
void Evaluator<Context>::layout(Arena<Context>& arena) {
  const char* name = "evaluation";
  const std::int64_t slots = settings_.batch * together_;
  tables_.request = arena.template take<EvalRequest>(1, name);
  tables_.tested = arena.template take<std::int32_t>(most_tested_, name);
  for (View<std::int32_t>* scalar : {&tables_.pass, &tables_.slots})
    *scalar = arena.template take<std::int32_t>(1, name);
  tables_.sample = arena.template take<std::int32_t>(slots, name);
  tables_.label = arena.template take<std::int32_t>(slots, name);
  tables_.whole = take_ranks(arena, 1, slots, name);
  tables_.replicas = take_ranks(arena, together_, slots, name);
  for (int side = 0; side < 2; ++side) {
    weights_[side] = arena.template take<double>(std::ssize(settings_.weights[side]), name);
    average_.side[side] = arena.template take<float>(stack_.placement().size(side), name);
  }
  source_ = arena.template take<GatherSource>(1, name);
  ids_ = arena.template take<std::int32_t>(settings_.images[0] + settings_.images[1], name);
  loss_ = arena.template take<float>(slots, name);
  unit_ = arena.template take<float>(slots, name);
  correct_ = arena.template take<std::int32_t>(slots, name);
  predicted_ = arena.template take<std::int32_t>(slots, name);
  results_.confusion = arena.template take<std::int32_t>(most_tested_ * network_.classes * network_.classes, name);
  const EvalRequest largest{.samples = int32(std::max(settings_.images[0], settings_.images[1])),
                            .replicas = int32(most_tested_),
                            .batch = settings_.batch,
                            .together = int32(together_)};
  results_.loss_sums = arena.template take<double>(largest.passes() * together_, name);
  stack_.layout(ctx_, arena);
}

template <class Context>
void Evaluator<Context>::start(const DeviceImages<Context>& data, const GatherShape& gather,
                               const GatherSource& source) {
  data_ = &data;
  gather_ = gather;
  gather_.layout = stack_.layout();
  std::uint64_t bytes = 0;
  for (const MemoryItem& item : plan_) bytes += item.bytes;
  arena_ = Arena<Context>(ctx_, bytes);
  layout(arena_);
  graph_ = nullptr;
  std::vector<std::int32_t> ids = shuffled(settings_.images[0], source.seed);
  for (const std::int32_t id : shuffled(settings_.images[1], source.seed)) {
    ids.push_back(int32(settings_.images[0]) + id);
  }
  ctx_.upload(source_.data(), &source, sizeof source);
  if (!ids.empty()) ctx_.upload(ids_.data(), ids.data(), ids.size() * sizeof(std::int32_t));
  for (int side = 0; side < 2; ++side) {
    const std::vector<double>& weights = settings_.weights[side];
    if (!weights.empty()) ctx_.upload(weights_[side].data(), weights.data(), weights.size() * sizeof(double));
  }
}

template <class Context>
View<float> Evaluator<Context>::average_of(const View<const float> (&parameters)[2], const std::int64_t (&replicas)[2],
                                           int side) {
  const View<const float>& all = parameters[side];
  // The stack only reads parameters in forward(); TwoSides serves gradients as well, hence its mutable views.
  if (replicas[side] == 1 || all.empty()) return {const_cast<float*>(all.data()), all.size()};
  average_replicas(ctx_, all, View<const double>(weights_[side]), average_.side[side]);
  return average_.side[side];
}

template <class Context>
std::vector<float> Evaluator<Context>::average(const View<const float> (&parameters)[2],
                                               const std::int64_t (&replicas)[2], int side) {
  const View<float> from = average_of(parameters, replicas, side);
  std::vector<float> values(static_cast<std::size_t>(from.size()));
  if (!values.empty()) ctx_.download(values.data(), from.data(), values.size() * sizeof(float));
  return stack_.placement().in_order(side, true, std::move(values));
}

template <class Context>
void Evaluator<Context>::pass(const TwoSides& parameters, const StackMaps& maps) {
  begin_eval(ctx_, View<const std::int32_t>(ids_), data_->labels.view(), tables_);
  gather_images(ctx_, maps.side[0].valid(), gather_, View<const GatherSource>(source_), {tables_.sample.data()},
                stack_.input());
  stack_.forward(ctx_, maps, parameters);
  softmax_cross_entropy(ctx_, maps.side[0].valid(), {network_.classes}, {stack_.output(), tables_.label, unit_},
                        {loss_, correct_, predicted_, {}});
  end_eval(ctx_, network_.classes, loss_, predicted_, tables_, results_);
}

template <class Context>
void Evaluator<Context>::run(const TwoSides& parameters, const StackMaps& maps, std::int32_t passes) {
  if constexpr (Context::kIsDevice) {
    const float* const on[2] = {parameters.side[0].data(), parameters.side[1].data()};
    if (!std::equal(on, on + 2, captured_)) graph_ = nullptr;
    for (std::int32_t p = 0; p < passes; ++p) {
      if (graph_ == nullptr && warm_) {
        graph_ = ctx_.capture([&] { pass(parameters, maps); });
        std::copy(on, on + 2, captured_);
      }
      if (graph_ != nullptr) {
        ctx_.launch(graph_);
      } else {
        pass(parameters, maps);
      }
      warm_ = true;
    }
  } else {
    for (std::int32_t p = 0; p < passes; ++p) pass(parameters, maps);
  }
}

template <class Context>
std::vector<Evaluation> Evaluator<Context>::evaluate(const View<const float> (&parameters)[2],
                                                     const std::int64_t (&replicas)[2],
                                                     const EvaluationRequest& request) {
  const Range range("evaluate");
  const bool validation = request.set == EvaluationSet::kValidation, average = request.replicas.empty();
  const std::int64_t all = settings_.images[validation ? 1 : 0];
  const std::int64_t images = request.limit > 0 ? std::min(request.limit, all) : all;
  TwoSides used;
  StackMaps maps;
  for (int side = 0; side < 2; ++side) {
    const bool own = !average && replicas[side] > 1;
    const View<const float>& given = parameters[side];
    used.side[side] =
        own ? View<float>(const_cast<float*>(given.data()), given.size()) : average_of(parameters, replicas, side);
    const ReplicaMap map = own ? tables_.replicas.map(tables_.slots.data(), int32(replicas[side]))
                               : tables_.whole.map(tables_.slots.data(), 1);
    maps.side[side] = map;
    maps.statistics[side] = {map.active, map.first, map.rank, map.max_active};
  }
  const std::vector<std::int32_t> tested = average ? std::vector<std::int32_t>{0} : request.replicas;
  const std::int64_t squared = std::int64_t{network_.classes} * network_.classes;
  std::vector<Evaluation> results;
  for (std::int64_t from = 0; from < std::ssize(tested); from += most_tested_) {
    const std::int64_t count = std::min(most_tested_, std::ssize(tested) - from);
    const EvalRequest now{.first_sample = validation ? int32(settings_.images[0]) : 0,
                          .samples = int32(images),
                          .replicas = int32(count),
                          .batch = settings_.batch,
                          .together = int32(together_)};
    ctx_.upload(tables_.request.data(), &now, sizeof now);
    ctx_.upload(tables_.tested.data(), tested.data() + from, static_cast<std::size_t>(count) * sizeof(std::int32_t));
    fill_zero(ctx_, tables_.pass);
    fill_zero(ctx_, results_.confusion);
    run(used, maps, now.passes());
    std::vector<std::int32_t> confusion(static_cast<std::size_t>(count * squared));
    std::vector<double> sums(static_cast<std::size_t>(now.passes() * together_));
    if (!sums.empty()) ctx_.download(sums.data(), results_.loss_sums.data(), sums.size() * sizeof(double));
    ctx_.download(confusion.data(), results_.confusion.data(), confusion.size() * sizeof(std::int32_t));
    for (std::int64_t r = 0; r < count; ++r) {
      Evaluation& result = results.emplace_back();
      result.confusion.assign(confusion.begin() + r * squared, confusion.begin() + (r + 1) * squared);
      const std::int64_t first = r / together_ * now.parts();
      for (std::int64_t p = first; p < first + now.parts(); ++p) {
        result.loss += sums[static_cast<std::size_t>(p * together_ + r % together_)];
      }
      if (images > 0) result.loss /= static_cast<double>(images);
    }
  }
  return results;
}

template class Evaluator<CpuContext>;
#if SPLITSIM_WITH_CUDA
template class Evaluator<CudaContext>;
#endif

}  // namespace splitsim
