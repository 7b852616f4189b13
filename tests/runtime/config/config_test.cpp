// The configuration: what parses, what it resolves to, what it prints, and its hash.
#include "runtime/config/config.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "base/error.hpp"
#include "runtime/config/help.hpp"
#include "runtime/config/keys/keys.hpp"
#include "runtime/config/read/paths.hpp"

namespace splitsim {
namespace {

Config parse(const std::string& toml) { return parse_config(toml, "test.toml", {}); }
Config with(const std::vector<std::string>& overrides) { return parse_config("", "test.toml", overrides); }

void expect_same(const Config& a, const Config& b) {
  for (const Key& key : config_keys()) {
    EXPECT_TRUE(same_value(key, a, b)) << key.path << ": " << value_toml(key, a) << " and " << value_toml(key, b);
  }
}

// The example of the specification, character for character.
constexpr const char* kExample = R"(
seed = 1
[data]       # name = glyphs | fashion_mnist | mnist | cifar10 | cifar100 | npy (x.npy uint8 [N,H,W,C], y.npy)
name = "fashion_mnist"
dir = "data/fashion-mnist"
augment = { crop_pad = 0, flip = false }
[partition]
kind = "extended_dirichlet"
clients = 128
classes_per_client = 2
alpha = 3.0
[sampler]
kind = "ugs"
batch = 128
[model]
name = "lenet"
cut = "pool1"            # the client runs up to and including this layer
[train]
mode = "psl"
epochs = 5
client_optimizer = { kind = "sgd", lr = 0.05, momentum = 0.9, schedule = "cosine" }
server_optimizer = { kind = "sgd", lr = 0.05, momentum = 0.9, schedule = "cosine" }
[eval]
every_epochs = 1
[clock]
barrier = "two"
delay_ms      = { kind = "two_speed", base = 1.0, share = 0.1, slowdown = 10.0 }
compute_ms    = { kind = "lognormal", mean = 0.2, cv = 0.5 }   # forward, per sample
jitter        = { kind = "constant", value = 1.0 }             # factor per step and client
uplink_mbps   = { kind = "constant", value = 100.0 }
downlink_mbps = { kind = "constant", value = 100.0 }
server_ms     = { fixed = 1.0, per_sample = 0.01 }
)";

TEST(Config, ParsesTheSpecifiedExample) {
  const Config c = parse(kExample);
  EXPECT_EQ(c.seed, 1u);
  EXPECT_EQ(c.data.name, "fashion_mnist");
  EXPECT_EQ(c.data.dir, (std::filesystem::current_path() / "data/fashion-mnist").string());
  EXPECT_EQ(c.data.crop_pad, 0);
  EXPECT_FALSE(c.data.flip);
  EXPECT_EQ(c.partition.kind, "extended_dirichlet");
  EXPECT_EQ(c.partition.clients, 128);
  EXPECT_EQ(c.partition.classes_per_client, 2);
  EXPECT_EQ(c.partition.alpha, 3.0);
  EXPECT_EQ(c.sampler.kind, "ugs");
  EXPECT_EQ(c.sampler.batch, 128);
  EXPECT_EQ(c.model.name, "lenet");
  EXPECT_EQ(c.model.cut, "pool1");
  EXPECT_EQ(c.train.mode, "psl");
  EXPECT_EQ(c.train.epochs, 5);
  for (const OptimizerSettings* side : {&c.train.client_optimizer, &c.train.server_optimizer}) {
    EXPECT_EQ(side->kind, "sgd");
    EXPECT_EQ(side->lr, 0.05);
    EXPECT_EQ(side->momentum, 0.9);
    EXPECT_EQ(side->schedule, RateSchedule::kCosine);
  }
  EXPECT_EQ(c.eval.every_epochs, 1);
  EXPECT_EQ(c.clock.barrier, Barrier::kTwo);
  EXPECT_EQ(c.clock.delay_ms.kind, DistributionKind::kTwoSpeed);
  EXPECT_EQ(c.clock.delay_ms.a, 1.0);
  EXPECT_EQ(c.clock.delay_ms.b, 0.1);
  EXPECT_EQ(c.clock.delay_ms.c, 10.0);
  EXPECT_EQ(c.clock.compute_ms.kind, DistributionKind::kLognormal);
  EXPECT_EQ(c.clock.compute_ms.a, 0.2);
  EXPECT_EQ(c.clock.compute_ms.b, 0.5);
  EXPECT_EQ(c.clock.jitter.kind, DistributionKind::kConstant);
  EXPECT_EQ(c.clock.jitter.a, 1.0);
  EXPECT_EQ(c.clock.uplink_mbps.a, 100.0);
  EXPECT_EQ(c.clock.downlink_mbps.a, 100.0);
  EXPECT_EQ(c.clock.server_fixed_ms, 1.0);
  EXPECT_EQ(c.clock.server_per_sample_ms, 0.01);
}

TEST(Config, AnEmptyFileIsTheDefaults) { expect_same(parse(""), Config{}); }

TEST(Config, IntegersAreTakenAsNumbersAndTablesMayBeWrittenOut) {
  const Config c =
      parse("[train.client_optimizer]\nlr = 1\n[clock.server_ms]\nfixed = 2\n[data.augment]\nflip = true\n");
  EXPECT_EQ(c.train.client_optimizer.lr, 1.0);
  EXPECT_EQ(c.train.client_optimizer.momentum, 0.9);  // the default stays
  EXPECT_EQ(c.clock.server_fixed_ms, 2.0);
  EXPECT_EQ(c.clock.server_per_sample_ms, 0.01);
  EXPECT_TRUE(c.data.flip);
}

// Whether S can be made of fields of these types, in this order.
template <class S, class... Fields>
constexpr bool kMadeOf = requires(Fields... fields) {
  S{fields...};
};

// Every field of every settings struct is a key: a new field breaks the structured binding here, and counting then
// tells whether it got its line in the table.
TEST(Config, EveryFieldIsAKey) {
  std::map<std::string, int> keys;
  std::set<std::string> paths;
  for (const Key& key : config_keys()) {
    EXPECT_TRUE(paths.insert(key.path).second) << key.path << " twice";
    EXPECT_FALSE(key.help.empty()) << key.path;
    const bool optimizer = key.path.find("_optimizer.") != std::string::npos;
    keys[key.path.substr(0, optimizer ? key.path.rfind('.') : key.path.find('.'))] += 1;
  }
  const auto count = [](const auto&... fields) { return static_cast<int>(sizeof...(fields)); };
  const Config c;  // every table with a random part has a seed too
  {
    const auto& [a1, a2, a3, a4, a5, a6] = c.data;
    EXPECT_EQ(keys["data"], count(a1, a2, a3, a4, a5, a6) + 1);
  }
  {
    const auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13] = c.partition;
    EXPECT_EQ(keys["partition"], count(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13) + 1);
  }
  {
    const auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15] = c.sampler;
    EXPECT_EQ(keys["sampler"], count(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15) + 1);
  }
  {
    const auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9] = c.model;
    EXPECT_EQ(keys["model"], count(a1, a2, a3, a4, a5, a6, a7, a8, a9) + 1);
  }
  {
    const auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19, a20, a21, a22,
                 a23, a24, client, server] = c.train;
    EXPECT_EQ(keys["train"], count(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19,
                                   a20, a21, a22, a23, a24));
    const auto& [b1, b2, b3, b4, b5, b6, b7] = static_cast<const OptimizerNumbers&>(client);
    using Rates = std::vector<std::int64_t>;  // milestones
    EXPECT_TRUE((kMadeOf<OptimizerSettings, OptimizerNumbers, std::string, double, double, RateSchedule, std::int64_t,
                         Rates, double, double>));
    EXPECT_FALSE((kMadeOf<OptimizerSettings, OptimizerNumbers, std::string, double, double, RateSchedule, std::int64_t,
                          Rates, double, double, double>))
        << "a field more: count it here";
    EXPECT_EQ(keys["train.client_optimizer"], count(b1, b2, b3, b4, b5, b6, b7) + 8);
    EXPECT_EQ(keys["train.server_optimizer"], keys["train.client_optimizer"]);
  }
  {
    const auto& [a1, a2, a3, a4, a5, a6, a7] = c.cut;
    EXPECT_EQ(keys["cut"], count(a1, a2, a3, a4, a5, a6, a7));
  }
  {
    const auto& [a1, a2, a3, a4, a5, a6, a7] = c.eval;
    EXPECT_EQ(keys["eval"], count(a1, a2, a3, a4, a5, a6, a7));
  }
  {
    const auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9, a10] = c.clients;
    EXPECT_EQ(keys["clients"], count(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10));
  }
  {
    const auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19] = c.clock;
    EXPECT_EQ(keys["clock"],
              count(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19) + 1);
  }
  {
    const auto& [seed, seeds, data, partition, sampler, model, cut, train, eval, clients, clock, record, notes] = c;
    EXPECT_EQ(keys["seed"], 1);
    const auto& [waiting] = record;
    EXPECT_EQ(keys["record"], count(waiting));
    EXPECT_EQ(static_cast<int>(keys.size()),
              count(seed, data, partition, sampler, model, cut, train, eval, clients, clock, record) + 2);
  }
}

