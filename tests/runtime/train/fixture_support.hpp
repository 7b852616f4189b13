// What the tests against PyTorch's fixtures share (tests/fixtures/README.md): a fixture as a training set-up, and
// tensors against their records.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "runtime/config/config.hpp"
#include "tests/contexts.hpp"
#include "tests/runtime/train/engine_rig.hpp"

namespace splitsim::test {

using nlohmann::json;

inline json load_fixture(const std::string& name) {
  std::ifstream file(source_dir() + "/tests/fixtures/" + name + ".json");
  EXPECT_TRUE(file.good()) << name;
  return json::parse(file);
}

// What the fixtures of models, norms, modes and optimisers say beyond the older ones.
inline void add_settings(const json& c, RigInput& in) {
  const auto norm = [&](const char* key) {
    return c.at(key) == "group" ? NormKind::kGroup : c.at(key) == "batch" ? NormKind::kBatch : NormKind::kNone;
  };
  in.width = c.at("model_width");
  if (c.contains("layers")) {
    const std::string layers = c.at("layers");
    in.layers =
        parse_config("", "", {"model.name=layers", "model.cut=" + in.cut, "model.layers=" + layers}).model.layers;
  }
  in.relu6_as = c.value("relu6_as", "");
  in.options.norm[kClientSide] = norm("client_norm");
  in.options.norm[kServerSide] = norm("server_norm");
  in.options.client_segments = c.at("client_norm_statistics") == "segment";
  in.train.round = c.at("round");
  set_named(in.train.fedavg_weights, "fedavg_weights", c.at("fedavg_weights"));
  set_named(in.train.service_order, "service_order", c.at("service_order"));
  set_named(in.train.replicas, "replicas", c.at("replicas"));
  in.train.label_smoothing = c.at("label_smoothing");
  in.train.upload_every = c.value("upload_every", in.train.upload_every);
  if (c.contains("link")) {
    const json& link = c.at("link");
    set_named(in.options.cut.up, "up", link.at("up"));
    set_named(in.options.cut.down, "down", link.at("down"));
    in.options.cut.keep = link.at("keep");
    in.options.cut.clip_norm = link.at("clip_norm");
  }
  if (c.contains("loss")) set_named(in.train.loss, "loss", c.at("loss"));
  in.train.focal_gamma = c.value("focal_gamma", in.train.focal_gamma);
  if (c.contains("weights")) set_named(in.train.weights, "weights", c.at("weights"));
  in.train.balance = c.value("balance", in.train.balance);
  in.train.absgd_lambda = c.value("absgd_lambda", in.train.absgd_lambda);
  in.train.absgd_momentum = c.value("absgd_momentum", in.train.absgd_momentum);
  in.train.mix = c.value("mix", in.train.mix);
  in.train.align = c.value("align", in.train.align);
  in.train.proximal = c.value("proximal", in.train.proximal);
  in.groups = c.value("groups", std::vector<std::int32_t>());
  if (c.contains("cluster_half")) set_named(in.train.cluster_half, "cluster_half", c.at("cluster_half"));
  const json& o = c.at("optimizer");
  for (OptimizerSettings* optimizer : {&in.train.client_optimizer, &in.train.server_optimizer}) {
    optimizer->kind = o.at("kind");
    optimizer->dampening = o.at("dampening");
    optimizer->beta1 = o.at("beta1");
    optimizer->beta2 = o.at("beta2");
    optimizer->eps = o.at("eps");
    optimizer->clip_norm = c.at("clip_norm");
  }
}

inline RigInput rig_input(const json& fixture) {
  const json& c = fixture.at("case");
  const json& d = fixture.at("data");
  RigInput in;
  in.model = c.at("model");
  in.cut = c.at("cut");
  in.input = {c.at("channels"), c.at("height"), c.at("width")};
  in.classes = c.at("classes");
  in.clients = d.at("clients");
  in.held.resize(static_cast<std::size_t>(in.clients));
  for (const json& owner : d.at("owner")) in.held[owner.get<std::size_t>()] += 1;
  in.labels = d.at("labels").get<std::vector<std::int32_t>>();
  in.seed = d.at("seed");
  const std::int64_t pixels = d.at("samples").get<std::int64_t>() * in.input.size();
  in.images.resize(static_cast<std::size_t>(pixels));
  std::int64_t sum = 0;
  for (std::int64_t p = 0; p < pixels; ++p) {
    in.images[static_cast<std::size_t>(p)] =
        static_cast<std::uint8_t>(random_bits(in.seed, {Purpose::kTest, static_cast<std::uint32_t>(p), 1}).w);
    sum += in.images[static_cast<std::size_t>(p)];
  }
  EXPECT_EQ(sum, d.at("pixel_sum").get<std::int64_t>());
  if (c.contains("vocabulary")) {  // ids of tokens
    in.options.vocabulary = c.at("vocabulary");
    for (const std::uint8_t pixel : in.images) in.values.push_back(static_cast<float>(pixel % in.options.vocabulary));
  } else if (in.input.channels > GatherShape::kMaxChannels) {
    for (const std::uint8_t pixel : in.images) in.values.push_back(static_cast<float>((pixel / 255.0 - 0.5) / 0.25));
  }
  in.schedule.sample = fixture.at("schedule").at("sample").get<std::vector<std::int32_t>>();
  in.schedule.client = fixture.at("schedule").at("client").get<std::vector<std::int32_t>>();
  in.schedule.step_first = fixture.at("schedule").at("step_first").get<std::vector<std::int32_t>>();
  in.extra_slots = 3;
  in.train.mode = c.at("mode");
  if (c.contains("model_width")) add_settings(c, in);
  set_named(in.train.client_reduce, "client_reduce", c.at("client_reduce"));
  set_named(in.train.client_scale, "client_scale", c.at("client_scale"));
  in.train.epochs = 1;
  for (auto [optimizer, rate] :
       {std::pair{&in.train.client_optimizer, "client_lr"}, {&in.train.server_optimizer, "server_lr"}}) {
    optimizer->lr = c.at(rate);
    optimizer->momentum = c.at("momentum");
    optimizer->nesterov = c.at("nesterov");
    optimizer->weight_decay = c.at("weight_decay");
    optimizer->schedule = RateSchedule::kCosine;
    optimizer->warmup_epochs = 2.0 / static_cast<double>(in.schedule.steps());
  }
  return in;
}

// PyTorch's own float32 training strays from its float64 by float32_error: the unit roundoff amplified by this
// computation. Ours sums in other orders, hence 16 times that, and never less than 16 roundings of the tensor's largest
// value.
// Factors of a lower precision are rounded by `coarser` times as much, which the same computation amplifies alike.
inline double tolerance(const json& record, double coarser) {
  return coarser * 16.0 *
         std::max(record.at("float32_error").get<double>(), std::ldexp(record.at("max_abs").get<double>(), -24));
}

// How much further a factor may be rounded than float rounds.
inline double coarser_than_float(Precision precision) {
  return precision == Precision::kFp32 ? 1.0 : std::ldexp(precision == Precision::kTf32 ? 0x1p-10 * 2 / 3 : 0x1p-8, 24);
}

// Compares one replica's block with {tensor: record}.
inline void expect_block(const json& fixture, const json& records, const std::string& side, const float* block,
                         const std::string& what, double coarser = 1.0) {
  std::int64_t offset = 0;
  for (const json& tensor : fixture.at("tensors")) {
    if (tensor.at("side") != side || !records.contains(tensor.at("name"))) continue;
    std::int64_t size = 1;
    for (const json& n : tensor.at("shape")) size *= n.get<std::int64_t>();
    const std::string name = tensor.at("name");
    const json& record = records.at(name);
    double allowed = tolerance(record, coarser);
    const std::string mean = ".running_mean";
    if (name.ends_with(mean)) {
      // Values of the size of their deviation cancel to this mean: roundings of the pixels (ours are normalised in
      // float32, PyTorch's were rounded once) do not.
      const json& variance = records.at(name.substr(0, name.size() - mean.size()) + ".running_var");
      allowed = std::max(allowed, std::ldexp(16.0 * std::sqrt(variance.at("max_abs").get<double>()), -24));
    }
    double sum = 0.0, squares = 0.0;
    for (std::int64_t i = 0; i < size; ++i) {
      const double value = block[offset + i];
      sum += value;
      squares += value * value;
    }
    EXPECT_NEAR(sum, record.at("sum").get<double>(), allowed * static_cast<double>(size)) << what << " " << name;
    // |a^2 - b^2| <= |a - b| (|a| + |b|) with |a - b| <= allowed and sum |b| <= sqrt(size sum b^2).
    const double expected_squares = record.at("sum_squares").get<double>();
    const double n = static_cast<double>(size);
    EXPECT_NEAR(squares, expected_squares, allowed * (2.0 * std::sqrt(n * expected_squares) + n * allowed))
        << what << " " << name;
    for (std::size_t p = 0; p < tensor.at("probe_index").size(); ++p) {
      const auto index = tensor.at("probe_index")[p].get<std::int64_t>();
      EXPECT_NEAR(block[offset + index], record.at("probes")[p].get<double>(), allowed)
          << what << " " << name << "[" << index << "]";
    }
    offset += size;
  }
}

}  // namespace splitsim::test
