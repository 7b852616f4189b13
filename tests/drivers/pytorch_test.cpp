// Models go to PyTorch and come from torchvision, and compute there what they compute here (docs/pytorch.md).
// $SPLITSIM_PYTHON names an interpreter with torch, torchvision, numpy and safetensors (default: python3).
#include "kernels/device/philox.hpp"
#include "tests/contexts.hpp"
#include "tests/drivers/tiny_run.hpp"
#include "tests/paths.hpp"

namespace splitsim {
namespace {

namespace fs = std::filesystem;

constexpr double kRounding = 5e-5;  // of losses about 1, through up to 34 layers; two layers swapped are 50 times that

class Pytorch : public test::TinyRun {
 protected:
  void SetUp() override {
    test::TinyRun::SetUp();
    const char* named = std::getenv("SPLITSIM_PYTHON");
    // One thread, as for the runs; no compiled files beside the scripts.
    python_ = std::string("OMP_NUM_THREADS=1 '") + (named != nullptr ? named : "python3") + "' -B ";
    if (std::system((python_ + "-c 'import torch, torchvision, numpy, safetensors' 2>/dev/null").c_str()) != 0) {
      GTEST_SKIP() << "no torch, torchvision, numpy, safetensors: SPLITSIM_PYTHON names an interpreter that has them";
    }
  }

  // The numbers that a script prints.
  std::vector<double> numbers(const std::string& script, const std::vector<std::string>& arguments) {
    std::string command = python_ + "'" + test::kSourceDir + "/" + script + "'";
    for (const std::string& argument : arguments) command += " '" + argument + "'";
    EXPECT_EQ(std::system((command + " >'" + in_folder("said") + "'").c_str()), 0) << command;
    std::ifstream said(in_folder("said"));
    return {std::istream_iterator<double>(said), {}};
  }

  // 32 + 64 images [32, 32, 3] of four classes: a quarter of the image is brighter in one channel.
  std::string colour_data() {
    const std::string dir = in_folder("colours");
    fs::create_directories(dir);
    for (const auto& [suffix, count] : {std::pair<std::string, std::int64_t>{"", 32}, {"_test", 64}}) {
      NpyArray<std::uint8_t> x{{count, 32, 32, 3}, {}};
      NpyArray<std::int32_t> y{{count}, {}};
      for (std::int64_t at = 0; at < count * 32 * 32 * 3; ++at) {
        const std::int64_t channel = at % 3, column = at / 3 % 32, row = at / 96 % 32, label = at / 3072 % 4;
        const bool bright = row / 16 * 2 + column / 16 == label && channel == label % 3;
        const std::uint32_t noise = random_bits(7, {Purpose::kTest, static_cast<std::uint32_t>(at + count)}).x;
        x.values.push_back(static_cast<std::uint8_t>(noise % 190 + (bright ? 60 : 0)));
        if (at % 3072 == 0) y.values.push_back(static_cast<std::int32_t>(label));
      }
      write_npy(dir + "/x" + suffix + ".npy", x);
      write_npy(dir + "/y" + suffix + ".npy", y);
    }
    return dir;
  }