// Some other allowed value for a key, as text for --set.
std::string other_value(const Key& key) {
  const Config defaults;
  const std::string now = value_toml(key, defaults);
  struct Visitor {
    const std::string& now;
    std::string operator()(const IntegerRule& rule) const {
      return now == std::to_string(rule.high) ? std::to_string(rule.low) : std::to_string(rule.high);
    }
    std::string operator()(const RealRule& rule) const { return rule.low >= 1.0 ? "1.25" : "0.25"; }
    std::string operator()(const SeedRule&) const { return "77"; }
    std::string operator()(const FlagRule&) const { return now == "true" ? "false" : "true"; }
    std::string operator()(const ChoiceRule& rule) const {
      for (const Choice& choice : rule.choices) {
        if (quoted(choice.name) != now) return choice.name;
      }
      return "";
    }
    std::string operator()(const TextRule&) const { return "some/where else \"quoted\" \\ \xc3\xa4"; }
    std::string operator()(const IntegersRule&) const { return "[2, 5]"; }
    std::string operator()(const LayersRule&) const {
      return "[{ kind = 'conv', name = 'a', out = 4, kernel = 3, stride = 2, padding = 1, bias = false }, { kind = "
             "'norm', groups = 2 }, { kind = 'linear' }]";
    }
    std::string operator()(const DistributionRule&) const { return "{ kind = 'gamma', mean = 3.5, cv = 0.125 }"; }
  };
  return std::visit(Visitor{now}, key.rule);
}

