#include "runtime/config/silent_settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace splitsim {

namespace {

using Texts = std::vector<std::string>;

void of_partition(const SamplingFacts& facts, Texts& texts) {
  const auto empty = std::count(facts.client_sizes.begin(), facts.client_sizes.end(), 0);
  if (empty > 0) {
    texts.push_back(fmt::format("partition.clients = {}: {} of them {} no samples and never {} part",
                                facts.client_sizes.size(), empty, empty == 1 ? "has" : "have",
                                empty == 1 ? "takes" : "take"));
  }
}

// fls and fpls give at least one sample of every client, whatever its share of the batch is.
void of_local_batches(const Config& config, const SamplingFacts& facts, Texts& texts) {
  const auto clients = static_cast<std::int64_t>(facts.client_sizes.size());
  const std::int64_t batch = config.sampler.batch;
  if (config.sampler.kind == "fls" && batch < clients) {
    texts.push_back(
        fmt::format("sampler.batch = {} for {} clients: fls gives one sample per client and step, so "
                    "batches have up to {}",
                    batch, clients, clients));
  }
  if (config.sampler.kind != "fpls") return;
  const std::int64_t samples = std::accumulate(facts.client_sizes.begin(), facts.client_sizes.end(), std::int64_t{0});
  const auto small = std::count_if(facts.client_sizes.begin(), facts.client_sizes.end(), [&](std::int64_t size) {
    return size > 0 && 2 * batch * size < samples;  // its share would round to 0
  });
  if (small > 0) {
    texts.push_back(
        fmt::format("sampler.batch = {}: the shares of {} client{} round to 0 samples and are made 1, so "
                    "batches are larger",
                    batch, small, small == 1 ? "" : "s"));
  }
}

void of_sampler(const Config& config, const SamplingFacts& facts, Texts& texts) {
  const SamplerSettings& s = config.sampler;
  const std::int64_t samples = std::accumulate(facts.client_sizes.begin(), facts.client_sizes.end(), std::int64_t{0});
  const bool delta = s.kind == "urn" || s.kind == "lds";
  if (s.kind == "urn" && s.delta == 0.0) texts.push_back("sampler.delta = 0.0: urn draws as ugs does");
  if (delta && s.delta != 0.0 && !facts.delays_differ) {
    texts.push_back(fmt::format("sampler.delta = {}: all clients have the same {}, so it changes nothing", s.delta,
                                s.delay_signal == DelaySignal::kParticipation ? "delay" : "time per typical step"));
  }
  if (s.kind == "lbpack" && !facts.delays_differ) {
    texts.push_back("sampler.kind = lbpack: all clients are of one delay level, so it draws as ugs does");
  }
  if (s.kind == "lds" && s.estimate != LdsEstimate::kPrior && s.observed > samples / 2) {
    texts.push_back(fmt::format("sampler.observed = {}: {} are observed, half of the {} samples", s.observed,
                                samples / 2, samples));
  }
  of_local_batches(config, facts, texts);
}

void of_latencies(const Config& config, const SamplingFacts& facts, Texts& texts) {
  const auto clients = static_cast<double>(facts.client_sizes.size());
  const LatencySettings defaults;
  const auto check = [&](const char* key, const Distribution& now, const Distribution& usual) {
    const bool chosen = now.kind != usual.kind || now.b != usual.b || now.c != usual.c;
    if (now.kind != DistributionKind::kTwoSpeed || !chosen || now.b == 0.0 || std::rint(now.b * clients) > 0) return;
    texts.push_back(fmt::format("{}.share = {}: of {} clients that is none", key, now.b, clients));
  };
  check("clock.delay_ms", config.clock.delay_ms, defaults.delay_ms);
  check("clock.compute_ms", config.clock.compute_ms, defaults.compute_ms);
  check("clock.uplink_mbps", config.clock.uplink_mbps, defaults.uplink_mbps);
  check("clock.downlink_mbps", config.clock.downlink_mbps, defaults.downlink_mbps);
}

void of_optimizer(const std::string& side, const OptimizerSettings& optimizer, std::int32_t epochs, Texts& texts) {
  if (optimizer.warmup_epochs >= epochs) {
    texts.push_back(fmt::format("train.{}.warmup_epochs = {}: the run has {} epoch{} and never leaves the warm-up",
                                side, optimizer.warmup_epochs, epochs, epochs == 1 ? "" : "s"));
  }
  if (optimizer.schedule == RateSchedule::kStep && optimizer.step_epochs >= epochs) {
    texts.push_back(fmt::format("train.{}.step_epochs = {}: the run has {} epoch{}, so its rate is constant", side,
                                optimizer.step_epochs, epochs, epochs == 1 ? "" : "s"));
  }
  if (optimizer.schedule != RateSchedule::kMultistep) return;
  for (const std::int64_t milestone : optimizer.milestones) {
    if (milestone < epochs) continue;
    texts.push_back(fmt::format("train.{}.milestones: {} and later are not reached in {} epoch{}", side, milestone,
                                epochs, epochs == 1 ? "" : "s"));
    break;
  }
}

bool reads_rounds(const Config& config, const ModeMap& mode) {
  return mode.has_rounds() || config.clock.model_sync == ModelSync::kRound;
}

}  // namespace

