// Short keys, and what is meant by names of other programs.
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "runtime/config/config.hpp"
#include "runtime/config/keys/keys.hpp"
#include "runtime/config/keys/short_keys.hpp"

namespace splitsim {
namespace {

Config with(const std::vector<std::string>& overrides, const std::string& toml = "") {
  return parse_config(toml, "exp.toml", overrides);
}
std::string error_of(const std::vector<std::string>& overrides, const std::string& toml = "") {
  try {
    with(overrides, toml);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(ShortKeys, SetEveryKeyThatTheyMean) {
  const Config c = with({"train.lr=0.5", "train.optimizer=adamw", "model.name=cnn", "model.norm=batch"},
                        "train = { weight_decay = 0.125, schedule = 'step' }\n");
  for (const OptimizerSettings* side : {&c.train.client_optimizer, &c.train.server_optimizer}) {
    EXPECT_EQ(side->lr, 0.5);
    EXPECT_EQ(side->kind, "adamw");
    EXPECT_EQ(side->weight_decay, 0.125);
    EXPECT_EQ(side->schedule, RateSchedule::kStep);
  }
  EXPECT_EQ(c.model.client_norm, NormKind::kBatch);
  EXPECT_EQ(c.model.server_norm, NormKind::kBatch);
  EXPECT_EQ(config_sha256(with({"train.lr=0.5"})),
            config_sha256(with({"train.client_optimizer.lr=0.5", "train.server_optimizer.lr=0.5"})));
  EXPECT_EQ(to_toml(with({"train.lr=0.5"})).find("\nlr"), std::string::npos);  // the dump has the keys themselves
  for (const ShortKey& key : short_keys()) {
    EXPECT_EQ(find_key(key.path), nullptr) << key.path;
    for (const std::string& path : key.means) EXPECT_NE(find_key(path), nullptr) << path;
  }
}

TEST(ShortKeys, TheOptimizerOfBothSidesIsATableToo) {
  for (const Config& c :
       {with({}, "[train.optimizer]\nkind = 'adam'\nlr = 0.25\n"), with({"train.optimizer={kind=\"adam\", lr=0.25}"}),
        with({"train.optimizer.lr=0.25", "train.optimizer.kind=adam"})}) {
    EXPECT_EQ(c.train.client_optimizer.kind, "adam");
    EXPECT_EQ(c.train.server_optimizer.lr, 0.25);
  }
}

TEST(ShortKeys, TwoNamesOfAKeyInOnePlaceAreOneTooMany) {
  EXPECT_EQ(
      error_of({}, "[train]\nlr = 0.1\nclient_optimizer = { lr = 0.2 }\n"),
      "exp.toml:2:1: train.client_optimizer.lr = 0.2 and train.lr = 0.1 both set train.client_optimizer.lr: allowed: "
      "one of them");
  EXPECT_NE(error_of({"train.lr=0.1", "train.server_optimizer.lr=0.2"}), "");
  EXPECT_EQ(error_of({"train.lr=0.1", "train.server_optimizer.lr=0.1"}), "");  // no contradiction
  EXPECT_EQ(with({"train.lr=0.1", "train.lr=0.2"}).train.server_optimizer.lr, 0.2);
  // A later layer wins, whichever name it uses.
  EXPECT_EQ(with({"train.lr=0.1"}, "train.client_optimizer.lr = 0.2").train.client_optimizer.lr, 0.1);
  const Config c = with({"train.client_optimizer.lr=0.1"}, "train.lr = 0.2");
  EXPECT_EQ(c.train.client_optimizer.lr, 0.1);
  EXPECT_EQ(c.train.server_optimizer.lr, 0.2);
}

TEST(ShortKeys, ErrorsNameTheKeyAsItWasWritten) {
  EXPECT_EQ(error_of({"train.lr=-1"}), "--set: train.lr = -1: allowed: a finite number >= 0");
  EXPECT_EQ(error_of({"train.optimizer=sdg"}),
            "--set: train.optimizer = \"sdg\": allowed: sgd, adam, adamw; did you mean sgd?");
  EXPECT_EQ(error_of({"train.beta1=0.5"}),
            "--set: train.beta1 = 0.5: train.client_optimizer.kind = \"sgd\" does not read it; adam and adamw do");
  EXPECT_EQ(error_of({"train.beta1=0.5", "train.server_optimizer.kind=adam"}), "");  // one side reads it
}

TEST(ShortKeys, BareNamesAreUnderstood) {
  // A table's name, too.
  EXPECT_NE(error_of({"clients=3"}).find("; did you mean partition.clients?"), std::string::npos);
  for (const auto& [name, meant] :
       std::initializer_list<std::pair<const char*, const char*>>{{"lr", "train.lr"},
                                                                  {"learning_rate", "train.lr"},
                                                                  {"epochs", "train.epochs"},
                                                                  {"K", "partition.clients"},
                                                                  {"B", "sampler.batch"},
                                                                  {"batch_size", "sampler.batch"},
                                                                  {"alpha", "partition.alpha"},
                                                                  {"momentum", "train.momentum"},
                                                                  {"mode", "train.mode"},
                                                                  {"train.batch", "sampler.batch"},
                                                                  {"optimizer", "train.optimizer"},
                                                                  {"dataset", "data.name"}}) {
    EXPECT_EQ(error_of({std::string(name) + "=3"}),
              std::string("--set: unknown key ") + name + "; did you mean " + meant + "?");
  }
  EXPECT_NE(error_of({"sampler=ugs"}).find("; did you mean sampler.kind?"), std::string::npos);
  EXPECT_NE(error_of({"cut=pool1"}).find("; did you mean model.cut?"), std::string::npos);
  EXPECT_NE(error_of({"model=resnet18"}).find("; did you mean model.name?"), std::string::npos);
}

}  // namespace
}  // namespace splitsim