// Overrides under which a key is read.
std::vector<std::string> context_of(const Key& key) {
  std::vector<std::string> overrides;
  if (key.conditions.empty()) return overrides;
  for (const Condition& condition : key.conditions.front()) {
    const Key& other = *find_key(condition.key);
    for (const std::string& text : context_of(other)) overrides.push_back(text);
    const std::string value = condition.values.empty() ? "1" : condition.values.front();
    if (std::holds_alternative<DistributionRule>(other.rule)) {
      overrides.push_back(condition.key + ".kind=" + value);
      if (value == "trace") overrides.push_back("clock.trace_file=/t.csv");
    } else if (std::holds_alternative<RealRule>(other.rule)) {
      overrides.push_back(condition.key + "=0.5");
    } else {
      overrides.push_back(condition.key + "=" + value);
    }
    if (condition.key == "clients.grouping" && value == "file") {
      overrides.push_back("clients.groups_file=/f.npy");
    } else if (value == "file")
      overrides.push_back(condition.key.substr(0, condition.key.find('.')) + ".file=/f.npy");
    if (value == "multistep")
      overrides.push_back(condition.key.substr(0, condition.key.rfind('.')) + ".milestones=[1]");
  }
  return overrides;
}

// Each key: read from --set, written by to_toml, read back; nothing else moves; the hash moves unless it is a path.
TEST(Config, EveryKeyRoundTripsAloneAndMovesTheHashUnlessItIsAPath) {
  for (const Key& key : config_keys()) {
    const std::string other = key.path == "eval.client" ? "3" : other_value(key);  // one of the 32
    if (other.empty()) continue;                                                   // a list of one
    std::vector<std::string> overrides = context_of(key);
    const Config before = with(overrides);
    const bool text = std::holds_alternative<TextRule>(key.rule);
    overrides.push_back(key.path + "=" + (text ? quoted(other) : other));
    const Config c = with(overrides);
    for (const Key& each : config_keys()) {
      EXPECT_EQ(!same_value(each, c, before), each.path == key.path) << key.path << " moved " << each.path;
    }
    expect_same(parse(to_toml(c)), c);
    EXPECT_EQ(config_sha256(c) == config_sha256(before), key.is_path()) << key.path;
  }
}

