// Every class of mistake in a configuration: one line that names the place, the key, the value and what is allowed.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.hpp"
#include "base/nearest.hpp"
#include "runtime/config/config.hpp"

namespace splitsim {
namespace {

// The message of the InputError that parsing throws, which must be one line and exit with 2.
std::string error_of(const std::string& toml, const std::vector<std::string>& overrides = {}) {
  try {
    parse_config(toml, "exp.toml", overrides);
  } catch (const InputError& error) {
    const std::string message = error.what();
    EXPECT_EQ(error.exit_code(), 2);
    EXPECT_EQ(message.find_first_of("\n\r"), std::string::npos) << message;
    return message;
  }
  ADD_FAILURE() << "no error for: " << toml << (overrides.empty() ? "" : overrides.front());
  return "";
}
std::string override_error(const std::string& text) { return error_of("", {text}); }

void expect_contains(const std::string& message, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    EXPECT_NE(message.find(part), std::string::npos) << "no \"" << part << "\" in: " << message;
  }
}

TEST(ConfigErrors, UnknownKeysComeWithTheNearestKnownOne) {
  EXPECT_EQ(error_of("[sampler]\nbacth = 3\n"), "exp.toml:2:1: unknown key sampler.bacth; did you mean sampler.batch?");
  EXPECT_EQ(override_error("sampler.knd=ugs"), "--set: unknown key sampler.knd; did you mean sampler.kind?");
  EXPECT_EQ(override_error("samplers.kind=ugs"), "--set: unknown key samplers; did you mean sampler?");
  EXPECT_EQ(override_error("epochs=3"), "--set: unknown key epochs; did you mean train.epochs?");
  EXPECT_EQ(override_error("clock.delayms.base=3"), "--set: unknown key clock.delayms; did you mean clock.delay_ms?");
  EXPECT_EQ(
      error_of("[train]\nclient_optimizer = { learning_rate = 1.0 }\n"),
      "exp.toml:2:22: unknown key train.client_optimizer.learning_rate; known in train.client_optimizer: kind, lr, "
      "momentum, dampening, nesterov, beta1, beta2, eps, weight_decay, clip_norm, schedule, step_epochs, milestones, "
      "gamma, warmup_epochs");
  EXPECT_EQ(override_error("model.zzzzzz=1"),
            "--set: unknown key model.zzzzzz; known in model: name, cut, width, client_norm, "
            "server_norm, client_norm_statistics, init, seed, file, layers");
  EXPECT_EQ(
      override_error("zzzzzz=1"),
      "--set: unknown key zzzzzz; known: seed, data, partition, sampler, model, cut, train, eval, clients, clock, "
      "record");
  EXPECT_EQ(override_error("sampler.batch.x=1"), "--set: unknown key sampler.batch.x: sampler.batch is not a table");
  EXPECT_EQ(error_of("\"sampler.batch\" = 1"), "exp.toml:1:1: unknown key \"sampler.batch\"");
  expect_contains(error_of("\"a\\nb\" = 1"), {"exp.toml:1:1: unknown key \"a\\u000Ab\""});
}

TEST(ConfigErrors, WrongTypes) {
  const std::string batch = ": allowed: an integer in [1, 2147483647]";
  EXPECT_EQ(error_of("[sampler]\nbatch = \"many\"\n"), "exp.toml:2:9: sampler.batch = \"many\"" + batch);
  EXPECT_EQ(override_error("sampler.batch=many"), "--set: sampler.batch = \"many\"" + batch);
  EXPECT_EQ(override_error("sampler.batch=12.0"), "--set: sampler.batch = 12.0" + batch);
  EXPECT_EQ(override_error("sampler.batch=true"), "--set: sampler.batch = true" + batch);
  EXPECT_EQ(override_error("sampler.batch=[1, 2]"), "--set: sampler.batch = [...]" + batch);
  EXPECT_EQ(override_error("sampler.batch={a = 1}"), "--set: sampler.batch = {...}" + batch);
  EXPECT_EQ(override_error("sampler.batch=1979-05-27"), "--set: sampler.batch = a date or time" + batch);
  EXPECT_EQ(override_error("sampler.batch="), "--set: sampler.batch = \"\"" + batch);
  EXPECT_EQ(
      override_error("sampler=3"),
      "--set: sampler = 3: allowed: a table with the keys kind, batch, chunks, delta, delay_signal, concentration, "
      "observed, prior, em, estimate, depletion, reestimate, levels, budget_time, budget_deviation, order, target, seed, "
      "file, local_epochs");
  expect_contains(error_of("[[sampler]]\nbatch = 1\n"),
                  {"sampler = [...]: allowed: a table with the keys kind, batch"});
  EXPECT_EQ(override_error("data.augment.flip=1"), "--set: data.augment.flip = 1: allowed: true, false");
  EXPECT_EQ(override_error("partition.alpha=\"3\""), "--set: partition.alpha = \"3\": allowed: a finite number > 0");
  EXPECT_EQ(error_of("[data]\ndir = 3\n"), "exp.toml:2:7: data.dir = 3: allowed: a path (a string)");
  EXPECT_EQ(error_of("[model]\ncut = 3\n"), "exp.toml:2:7: model.cut = 3: allowed: a string");
  EXPECT_EQ(error_of("[clock]\ndelay_ms = 3\n"),
            "exp.toml:2:12: clock.delay_ms = 3: allowed: a table { kind = \"...\", parameters }");
}

TEST(ConfigErrors, OutOfRangeAndNotFinite) {
  EXPECT_EQ(override_error("sampler.batch=0"), "--set: sampler.batch = 0: allowed: an integer in [1, 2147483647]");
  EXPECT_EQ(override_error("sampler.batch=2147483648"),
            "--set: sampler.batch = 2147483648: allowed: an integer in [1, 2147483647]");
  EXPECT_EQ(override_error("seed=-1"), "--set: seed = -1: allowed: an integer in [0, 9223372036854775807]");
  EXPECT_EQ(override_error("train.epochs=16777216"),
            "--set: train.epochs = 16777216: allowed: an integer in [1, 16777215]");
  EXPECT_EQ(override_error("partition.alpha=0"), "--set: partition.alpha = 0: allowed: a finite number > 0");
  EXPECT_EQ(override_error("partition.alpha=nan"), "--set: partition.alpha = nan: allowed: a finite number > 0");
  EXPECT_EQ(override_error("partition.alpha=inf"), "--set: partition.alpha = inf: allowed: a finite number > 0");
  EXPECT_EQ(override_error("sampler.delta=-inf"), "--set: sampler.delta = -inf: allowed: a finite number");
  EXPECT_EQ(override_error("train.client_optimizer.momentum=1.0"),
            "--set: train.client_optimizer.momentum = 1.0: allowed: a number in [0, 1)");
  EXPECT_EQ(override_error("train.server_optimizer.lr=-0.5"),
            "--set: train.server_optimizer.lr = -0.5: allowed: a finite number >= 0");
  EXPECT_EQ(override_error("clock.server_ms.fixed=1e7"),
            "--set: clock.server_ms.fixed = 10000000.0: allowed: a number in [0, 1e+06]");
}

TEST(ConfigErrors, NamesThatAreNotInTheList) {
  const std::string message = override_error("sampler.kind=ugss");
  expect_contains(message, {"--set: sampler.kind = \"ugss\": allowed: ", "fls", "fpls", "; did you mean ugs?"});
  expect_contains(error_of("[data]\nname = \"fashion-mnist\"\n"),
                  {"exp.toml:2:8: data.name = \"fashion-mnist\": allowed: glyphs, ", "; did you mean fashion_mnist?"});
  EXPECT_EQ(override_error("clock.barrier=three"), "--set: clock.barrier = \"three\": allowed: two, one, run_ahead");
  expect_contains(override_error("train.mode=5"),
                  {"train.mode = \"5\": allowed: psl, psl_local, sglr, epsl, ",
                   "sflv1, sflv2, sflv3, sl, fedavg, fedprox, cse_fsl, fsl_an, central"});
  expect_contains(override_error("model.name=resnet"), {"model.name = \"resnet\": allowed: mlp, lenet, cnn"});
  expect_contains(override_error("partition.kind=irid"), {"partition.kind = \"irid\"", "did you mean iid?"});
}

TEST(ConfigErrors, Distributions) {
  EXPECT_EQ(
      error_of("[clock]\ndelay_ms = { kind = \"two_speed\", bse = 1.0 }\n"),
      "exp.toml:2:34: unknown parameter clock.delay_ms.bse: kind = \"two_speed\" takes base, share, slowdown; did "
      "you mean base?");
  EXPECT_EQ(override_error("clock.delay_ms.value=1"),
            "--set: unknown parameter clock.delay_ms.value: kind = \"two_speed\" takes base, share, slowdown");
  EXPECT_EQ(override_error("clock.delay_ms={kind=\"trace\",base=1}"),
            "--set: unknown parameter clock.delay_ms.base: kind = \"trace\" takes none");
  expect_contains(override_error("clock.delay_ms.kind=lognorm"),
                  {"clock.delay_ms.kind = \"lognorm\": allowed: constant, ", "trace", "; did you mean lognormal?"});
  expect_contains(override_error("clock.delay_ms.kind=3"), {"clock.delay_ms.kind = 3: allowed: constant, "});
  const std::string jitter = override_error("clock.jitter.kind=trace");  // drawn per step: no row of a file fits
  expect_contains(jitter, {"clock.jitter.kind = \"trace\": allowed: constant, "});
  EXPECT_EQ(jitter.find("zipf, trace"), std::string::npos) << jitter;
  EXPECT_EQ(override_error("clock.delay_ms.base=nan"), "--set: clock.delay_ms.base = nan: allowed: a finite number");
  EXPECT_EQ(override_error("clock.delay_ms.base=fast"),
            "--set: clock.delay_ms.base = \"fast\": allowed: a finite number");
  expect_contains(override_error("clock.delay_ms.share=2"), {"clock.delay_ms.share = 2"});
  expect_contains(override_error("clock.delay_ms={kind=\"uniform\",low=2,high=1}"), {"clock.delay_ms.high = 1"});
  expect_contains(override_error("clock.uplink_mbps.value=0"), {"clock.uplink_mbps.value = 0"});
  expect_contains(override_error("clock.jitter.value=0"), {"clock.jitter.value = 0"});
  EXPECT_NO_THROW(parse_config("", "", {"clock.delay_ms={kind=\"constant\",value=0}"}));  // no delay is a delay
}

TEST(ConfigErrors, WhatOnlyTheWholeCanTell) {
  EXPECT_EQ(override_error("clock.compute_ms.kind=trace"),
            "clock.trace_file = \"\": allowed: a path, since clock.compute_ms.kind = \"trace\"");
  EXPECT_EQ(override_error("partition.kind=file"),
            "partition.file = \"\": allowed: a path, since partition.kind = \"file\"");
  EXPECT_EQ(override_error("sampler.kind=file"), "sampler.file = \"\": allowed: a path, since sampler.kind = \"file\"");
  EXPECT_EQ(
      error_of("", {"train.client_optimizer.nesterov=true", "train.client_optimizer.momentum=0"}),
      "train.client_optimizer.momentum = 0.0: allowed: a number in (0, 1), since train.client_optimizer.nesterov = "
      "true");
}

TEST(ConfigErrors, SyntaxErrorsHaveLineAndColumn) {
  EXPECT_EQ(error_of("seed = 1\nsampler = = 2\n").substr(0, 15), "exp.toml:2:11: ");
  expect_contains(error_of("seed = 1\nseed = 2\n"), {"exp.toml:2:", "redefine", "'seed'"});
  expect_contains(error_of("seed = 99999999999999999999"), {"exp.toml:1:", "not representable in 64 bits"});
  expect_contains(error_of("name = \"a\xff\""), {"exp.toml:1:", "utf-8"});
  expect_contains(error_of("[data]\ndir = \"a\nb\"\n"), {"exp.toml:2:"});
  expect_contains(error_of(std::string(400, '[')), {"exp.toml:1:"});
}

TEST(ConfigErrors, Overrides) {
  EXPECT_EQ(override_error("sampler.kind"), "--set \"sampler.kind\": allowed: key=value, as in sampler.kind=fpls");
  EXPECT_EQ(override_error("=3"), "--set \"=3\": allowed: key=value, as in sampler.kind=fpls");
  EXPECT_EQ(override_error(""), "--set \"\": allowed: key=value, as in sampler.kind=fpls");
  expect_contains(override_error("clock.delay_ms={kind="), {"--set \"clock.delay_ms={kind=\": "});
  expect_contains(override_error("model.cut=\"a"), {"--set \"model.cut=\\\"a\": "});
  EXPECT_EQ(override_error("seed=5 # five"), "--set \"seed=5 # five\": allowed: one TOML value");
  EXPECT_EQ(override_error("seed=5\ntrain.epochs=3"), "--set \"seed=5\\u000Atrain.epochs=3\": allowed: one TOML value");
  EXPECT_EQ(override_error("data.dir=\xff\xfe"), "--set data.dir: allowed: UTF-8 text");
  // Long values are cut, so that a message stays a line to read.
  EXPECT_LT(override_error("sampler.kind=" + std::string(5000, 'x')).size(), 400u);
}

TEST(ConfigErrors, Files) {
  const auto load_error = [](const std::string& path) -> std::string {
    try {
      load_config(path, {});
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(load_error("/no/such/file.toml"), "cannot read '/no/such/file.toml': No such file or directory");
  EXPECT_EQ(load_error("/"), "cannot read '/': it is a folder");
}

TEST(ConfigErrors, EditDistance) {
  EXPECT_EQ(edit_distance("", ""), 0);
  EXPECT_EQ(edit_distance("abc", ""), 3);
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("bacth", "batch"), 1);
  EXPECT_EQ(edit_distance("ca", "abc"), 3);  // restricted: a swapped pair is not edited again
  EXPECT_EQ(nearest("ksi", {"iid", "shards"}), "");
  EXPECT_EQ(nearest("fpsl", {"fls", "fpls"}), "fpls");
}

TEST(ConfigErrors, Layers) {
  const auto layers = [](const std::string& list) { return override_error("model.layers=[" + list + "]"); };
  expect_contains(layers("{ kind = 'conf', out = 3 }"), {"model.layers.kind = \"conf\"", "conv", "did you mean conv?"});
  expect_contains(layers("{ out = 3 }"), {"model.layers.kind = none", "global_avg_pool"});
  expect_contains(layers("{ kind = 'conv', out = 3, kernle = 3 }"), {"unknown key model.layers.kernle", "kernel"});
  expect_contains(layers("{ kind = 'relu', out = 3 }"), {"unknown key model.layers.out", "takes none"});
  expect_contains(layers("{ kind = 'conv', out = 0, kernel = 3 }"), {"model.layers.out = 0", "[1, 65536]"});
  expect_contains(layers("{ kind = 'conv', out = 8.5, kernel = 3 }"), {"model.layers.out = 8.5"});
  expect_contains(layers("{ kind = 'conv', kernel = 3 }"), {"output channels"});
  expect_contains(layers("{ kind = 'conv', out = 8 }"), {"model.layers.kernel: missing"});
  expect_contains(layers("{ kind = 'conv', out = 8, kernel = 3, bias = 1 }"), {"model.layers.bias = 1", "true, false"});
  expect_contains(layers("{ kind = 'max_pool', kernel = 2, padding = 2 }"), {"padding up to half"});
  expect_contains(layers("{ kind = 'max_pool', kernel = 16 }"), {"windows up to 15"});
  expect_contains(layers("3"), {"model.layers = 3", "a list of tables"});
  expect_contains(override_error("model.layers=conv"), {"model.layers"});
}

TEST(ConfigErrors, LossesAndSampleWeights) {
  const auto error = [](const std::vector<std::string>& overrides) { return error_of("", overrides); };
  expect_contains(error({"train.focal_gamma=1"}), {"train.focal_gamma = 1", "train.loss = \"cross_entropy\"", "focal"});
  expect_contains(error({"train.loss=focal", "train.focal_gamma=-1"}), {"focal_gamma = -1", "[0, 1000]"});
  expect_contains(error({"train.loss=focal", "train.label_smoothing=0.1"}),
                  {"train.label_smoothing = 0.1: allowed: 0.0", "focal"});
  expect_contains(error({"train.loss=focl"}), {"cross_entropy, focal", "did you mean focal?"});
  expect_contains(error({"train.balance=0.5"}), {"train.balance", "class_balanced does"});
  expect_contains(error({"train.weights=class_balanced", "train.balance=1.5"}), {"balance = 1.5", "[0, 1]"});
  expect_contains(error({"train.weights=class_balanced", "train.absgd_lambda=2"}), {"absgd_lambda", "absgd does"});
  for (const char* lambda : {"0", "1e-9", "-1e-9"}) {
    expect_contains(error({"train.weights=absgd", std::string("train.absgd_lambda=") + lambda}),
                    {"train.absgd_lambda = ", "allowed: a finite number >= 1e-06 or <= -1e-06"});
  }
  expect_contains(error({"train.weights=absgd", "train.absgd_momentum=0"}), {"absgd_momentum = 0", "(0, 1]"});
  EXPECT_NO_THROW(parse_config("", "", {"train.weights=absgd", "train.absgd_lambda=-2", "train.absgd_momentum=1"}));
  EXPECT_NO_THROW(parse_config("", "", {"train.loss=focal", "train.focal_gamma=0", "train.weights=class_balanced"}));
}

TEST(ConfigErrors, OptimisersAndReplicas) {
  expect_contains(override_error("train.client_optimizer.milestones=[3, 3]"), {"milestones = 3", "ascending"});
  expect_contains(override_error("train.client_optimizer.milestones=[0]"), {"milestones = 0", "[1, "});
  expect_contains(override_error("train.client_optimizer.schedule=multistep"), {"milestones = []", "at least one"});
  expect_contains(override_error("train.client_optimizer={ nesterov = true, dampening = 0.5 }"), {"dampening = 0.5"});
  expect_contains(override_error("train.client_optimizer.beta1=1.0"), {"beta1 = 1.0", "[0, 1)"});
  expect_contains(override_error("train.client_optimizer.kind=adamm"), {"sgd, adam, adamw", "did you mean adam"});
  expect_contains(override_error("train.label_smoothing=1.5"), {"label_smoothing = 1.5", "[0, 1]"});
  expect_contains(override_error("train.round=-1"), {"train.round = -1: allowed"});
  expect_contains(override_error("model.client_norm=layer"), {"group, batch, none"});
  const auto tested = [](const char* client) {
    return parse_config("", "", {"train.mode=psl_local", "eval.replicas=one", std::string("eval.client=") + client});
  };
  EXPECT_THROW(tested("32"), InputError);
  EXPECT_NO_THROW(tested("31"));
}

}  // namespace
}  // namespace splitsim
