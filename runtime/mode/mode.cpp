#include "runtime/mode/mode.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.hpp"
#include "runtime/model/network.hpp"

namespace splitsim {

namespace {

ModeMap psl(const TrainSettings& s) {
  const bool mean = s.client_reduce == ClientReduce::kMean;
  const bool materialised = s.replicas == ClientReplicas::kMaterialised;
  ModeMap mode{.cut_scale = mean ? CutScale::kPerActive : CutScale::kOne, .model_traffic = ModelTraffic::kStep};
  mode.replicas[kClientSide] = materialised;
  if (materialised) mode.combine[kClientSide] = Combine::kGradient;
  return mode;
}

ModeMap psl_local(const TrainSettings& s) {
  const bool own = s.client_scale == ClientScale::kOwn;
  ModeMap mode{.cut_scale = own ? CutScale::kOwnBatch : CutScale::kOne, .may_run_ahead = true};
  mode.replicas[kClientSide] = true;
  return mode;
}

ModeMap sflv1(const TrainSettings&) {
  return {.replicas = {true, true},
          .combine = {Combine::kRound, Combine::kRound},
          .own_loss = true,
          .model_traffic = ModelTraffic::kRound};
}

ModeMap sflv2(const TrainSettings&) {
  return {.replicas = {true, false},
          .combine = {Combine::kRound, Combine::kNever},
          .one_by_one = true,
          .own_loss = true,
          .clock = ClockKind::kChain,
          .model_traffic = ModelTraffic::kRound};
}

ModeMap sflv3(const TrainSettings&) {
  return {.replicas = {true, true}, .combine = {Combine::kNever, Combine::kRound}, .own_loss = true};
}

ModeMap sl(const TrainSettings&) {
  return {.one_by_one = true, .own_loss = true, .clock = ClockKind::kRelay, .model_traffic = ModelTraffic::kTurn};
}

ModeMap central(const TrainSettings&) { return {.cut_traffic = false}; }

struct Entry {
  ModeInfo info;
  ModeMap (*map)(const TrainSettings& settings);
};
const std::vector<Entry>& registry() {
  static const std::vector<Entry> entries = {
      {{"psl", "parallel split learning, clients share one half; client_reduce = sum | mean (paper)"}, psl},
      {{"psl_local", "aggregation-free: every client keeps its own half; client_scale = union | own"}, psl_local},
      {{"sflv1", "SplitFed 1: a client and a server half per client, both averaged every round (arXiv 2004.12088)"},
       sflv1},
      {{"sflv2", "SplitFed 2: one server half that serves client after client, client halves averaged every round"},
       sflv2},
      {{"sflv3", "SplitFed 3: as sflv1, but only the server halves are averaged, clients never (arXiv 2012.12591)"},
       sflv3},
      {{"sl", "sequential split learning: one client half, passed from client to client (arXiv 1810.06060)"}, sl},
      {{"central", "centralised SGD on the same batches: the baseline that psl equals bit for bit"}, central},
  };
  return entries;
}

}  // namespace

const std::vector<ModeInfo>& mode_infos() {
  static const std::vector<ModeInfo> infos = [] {
    std::vector<ModeInfo> list;
    for (const Entry& entry : registry()) list.push_back(entry.info);
    return list;
  }();
  return infos;
}

ModeMap mode_map(const TrainSettings& settings) {
  std::vector<std::string> names;
  for (const Entry& entry : registry()) {
    if (entry.info.name == settings.mode) {
      if (settings.mode != "psl" && settings.replicas != ClientReplicas::kTied) {
        throw InputError(
            fmt::format("train.replicas = \"{}\": allowed for train.mode = \"{}\": tied (its replicas are "
                        "the mode's)",
                        name_of(settings.replicas), settings.mode));
      }
      return entry.map(settings);
    }
    names.push_back(entry.info.name);
  }
  throw InputError(
      fmt::format("train.mode = \"{}\": unknown mode; allowed: {}", settings.mode, fmt::join(names, ", ")));
}

}  // namespace splitsim