TEST(Config, PathsAreKnown) {
  std::set<std::string> paths;
  for (const Key& key : config_keys()) {
    if (key.is_path()) paths.insert(key.path);
  }
  EXPECT_EQ(paths,
            (std::set<std::string>{"clients.groups_file", "clients.availability_file", "data.dir", "partition.file",
                                   "sampler.file", "model.file", "clock.trace_file", "train.conv_table"}));
  EXPECT_EQ(config_sha256(Config{}).size(), 64u);
}

TEST(Config, TheDumpIsToml) {
  const std::string text = to_toml(Config{});
  for (const char* line : {"seed = 1\n", "\n[data]\n", "augment = { crop_pad = 0, flip = false }\n", "\n[clock]\n",
                           "delay_ms = { kind = \"two_speed\", base = 1.0, share = 0.1, slowdown = 10.0 }\n",
                           "server_ms = { fixed = 1.0, per_sample = 0.01 }\n", "alpha = 3.0\n", "batch = 128\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << " is not in\n" << text;
  }
}

RC_GTEST_PROP(Config, NumbersAndTextSurviveTheDump, (std::uint64_t bits, const std::string& text, std::uint64_t seed)) {
  Config c;
  double lr = 0.0;
  std::memcpy(&lr, &bits, sizeof lr);
  RC_PRE(std::isfinite(lr));
  c.train.client_optimizer.lr = std::fabs(lr);
  c.clock.delay_ms = {DistributionKind::kGamma, 1e-300, 0.1 + 0.2, 0.0};
  c.seed = seed >> 1;
  c.data.name = "npy";
  c.data.dir = "/";
  for (const char letter : text) c.data.dir += static_cast<char>(letter & 0x7f);  // ASCII, control characters included
  std::erase_if(c.data.dir, [](char letter) { return letter == '\0'; });
  c.data.dir = absolute_path(c.data.dir, "/");
  expect_same(parse(to_toml(c)), c);
}

TEST(Config, OverridesOfEveryShape) {
  EXPECT_EQ(with({"sampler.kind=fpls"}).sampler.kind, "fpls");
  EXPECT_EQ(with({"sampler.kind=\"fpls\""}).sampler.kind, "fpls");
  EXPECT_EQ(with({"sampler.kind = fpls"}).sampler.kind, "fpls");
  EXPECT_EQ(with({"sampler.batch=64", "sampler.batch=32"}).sampler.batch, 32);  // the last one counts
  EXPECT_EQ(with({"sampler={kind=\"fls\", batch=9}"}).sampler.batch, 9);
  EXPECT_EQ(with({"train.server_optimizer.lr=1e-3"}).train.server_optimizer.lr, 1e-3);
  EXPECT_EQ(with({"train.server_optimizer={lr=2}"}).train.server_optimizer.lr, 2.0);
  EXPECT_EQ(with({"clock.server_ms.fixed=3"}).clock.server_fixed_ms, 3.0);
  EXPECT_TRUE(with({"data.augment={flip=true}"}).data.flip);
  const auto dir = [](const std::string& text) { return with({"data.name=npy", "data.dir=" + text}).data.dir; };
  const std::string here = std::filesystem::current_path().string() + "/";
  EXPECT_EQ(dir("/a/b c=d"), "/a/b c=d");
  EXPECT_EQ(dir("12"), here + "12");
  EXPECT_EQ(dir("2024-01-01"), here + "2024-01-01");
  EXPECT_EQ(dir("a#b"), here + "a#b");
  EXPECT_EQ(dir("C:\\temp"), here + "C:\\temp");
  EXPECT_EQ(dir(""), "");
  EXPECT_EQ(with({"model.cut=relu1"}).model.cut, "relu1");
  const Config file = parse_config("[sampler]\nbatch = 5\nkind = \"fls\"\n", "x", {"sampler.batch=6"});
  EXPECT_EQ(file.sampler.batch, 6);
  EXPECT_EQ(file.sampler.kind, "fls");
}

TEST(Config, DistributionsKeepTheirParametersWhileTheKindStays) {
  const auto expect = [](const Distribution& d, DistributionKind kind, double a, double b, double c) {
    EXPECT_EQ(d.kind, kind);
    EXPECT_EQ(d.a, a);
    EXPECT_EQ(d.b, b);
    EXPECT_EQ(d.c, c);
  };
  using enum DistributionKind;
  expect(with({"clock.delay_ms={kind=\"constant\",value=2.0}"}).clock.delay_ms, kConstant, 2.0, 0.0, 0.0);
  expect(with({"clock.delay_ms.base=3"}).clock.delay_ms, kTwoSpeed, 3.0, 0.1, 10.0);
  expect(with({"clock.delay_ms={slowdown=5}"}).clock.delay_ms, kTwoSpeed, 1.0, 0.1, 5.0);
  expect(with({"clock.delay_ms.kind=uniform", "clock.delay_ms.low=3", "clock.delay_ms.high=4"}).clock.delay_ms,
         kUniform, 3.0, 4.0, 0.0);
  expect(parse("[clock.compute_ms]\nkind = \"lognormal\"\ncv = 1\n").clock.compute_ms, kLognormal, 0.2, 1.0, 0.0);
  expect(parse("[clock]\nuplink_mbps = { kind = \"lognormal\" }").clock.uplink_mbps, kLognormal, 1.0, 0.5, 0.0);
}

TEST(Config, EveryKindOfDistributionHasDefaultsThatAreAllowed) {
  for (const DistributionInfo& info : distribution_infos()) {
    const Distribution d = default_distribution(info);
    EXPECT_NO_THROW(check_distribution(d, info.name, false)) << info.name;
    for (const char* key : {"delay_ms", "jitter"}) {
      if (std::string(key) == "jitter" && !info.jitter) continue;
      std::vector<std::string> overrides = {"clock." + std::string(key) + ".kind=" + info.name};
      if (info.kind == DistributionKind::kTrace) overrides.push_back("clock.trace_file=t.csv");
      const Config c = with(overrides);
      expect_same(parse(to_toml(c)), c);
    }
  }
}

TEST(Config, TheHelpNamesEveryKeyChoiceAndDistribution) {
  const std::string help = config_help("all");
  for (const Key& key : config_keys()) {
    EXPECT_NE(help.find("\n  " + key.path + " = "), std::string::npos) << key.path;
    EXPECT_NE(help.find(key.unit.empty() ? "" : "[" + key.unit + "]"), std::string::npos) << key.unit;
    if (const auto* rule = std::get_if<ChoiceRule>(&key.rule)) {
      for (const Choice& choice : rule->choices) EXPECT_NE(help.find(choice.name), std::string::npos) << choice.name;
    }
  }
  for (const DistributionInfo& info : distribution_infos()) {
    EXPECT_NE(help.find("\n  " + info.name), std::string::npos) << info.name;
    for (const std::string& name : info.parameters) EXPECT_NE(help.find(" " + name + " = "), std::string::npos) << name;
  }
}

TEST(Config, LoadsFiles) {
  const std::string path = ::testing::TempDir() + "splitsim_config_test.toml";
  std::ofstream(path) << "[sampler]\nbatch = 17\n";
  EXPECT_EQ(load_config(path, {}).sampler.batch, 17);
  EXPECT_EQ(load_config(path, {"sampler.batch=18"}).sampler.batch, 18);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace splitsim
