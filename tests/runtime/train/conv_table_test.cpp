// Tables of measured convolutions: what is written is read, the faster one is taken, and the engine does as it says.
#include "runtime/train/conv_table.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "kernels/nn/layers/conv/cudnn.hpp"
#include "tests/contexts.hpp"
#include "tests/runtime/train/engine_rig.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

const ConvShape kShape{3, 8, 9, 5, {3, 1}, {1, 2}, {1, 0}, 1, Layout::kChannelsLast, Precision::kTf32};

ConvTable table() {
  MeasuredConv few{kShape, 16, {1.0, 2.0, 3.0}, {2.0, 1.0, 3.0}}, many{kShape, 128, {9.0, 9.0, 9.0}, {1.0, {}, 10.5}};
  return {"a card", {few, many}};
}

TEST(ConvTable, TheFasterOneOfTheNearestNumberOfSlots) {
  const ConvChoices choices = choices_of(table());
  EXPECT_FALSE(choices.cudnn(kShape, 16, ConvPass::kForward));
  EXPECT_TRUE(choices.cudnn(kShape, 16, ConvPass::kInputGradient));
  EXPECT_TRUE(choices.cudnn(kShape, 16, ConvPass::kWeightGradient));  // as fast
  EXPECT_TRUE(choices.cudnn(kShape, 100, ConvPass::kForward));
  EXPECT_FALSE(choices.cudnn(kShape, 100, ConvPass::kWeightGradient));
  EXPECT_TRUE(choices.cudnn(kShape, 1, ConvPass::kWeightGradient));
  EXPECT_TRUE(choices.cudnn(kShape, 1 << 20, ConvPass::kInputGradient));  // the library was measured for few only
  ConvShape other = kShape;
  other.precision = Precision::kFp32;
  EXPECT_TRUE(choices.cudnn(other, 16, ConvPass::kForward));  // nothing is known
}

TEST(ConvTable, IsReadAsItWasWritten) {
  const test::TempDir dir;
  const std::string path = dir.path() + "/table.json";
  write_conv_table(path, table());
  const ConvTable read = read_conv_table(path);
  EXPECT_EQ(read.device, "a card");
  ASSERT_EQ(read.rows.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    const MeasuredConv expected = table().rows[i];
    EXPECT_EQ(read.rows[i].shape, expected.shape);
    EXPECT_EQ(read.rows[i].slots, expected.slots);
    EXPECT_EQ(read.rows[i].own_us, expected.own_us);
    EXPECT_EQ(read.rows[i].cudnn_us, expected.cudnn_us);
  }
}

TEST(ConvTable, WhatIsNoTableIsOneLine) {
  const test::TempDir dir;
  const std::string path = dir.path() + "/table.json";
  write_conv_table(path, table());
  const std::string good = test::slurp(path);
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  for (const std::string& bad :
       {std::string(), std::string("[]"), good.substr(0, good.size() / 2), with("\"slots\": 16", "\"slots\": 0"),
        with("\"slots\": 16", "\"slots\": 1.5"), with("tf32", "tf64"), with("\"own\": 1.0", "\"own\": -1.0"),
        with("\"own\": 1.0", "\"own\": \"1\""), with("\"groups\"", "\"group\"")}) {
    test::spill(path, bad);
    EXPECT_THROW(read_conv_table(path), InputError) << bad;
  }
  EXPECT_THROW(read_conv_table(dir.path() + "/none.json"), InputError);
}

TEST(ConvTable, HasEveryConvolutionOfANetworkOnce) {
  test::RigInput in;
  in.model = "resnet18";
  in.cut = "layer1";
  in.width = 8;
  in.input = {3, 32, 32};
  const auto shapes = convolutions_of(test::network_of(in), Precision::kBf16);
  // The stem; per stage the 3x3 within it, and from stage 2 on the one that halves and the pointwise one beside it.
  EXPECT_EQ(shapes.size(), 1u + 1u + 3u * 3u);
  for (const ConvShape& shape : shapes) EXPECT_EQ(shape.precision, Precision::kBf16);
}

#if SPLITSIM_WITH_CUDA
TEST(ConvTableCuda, TheEngineDoesAsItSays) {
  if (!cuda_available()) GTEST_SKIP() << "no GPU";
  if (cudnn_version().empty()) GTEST_SKIP() << "no cuDNN";
  const test::RigInput in = test::random_input(2, 3, 12, 71);
  std::vector<std::vector<float>> client;
  ConvChoices all_ours;
  ConvChoices forward_ours;
  for (const ConvShape& shape : convolutions_of(test::network_of(in), Precision::kFp32)) {
    for (const ConvPass pass : {ConvPass::kForward, ConvPass::kInputGradient, ConvPass::kWeightGradient}) {
      all_ours.set(shape, 12, pass, false);
      forward_ours.set(shape, 12, pass, pass != ConvPass::kForward);
    }
  }
  for (const ConvChoices& choices : {ConvChoices(), all_ours, forward_ours}) {
    CudaContext ctx;
    choose_convolutions(ctx, choices);
    client.push_back(test::after_two_epochs(ctx, in).parameters[0]);
  }
  for (std::size_t i = 1; i < 3; ++i) {
    EXPECT_NE(client[0], client[i]);  // other products, other roundings
    for (std::size_t p = 0; p < client[0].size(); ++p) ASSERT_NEAR(client[0][p], client[i][p], 1e-5);
  }
  EXPECT_NE(client[1], client[2]);
}
#endif

}  // namespace
}  // namespace splitsim
