#include "runtime/mode/mode.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.hpp"
#include "runtime/model/network.hpp"

namespace splitsim {

namespace {

constexpr PartRule kOwn{Sharing::kClient}, kOwnAveraged{Sharing::kClient, Combine::kRound};

// c of modes whose clients have halves of their own.
CutScale scale_of(const TrainSettings& s) {
  return s.client_scale == ClientScale::kOwn ? CutScale::kOwnBatch : CutScale::kOne;
}

ModeMap psl(const TrainSettings& s) {
  const bool mean = s.client_reduce == ClientReduce::kMean;
  ModeMap mode{.cut = {mean ? CutScale::kPerActive : CutScale::kOne}, .model_traffic = ModelTraffic::kStep};
  if (s.replicas == ClientReplicas::kMaterialised) mode.part[kClientSide] = {Sharing::kClient, Combine::kGradient};
  return mode;
}

ModeMap psl_local(const TrainSettings& s) { return {.part = {kOwn, {}}, .cut = {scale_of(s)}, .may_run_ahead = true}; }

// psl_local, and a share of the cut gradients is the clients' mean.
ModeMap sglr(const TrainSettings& s) { return {.part = {kOwn, {}}, .cut = {scale_of(s), s.mix}}; }

// The same at the last layer.
ModeMap epsl(const TrainSettings& s) { return {.part = {kOwn, {}}, .cut = {scale_of(s)}, .output = {.mix = s.mix}}; }

// psl_local, and the clients' gradients are turned to a leader's.
ModeMap gapsl(const TrainSettings& s) {
  return {.part = {{.replicas = Sharing::kClient, .align = s.align}, {}}, .cut = {scale_of(s)}};
}

// psl within a cluster, one cluster after another.
ModeMap cpsl(const TrainSettings& s) {
  const bool own = s.cluster_half == ClusterHalf::kOwn;
  return {.part = {{own ? Sharing::kGroup : Sharing::kAll}, {}},
          .turns = Turns::kByGroup,
          .clock = ClockKind::kClusters,
          .model_traffic = ModelTraffic::kStep};
}

// psl within a group, all groups at once, their halves averaged every round.
ModeMap gcpsl(const TrainSettings& s) {
  return {.part = {{Sharing::kGroup, Combine::kRound}, {}}, .cut = {scale_of(s)}, .model_traffic = ModelTraffic::kStep};
}

// Client halves as if alone, the server on the merged batch.
ModeMap mergesfl(const TrainSettings&) {
  return {.part = {kOwnAveraged, {}}, .cut = {CutScale::kOwnBatch}, .model_traffic = ModelTraffic::kRound};
}

ModeMap minibatch_sfl(const TrainSettings& s) {
  return {.part = {kOwnAveraged, {}}, .cut = {scale_of(s)}, .model_traffic = ModelTraffic::kRound};
}

ModeMap sflv1(const TrainSettings&) {
  return {.part = {kOwnAveraged, kOwnAveraged}, .loss = LossMean::kClient, .model_traffic = ModelTraffic::kRound};
}

ModeMap sflv2(const TrainSettings&) {
  return {.part = {kOwnAveraged, {}},
          .loss = LossMean::kClient,
          .turns = Turns::kByClient,
          .clock = ClockKind::kChain,
          .model_traffic = ModelTraffic::kRound};
}

ModeMap sflv3(const TrainSettings&) { return {.part = {kOwn, kOwnAveraged}, .loss = LossMean::kClient}; }

ModeMap sl(const TrainSettings&) {
  return {.part = {},
          .loss = LossMean::kClient,
          .turns = Turns::kByClient,
          .clock = ClockKind::kRelay,
          .model_traffic = ModelTraffic::kTurn};
}

// Every client has the whole net: sflv1 without a link at the cut.
ModeMap fedavg(const TrainSettings& s) {
  ModeMap mode = sflv1(s);
  mode.clock = ClockKind::kLocal;
  mode.cut_traffic = false;
  mode.whole_model = true;
  return mode;
}

ModeMap fedprox(const TrainSettings& s) {
  ModeMap mode = fedavg(s);
  for (PartRule& part : mode.part) part.proximal = s.proximal;
  return mode;
}

// Client halves learn from heads of their own, the server from the smashed data that it gets now and then: without a
// gradient coming back nobody waits.
ModeMap cse_fsl(const TrainSettings& s) {
  return {.part = {kOwnAveraged, {}},
          .loss = LossMean::kReplica,
          .clock = ClockKind::kOneWay,
          .local_loss = true,
          .upload_every = s.upload_every,
          .model_traffic = ModelTraffic::kRound};
}

// The same with a server half per client, averaged as well.
ModeMap fsl_an(const TrainSettings& s) {
  ModeMap mode = cse_fsl(s);
  mode.part[kServerSide] = kOwnAveraged;
  return mode;
}

ModeMap central(const TrainSettings&) { return {.part = {}, .clock = ClockKind::kServer, .cut_traffic = false}; }

struct Entry {
  ModeInfo info;
  ModeMap (*map)(const TrainSettings& settings);
};
const std::vector<Entry>& registry() {
  static const std::vector<Entry> entries = {
      {{"psl", "parallel split learning, clients share one half; client_reduce = sum | mean (paper)"}, psl},
      {{"psl_local", "aggregation-free: every client keeps its own half; client_scale = union | own"}, psl_local},
      {{"sglr", "psl_local, a share train.mix of the cut gradients averaged over the clients (arXiv 2112.05929)"},
       sglr},
      {{"epsl", "psl_local, a share train.mix of the output gradients averaged over the clients (arXiv 2303.15991)"},
       epsl},
      {{"gapsl", "psl_local, the clients' gradients turned to a leader's by train.align (arXiv 2603.18540)"}, gapsl},
      {{"cpsl",
        "clusters of clients: psl within one, one after another; cluster_half = own | passed (arXiv 2204.08119)"},
       cpsl},
      {{"gcpsl", "groups of clients with one half each, all at once, averaged every round (arXiv 2609.29395)"}, gcpsl},
      {{"mergesfl",
        "client halves as if alone, averaged every round, one server on the merged batch (arXiv 2311.13348)"},
       mergesfl},
      {{"minibatch_sfl", "psl_local whose client halves are averaged every round (arXiv 2308.11953)"}, minibatch_sfl},
      {{"sflv1", "SplitFed 1: a client and a server half per client, both averaged every round (arXiv 2004.12088)"},
       sflv1},
      {{"sflv2",
        "SplitFed 2: one server half that serves client after client, client halves averaged every round (arXiv "
        "2004.12088)"},
       sflv2},
      {{"sflv3", "SplitFed 3: as sflv1, but only the server halves are averaged, clients never (arXiv 2012.12591)"},
       sflv3},
      {{"sl", "sequential split learning: one client half, passed from client to client (arXiv 1810.06060)"}, sl},
      {{"fedavg",
        "federated learning, no split: every client trains the whole net, averaged every round (arXiv 1602.05629)"},
       fedavg},
      {{"fedprox", "fedavg, held to the round's start by train.proximal (arXiv 1812.06127)"}, fedprox},
      {{"cse_fsl",
        "clients learn from auxiliary heads; the server gets activations every train.upload_every steps and sends no "
        "gradient; client halves and heads averaged every round (arXiv 2302.05599)"},
       cse_fsl},
      {{"fsl_an", "cse_fsl with a server half per client, averaged as well (Han et al. 2021, as in arXiv 2302.05599)"},
       fsl_an},
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

std::optional<TurnRules> turn_rules(const ModeMap& mode, ServiceOrder order, std::uint64_t seed, const Groups& groups) {
  if (!mode.deals() && !mode.needs_groups()) return {};
  return TurnRules{mode.turns, order, seed, mode.needs_groups() ? groups : Groups{}};
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
      const ModeMap mode = entry.map(settings);
      if (settings.weights == SampleWeights::kAbsgd && (mode.part[kServerSide].many() || mode.local_loss)) {
        throw InputError(
            fmt::format("train.weights = \"{}\": allowed for train.mode = \"{}\": none, class_balanced (its weights "
                        "follow one running mean of all losses at one server, which this mode does not have)",
                        name_of(settings.weights), settings.mode));
      }
      return mode;
    }
    names.push_back(entry.info.name);
  }
  throw InputError(
      fmt::format("train.mode = \"{}\": unknown mode; allowed: {}", settings.mode, fmt::join(names, ", ")));
}

}  // namespace splitsim