std::vector<std::string> silent_settings(const Config& config, const SamplingFacts& facts) {
  Texts texts = config.notes;
  of_partition(facts, texts);
  of_sampler(config, facts, texts);
  of_latencies(config, facts, texts);
  return texts;
}

std::vector<std::string> silent_settings(const Config& config, const ModeMap& mode, const TrainingFacts& facts) {
  Texts texts;
  const TrainSettings& train = config.train;
  const EvalSettings& eval = config.eval;
  const std::int64_t steps = facts.steps_per_epoch * train.epochs;
  if (eval.every_steps > steps) {
    texts.push_back(fmt::format("eval.every_steps = {}: the run has {} steps", eval.every_steps, steps));
  }
  if (eval.every_steps > 0 && eval.step_images >= facts.test_images) {
    texts.push_back(
        fmt::format("eval.step_images = {}: all {} test images are used", eval.step_images, facts.test_images));
  }
  if (reads_rounds(config, mode) && train.round > facts.steps_per_epoch) {
    texts.push_back(
        fmt::format("train.round = {}: an epoch has {} steps, and ends a round", train.round, facts.steps_per_epoch));
  }
  if (mode.local_loss && train.upload_every > facts.steps_per_epoch) {
    texts.push_back(fmt::format("train.upload_every = {}: an epoch has {} steps, so the server never learns",
                                train.upload_every, facts.steps_per_epoch));
  }
  if (config.cut.error_feedback && train.epochs == 1) {
    texts.push_back("cut.error_feedback = true: the run has 1 epoch, in which no sample is sent twice");
  }
  if (train.loss == LossKind::kFocal && train.focal_gamma == 0.0) {
    texts.push_back("train.focal_gamma = 0.0: the focal loss is the cross-entropy");
  }
  if (train.weights == SampleWeights::kClassBalanced && train.balance == 0.0) {
    texts.push_back("train.balance = 0.0: all classes that occur weigh the same");
  }
  if (train.checkpoint_epochs > train.epochs) {
    texts.push_back(
        fmt::format("train.checkpoint_epochs = {}: the run has {} epoch{}, so its end is the only checkpoint",
                    train.checkpoint_epochs, train.epochs, train.epochs == 1 ? "" : "s"));
  }
  if (eval.every_epochs > train.epochs) {
    texts.push_back(fmt::format("eval.every_epochs = {}: the run has {} epoch{} and is tested at its end only",
                                eval.every_epochs, train.epochs, train.epochs == 1 ? "" : "s"));
  }
  of_optimizer("client_optimizer", train.client_optimizer, train.epochs, texts);
  of_optimizer("server_optimizer", train.server_optimizer, train.epochs, texts);
  return texts;
}

}  // namespace splitsim
