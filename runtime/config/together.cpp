#include "runtime/config/together.hpp"

namespace splitsim {

namespace {

// What an optimiser's steps are multiplied by is a table on the device, one of each experiment.
void forget_rates(OptimizerSettings& settings) {
  const OptimizerSettings any;
  settings.lr = any.lr;
  settings.schedule = any.schedule;
  settings.step_epochs = any.step_epochs;
  settings.milestones = any.milestones;
  settings.gamma = any.gamma;
  settings.warmup_epochs = any.warmup_epochs;
}

}  // namespace

std::string together_key(const Config& config) {
  const Config any;
  Config same = config;
  same.seed = any.seed;
  same.seeds = {};
  same.partition = any.partition;
  same.partition.clients = config.partition.clients;
  same.sampler = any.sampler;
  same.clock = any.clock;
  same.clients = any.clients;
  same.clients.groups = config.clients.groups;
  same.model.init = any.model.init;
  same.model.file = any.model.file;
  same.eval = any.eval;
  same.record = any.record;
  same.notes.clear();
  same.train.epochs = any.train.epochs;
  same.train.checkpoint_epochs = any.train.checkpoint_epochs;
  same.train.balance = any.train.balance;
  same.train.service_order = any.train.service_order;
  forget_rates(same.train.client_optimizer);
  forget_rates(same.train.server_optimizer);
  std::string key = to_toml(same);
  if (config.cut.error_feedback) key += "# alone: " + config_sha256(config) + "\n";
  return key;
}

}  // namespace splitsim