  // One epoch with these settings; the run directory.
  std::string trained(const std::string& name, const std::vector<std::string>& settings) {
    std::vector<std::string> arguments = {"--device", "cpu", "--out", in_folder(name)};
    for (const char* text : {"partition.kind=iid", "partition.clients=4", "train.epochs=1"}) {
      arguments.insert(arguments.end(), {"--set", text});
    }
    for (const std::string& text : settings) arguments.insert(arguments.end(), {"--set", text});
    const Result result = execute("splitsim-run", arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return in_folder(name);
  }

  void expect_pytorch_agrees(const std::string& run, const std::string& data) {
    const std::vector<double> said = numbers("docs/test_in_pytorch.py", {run, data});
    ASSERT_EQ(said.size(), 6u) << run;
    EXPECT_NEAR(said[2], said[3], 3.0 / said[1]) << run;  // logits that tie within rounding
    EXPECT_NEAR(said[4], said[5], kRounding) << run;
    EXPECT_EQ(said[3], summary_of(run)["test_accuracy"]);
  }

  std::string python_;
};

TEST_F(Pytorch, TestsRunsAsTheyReport) {
  const std::string fashion = test::data_dir() + "/fashion-mnist", cifar = test::data_dir() + "/cifar10-subset";
  if (!fs::exists(fashion) || !fs::exists(cifar)) GTEST_SKIP() << "no Fashion-MNIST, no CIFAR-10";
  for (const char* mode : {"psl", "sflv1"}) {
    const std::string run =
        trained(mode, {"data.name=fashion_mnist", "data.dir=" + fashion, std::string("train.mode=") + mode});
    expect_pytorch_agrees(run, fashion);
    EXPECT_GT(summary_of(run)["test_accuracy"], 0.5) << mode;
  }
  const std::string run = trained(
      "cnn", {"data.name=cifar10", "data.dir=" + cifar, "model.name=cnn", "model.width=16", "model.client_norm=batch"});
  expect_pytorch_agrees(run, cifar);
  EXPECT_GT(summary_of(run)["test_accuracy"], 0.3);
}

// Norms of every kind on either side, replicas with running statistics, other widths.
TEST_F(Pytorch, LoadsEveryModel) {
  const std::string data = colour_data();
  const std::vector<std::vector<std::string>> models = {
      {"mlp", "fc1", "model.init=torch"},
      {"cnn", "pool1", "model.client_norm=batch", "model.server_norm=batch", "train.mode=sflv1"},
      {"vgg11", "pool1", "model.client_norm=none", "model.server_norm=batch", "model.width=8"},
      {"resnet18", "layer1", "model.client_norm=batch", "train.mode=psl_local", "model.width=8"},
      {"resnet18_imagenet", "pool1", "model.client_norm=none", "model.server_norm=none", "model.width=8"},
      {"vit", "block1", "model.width=16", "train.mode=psl_local"},
      {"resnet34", "layer2", "model.client_norm=batch", "model.server_norm=batch", "model.width=8"}};
  for (const std::vector<std::string>& model : models) {
    std::vector<std::string> settings = {"data.name=npy", "data.dir=" + data, "sampler.batch=16",
                                         "model.name=" + model[0], "model.cut=" + model[1]};
    settings.insert(settings.end(), model.begin() + 2, model.end());
    expect_pytorch_agrees(trained(model[0], settings), data);
  }
}

// One step at a rate of 0 moves the running statistics only, there and here.
TEST_F(Pytorch, TorchvisionsWeightsComputeTheSame) {
  const std::string data = colour_data(), file = in_folder("torchvision.safetensors");
  const std::vector<std::pair<std::string, std::string>> models = {
      {"resnet18", "batch"}, {"resnet34_imagenet", "batch"}, {"vgg11_bn", "batch"}, {"vgg11", "none"}};
  for (const auto& [name, norm] : models) {
    const std::vector<double> said = numbers("tests/drivers/torchvision_model.py", {name, data, file});
    ASSERT_EQ(said.size(), 4u) << name;
    const bool resnet = name.starts_with("resnet");
    const std::string run = trained(
        name, {"data.name=npy", "data.dir=" + data, "sampler.batch=32", "model.name=" + (resnet ? name : "vgg11"),
               std::string("model.cut=") + (resnet ? "layer1" : "pool2"), "model.client_norm=" + norm,
               "model.server_norm=" + norm, norm == "batch" ? "model.client_norm_statistics=pooled" : "seed=1",
               "model.init=file", "model.file=" + file, "train.client_optimizer.lr=0", "train.server_optimizer.lr=0"});
    const nlohmann::json summary = summary_of(run);
    const nlohmann::json epoch = nlohmann::json::parse(test::slurp(run + "/epochs.jsonl"));
    EXPECT_NEAR(epoch["train_loss"].get<double>(), said[0], kRounding) << name;
    EXPECT_NEAR(summary["test_accuracy"].get<double>(), said[1] / said[2], 1.5 / said[2]) << name;
    EXPECT_NEAR(summary["test_loss"].get<double>(), said[3], kRounding) << name;
    if (resnet) expect_pytorch_agrees(run, data);
  }
}

}  // namespace
}  // namespace splitsim
