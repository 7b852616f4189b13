// Keys that the chosen kinds do not read: refused where they are given, left out of the dump and of the hash.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/error.hpp"
#include "runtime/config/config.hpp"
#include "runtime/config/keys/keys.hpp"

namespace splitsim {
namespace {

std::string error_of(const std::string& toml, const std::vector<std::string>& overrides = {}) {
  try {
    parse_config(toml, "exp.toml", overrides);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(ConfigRead, NamesTheKindsThatWouldReadTheKey) {
  EXPECT_EQ(error_of("", {"sampler.delta=1"}),
            "--set: sampler.delta = 1.0: sampler.kind = \"ugs\" does not read it; urn and lds do");
  EXPECT_EQ(error_of("[sampler]\ndelta = 1.0\n"),
            "exp.toml:2:1: sampler.delta = 1.0: sampler.kind = \"ugs\" does not read it; urn and lds do");
  EXPECT_EQ(error_of("", {"train.round=5"}),
            "--set: train.round = 5: train.mode = \"psl\" and clock.model_sync = \"mode\" do not read it; train.mode = "
            "gcpsl, mergesfl, minibatch_sfl, sflv1, sflv2, sflv3, fedavg, fedprox, cse_fsl or "
            "fsl_an or with clock.model_sync = round does");
  EXPECT_EQ(error_of("", {"clock.trace_file=/t.csv"}),
            "--set: clock.trace_file = \"/t.csv\": clock.delay_ms.kind = \"two_speed\", clock.compute_ms.kind = "
            "\"lognormal\", clock.uplink_mbps.kind = \"constant\" and clock.downlink_mbps.kind = \"constant\" do not "
            "read it; trace does");
  EXPECT_EQ(error_of("", {"eval.step_images=9"}),
            "--set: eval.step_images = 9: eval.every_steps = 0 does not read it; a number > 0 does");
  EXPECT_EQ(error_of("", {"partition.kind=iid", "partition.shards_per_client=3"}),
            "--set: partition.shards_per_client = 3: partition.kind = \"iid\" does not read it; shards does");
  // By the key whose key is not read either: by what that one needs.
  EXPECT_EQ(error_of("", {"eval.client=3", "train.mode=central"}),
            "--set: eval.client = 3: train.mode = \"central\" does not read it; psl_local, sglr, epsl, gapsl, cpsl, "
            "gcpsl, mergesfl, minibatch_sfl, sflv1, sflv2, sflv3, fedavg, fedprox, cse_fsl and fsl_an do");
}

// One line of the table per condition: a setting and what it needs. Without what it needs it is refused.
TEST(ConfigRead, EveryConditionalKeyIsRefusedWhereNothingReadsIt) {
  int conditional = 0;
  for (const Key& key : config_keys()) {
    if (key.conditions.empty()) continue;
    if (std::holds_alternative<SeedRule>(key.rule)) continue;  // has no default to give
    ++conditional;
    const Config defaults;
    // Where the defaults read it, another kind does not.
    std::vector<std::string> overrides;
    if (is_read(key, defaults)) {
      const std::string& other = key.conditions.front().front().key;
      for (const Choice& choice : std::get<ChoiceRule>(find_key(other)->rule).choices) {
        Config changed = defaults;
        std::get<ChoiceRule>(find_key(other)->rule).set(changed, choice.name);
        if (choice.name == "file" || is_read(key, changed)) continue;
        overrides = {other + "=" + choice.name};
        break;
      }
      ASSERT_FALSE(overrides.empty()) << key.path;
    }
    overrides.push_back(key.path + "=" + value_toml(key, defaults));
    const std::string message = error_of("", overrides);
    EXPECT_EQ(message.find("--set: " + key.path + " = "), 0u) << key.path << ": " << message;
    EXPECT_NE(message.find(" not read it; "), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }
  EXPECT_GT(conditional, 40);
}

TEST(ConfigRead, AKeyOfTheFileMayServeTheFilesOwnKind) {
  const std::string lds = "sampler = { kind = 'lds', delta = 2.0, concentration = 3.0 }\n";
  const Config c = parse_config(lds, "exp.toml", {"sampler.kind=ugs"});
  EXPECT_EQ(c.sampler.kind, "ugs");
  EXPECT_EQ(to_toml(c), to_toml(parse_config("", "", {})));  // and is gone where it is not read
  EXPECT_EQ(error_of("sampler.delta = 2.0", {"sampler.kind=lds"}), "");
  EXPECT_NE(error_of(lds, {"sampler.kind=ugs", "sampler.delta=1"}), "");
  // Not read by the file, nor by the result.
  EXPECT_NE(error_of("sampler.delta = 2.0", {"sampler.kind=fls"}), "");
  // What is not read cannot be wrong together with others either.
  EXPECT_EQ(
      error_of("train.client_optimizer = { momentum = 0.9, nesterov = true }", {"train.client_optimizer.kind=adam"}),
      "");
}

TEST(ConfigRead, VariantsShareWhatOneOfThemReads) {
  const auto variants = [](const std::vector<Override>& common) {
    return parse_variants({"", "default"}, common,
                          {{"--samplers ugs", {"sampler.kind=ugs"}}, {"--samplers lds", {"sampler.kind=lds"}}});
  };
  const std::vector<Config> configs = variants({"sampler.delta=2"});
  EXPECT_EQ(configs[0].sampler.delta, 0.0);
  EXPECT_EQ(configs[1].sampler.delta, 2.0);
  EXPECT_THROW(variants({"sampler.local_epochs=2"}), InputError);
  try {
    parse_variants({"", "default"}, {}, {{"--samplers ugs:delta=1", {"sampler.kind=ugs", "sampler.delta=1"}}});
    FAIL();
  } catch (const InputError& error) {
    EXPECT_EQ(std::string(error.what()),
              "--samplers ugs:delta=1: sampler.delta = 1.0: sampler.kind = \"ugs\" does not read it; urn and lds do");
  }
}

TEST(ConfigRead, EqualExperimentsHashEqualWhateverIsNotRead) {
  Config a, b;
  b.sampler.delta = 7.0;
  b.partition.shards_per_client = 9;
  b.train.round = 3;
  b.train.client_optimizer.beta1 = 0.5;
  b.eval.client = 4;
  EXPECT_EQ(config_sha256(a), config_sha256(b));
  EXPECT_EQ(to_toml(a), to_toml(b));
  b.sampler.kind = a.sampler.kind = "urn";
  EXPECT_NE(config_sha256(a), config_sha256(b));
}

// A random allowed value, as TOML.
std::string random_value(const Key& key) {
  struct Visitor {
    const Key& key;
    std::string operator()(const IntegerRule& rule) const {
      return std::to_string(
          *rc::gen::inRange<std::int64_t>(rule.low, std::min<std::int64_t>(rule.high, rule.low + 40)));
    }
    std::string operator()(const RealRule& rule) const {
      const double share = *rc::gen::inRange(1, 1000) * 1e-3;
      return number(std::isfinite(rule.low) ? rule.low + share * std::min(1.0, rule.high - rule.low) : share - 0.5);
    }
    std::string operator()(const SeedRule&) const { return std::to_string(*rc::gen::inRange(0, 9)); }
    std::string operator()(const FlagRule&) const { return *rc::gen::arbitrary<bool>() ? "true" : "false"; }
    std::string operator()(const ChoiceRule& rule) const {
      return quoted(rule.choices[*rc::gen::inRange<std::size_t>(0, rule.choices.size())].name);
    }
    std::string operator()(const TextRule&) const {
      return quoted(*rc::gen::element<std::string>("a", "b/c", "\xc3\xa4 d"));
    }
    std::string operator()(const IntegersRule&) const { return "[1, 3]"; }
    std::string operator()(const LayersRule&) const { return "[{ kind = 'linear' }]"; }
    std::string operator()(const DistributionRule& rule) const {
      return *rc::gen::arbitrary<bool>() || rule.use == DistributionUse::kJitter
                 ? "{ kind = 'uniform', low = 1, high = 2 }"
                 : "{ kind = 'trace' }";
    }
  };
  return std::visit(Visitor{key}, key.rule);
}

// Every valid config: what the dump says parses without a complaint to a config with the same dump and hash.
RC_GTEST_PROP(ConfigRead, TheDumpIsAFixedPoint, ()) {
  std::vector<std::string> overrides;
  for (const Key& key : config_keys()) {
    if (*rc::gen::inRange(0, 3) == 0) overrides.push_back(key.path + "=" + random_value(key));
  }
  // Those that nothing reads are taken out until the rest stands, or is wrong for another reason.
  std::optional<Config> config;
  while (!config) {
    try {
      config = parse_config("", "random", overrides);
    } catch (const InputError& error) {
      const std::string message = error.what();
      const std::size_t removed = std::erase_if(overrides, [&](const std::string& text) {
        return message.starts_with("--set: " + text.substr(0, text.find('=')) + " = ") &&
               message.find(" not read it") != std::string::npos;
      });
      RC_PRE(removed > 0u);
    }
  }
  const std::string dump = to_toml(*config);
  const Config again = parse_config(dump, "/elsewhere/config.toml", {});
  RC_ASSERT(to_toml(again) == dump);
  RC_ASSERT(config_sha256(again) == config_sha256(*config));
  for (const Key& key : config_keys()) RC_ASSERT(same_value(key, again, *config));
}

}  // namespace
}  // namespace splitsim
