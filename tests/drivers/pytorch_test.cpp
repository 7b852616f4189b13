// A run's weights in PyTorch give the accuracy that the run reports: docs/load_in_pytorch.py, on Fashion-MNIST.
// $SPLITSIM_PYTHON names an interpreter with torch, numpy and safetensors (default: python3).
#include "tests/contexts.hpp"
#include "tests/drivers/process.hpp"

namespace splitsim {
namespace {

class Pytorch : public test::CommandLine {};

TEST_F(Pytorch, LoadsRunsAndFindsTheirAccuracy) {
  const char* named = std::getenv("SPLITSIM_PYTHON");
  const std::string python = named != nullptr ? named : "python3";
  if (std::system((python + " -c 'import torch, numpy, safetensors' 2>/dev/null").c_str()) != 0) {
    GTEST_SKIP() << python << " has no torch, numpy and safetensors (SPLITSIM_PYTHON names one that has)";
  }
  const std::string data = test::data_dir() + "/fashion-mnist";
  if (!std::filesystem::exists(data)) GTEST_SKIP() << "no Fashion-MNIST";
  for (const char* mode : {"psl", "sflv1"}) {
    const std::string run = in_folder(mode);
    const Result trained = execute(
        "splitsim-run", {"--device", "cpu", "--set", "data.name=fashion_mnist", "--set", "data.dir=" + data, "--set",
                         "partition.kind=iid", "--set", "partition.clients=4", "--set", "train.epochs=1", "--set",
                         std::string("train.mode=") + mode, "--out", run});
    ASSERT_EQ(trained.exit_code, 0) << trained.err;
    const std::string script = std::string(SPLITSIM_SOURCE_DIR) + "/docs/load_in_pytorch.py";
    ASSERT_EQ(std::system((python + " '" + script + "' '" + run + "' '" + data + "' >'" + in_folder("said") + "'").c_str()),
              0);
    double right = 0.0, images = 0.0, accuracy = 0.0, reported = 0.0;
    std::ifstream(in_folder("said")) >> right >> images >> accuracy >> reported;
    EXPECT_EQ(images, 10000.0);
    EXPECT_GT(reported, 0.5) << mode;
    EXPECT_NEAR(accuracy, reported, 3.0 / images) << mode;  // logits that tie within rounding
  }
}

}  // namespace
}  // namespace splitsim
