// Samples that are not pixels: how arrays become windows, rows and tokens, and what becomes of them before learning.
#include <gtest/gtest.h>
#include <zip.h>

#include <cmath>
#include <filesystem>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "base/npy.hpp"
#include "runtime/data/loaders.hpp"
#include "runtime/data/noise.hpp"
#include "runtime/data/validation.hpp"
#include "tests/runtime/data/data_files.hpp"

namespace splitsim {
namespace {

using namespace test;

Dataset load_as(const TempDir& dir, ReadAs what, const char* name = "npy") {
  DataSettings settings;
  settings.name = name;
  settings.dir = dir.path();
  settings.read_as = what;
  return load_dataset(settings, 1);
}

std::vector<float> floats(const std::vector<std::uint8_t>& features) {
  return {floats_of(features), floats_of(features) + features.size() / sizeof(float)};
}

std::vector<double> reals(std::size_t count, unsigned seed) {
  std::mt19937 bits(seed);
  std::normal_distribution<double> normal(3.0, 7.0);
  std::vector<double> values(count);
  for (double& v : values) v = normal(bits);
  return values;
}

/// Four training and two test samples of 2 x 5 numbers.
struct Windows {
  TempDir dir;
  std::vector<double> train = reals(40, 1), test = reals(20, 2);
  explicit Windows(std::vector<std::int64_t> sample = {2, 5}) {
    write("x", 4, sample, train);
    write("x_test", 2, sample, test);
    write_npy<std::uint8_t>(dir / "y.npy", {{4}, {0, 1, 0, 1}});
    write_npy<std::uint8_t>(dir / "y_test.npy", {{2}, {1, 0}});
  }
  void write(const std::string& name, std::int64_t count, std::vector<std::int64_t> shape,
             const std::vector<double>& values) const {
    shape.insert(shape.begin(), count);
    write_npy<double>(dir / (name + ".npy"), {shape, values});
  }
};

/// The numbers per channel less their mean, in units of their deviation over the training set, by another route.
std::vector<double> normalised(const std::vector<double>& values, const std::vector<double>& train, std::size_t channels,
                               std::size_t plane) {
  std::vector<double> result(values.size());
  for (std::size_t c = 0; c < channels; ++c) {
    std::vector<double> mine;
    for (std::size_t i = 0; i < train.size(); ++i) {
      if (i / plane % channels == c) mine.push_back(train[i]);
    }
    const double n = static_cast<double>(mine.size());
    const double mean = std::accumulate(mine.begin(), mine.end(), 0.0) / n;
    const double squares = std::inner_product(mine.begin(), mine.end(), mine.begin(), 0.0);
    const double deviation = std::sqrt(squares / n - mean * mean);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i / plane % channels == c) result[i] = (values[i] - mean) / deviation;
    }
  }
  return result;
}

void expect_near(const std::vector<float>& found, const std::vector<double>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], expected[i], 1e-5) << i;  // values below 8
}

TEST(Features, WindowsAreNormalisedByChannelOverTheTrainingSet) {
  const Windows data;
  const Dataset set = load_as(data.dir, ReadAs::kWindows);
  EXPECT_EQ(set.kind, SampleKind::kWindows);
  EXPECT_EQ(set.type, FeatureType::kFloat32);
  EXPECT_EQ((std::vector{set.channels, set.height, set.width, set.vocabulary}), (std::vector{2, 1, 5, 0}));
  EXPECT_EQ(set.sample_bytes(), 40);
  EXPECT_EQ(set.mean.size(), 2u);
  expect_near(floats(set.train_features), normalised(data.train, data.train, 2, 5));
  expect_near(floats(set.test_features), normalised(data.test, data.train, 2, 5));
}

TEST(Features, RowsAreNormalisedByColumnAndConstantOnesBecomeZero) {
  Windows data({10});
  for (std::size_t i = 0; i < data.train.size(); i += 10) data.train[i] = 0.1;
  data.write("x", 4, {10}, data.train);
  const Dataset set = load_as(data.dir, ReadAs::kAuto);  // real numbers with two axes
  EXPECT_EQ(set.kind, SampleKind::kRows);
  EXPECT_EQ((std::vector{set.channels, set.height, set.width}), (std::vector{10, 1, 1}));
  std::vector<double> expected = normalised(data.train, data.train, 10, 1);
  for (std::size_t i = 0; i < expected.size(); i += 10) expected[i] = 0.0;
  expect_near(floats(set.train_features), expected);
  EXPECT_EQ(set.mean[0], 0.1f);
  EXPECT_EQ(set.std[0], 1.0f);
  write_npy<std::int64_t>(data.dir / "x.npy", {{4, 2}, {1, 2, 3, 4, 5, 6, 7, 8}});  // whole numbers, too
  write_npy<std::int64_t>(data.dir / "x_test.npy", {{2, 2}, {4, 5, 4, 5}});
  const Dataset whole = load_as(data.dir, ReadAs::kRows);
  expect_near(floats(whole.test_features), {0.0, 0.0, 0.0, 0.0});
}

TEST(Features, FloatImagesKeepTheirNumbers) {
  Windows data({5, 2, 1});
  const Dataset set = load_as(data.dir, ReadAs::kFloatImages);
  EXPECT_EQ(set.kind, SampleKind::kImages);
  EXPECT_EQ((std::vector{set.channels, set.height, set.width}), (std::vector{1, 5, 2}));
  expect_near(floats(set.train_features), normalised(data.train, data.train, 1, 10));
  std::vector<double> train(4 * 6 * 3), planes(4 * 6 * 3);  // channels last in the file, first here
  const std::vector<double> values = reals(train.size(), 3);
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t p = 0; p < 6; ++p) {
      for (std::size_t c = 0; c < 3; ++c) {
        train[(i * 6 + p) * 3 + c] = values[(i * 3 + c) * 6 + p];
      }
    }
  }
  data.write("x", 4, {2, 3, 3}, train);
  data.write("x_test", 2, {2, 3, 3}, {train.begin(), train.begin() + 36});
  const Dataset colour = load_as(data.dir, ReadAs::kFloatImages);
  expect_near(floats(colour.train_features), normalised(values, values, 3, 6));
}

TEST(Features, TokensStayAsTheyAre) {
  const Windows data;
  write_npy<std::int32_t>(data.dir / "x.npy", {{4, 3}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}});
  write_npy<std::int64_t>(data.dir / "x_test.npy", {{2, 3}, {0, 0, 41, 1, 1, 1}});
  const Dataset set = load_as(data.dir, ReadAs::kTokens);
  EXPECT_EQ(set.kind, SampleKind::kTokens);
  EXPECT_EQ((std::vector{set.channels, set.height, set.width}), (std::vector{1, 1, 3}));
  EXPECT_EQ(set.vocabulary, 42) << "those of the test part count, too";
  EXPECT_EQ(floats(set.train_features), (std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
  EXPECT_EQ(floats(set.test_features), (std::vector<float>{0, 0, 41, 1, 1, 1}));
  EXPECT_EQ(set.mean, std::vector<float>{0.0f});
  EXPECT_EQ(set.std, std::vector<float>{1.0f});
}

TEST(Features, ClientsAreNumberedInTheirOrderAndGoWithTheirSamples) {
  const Windows data;
  write_npy<std::int64_t>(data.dir / "client.npy", {{4}, {900, -3, 900, 12}});
  DataSettings settings;
  settings.name = "npy";
  settings.dir = data.dir.path();
  settings.read_as = ReadAs::kWindows;
  const Dataset set = load_dataset(settings, 1);
  EXPECT_EQ(set.train_clients, (std::vector{2, 0, 2, 1}));
  EXPECT_EQ(set.natural_clients, 3);
  settings.validation = 0.5;  // one sample of each class
  const Dataset split = load_dataset(settings, 1);
  ASSERT_EQ(split.train_clients.size(), 2u);
  EXPECT_EQ(split.validation_features.size(), 2u * 40);
  for (std::size_t i = 0; i < 2; ++i) {  // every value is there once, so the first tells whose a sample is
    const auto ratio = [&](const Dataset& of, std::size_t s) {
      return floats(of.train_features)[s * 10 + 1] - floats(of.train_features)[s * 10];
    };
    std::size_t from = 0;
    while (from < 4 && std::abs(ratio(set, from) * set.std[0] - ratio(split, i) * split.std[0]) > 1e-4) ++from;
    ASSERT_LT(from, 4u);
    EXPECT_EQ(split.train_clients[i], set.train_clients[from]);
    EXPECT_EQ(split.train_labels[i], set.train_labels[from]);
  }
  write_npy<std::int64_t>(data.dir / "client.npy", {{3}, {1, 2, 3}});
  expect_input_error([&] { load_as(data.dir, ReadAs::kWindows); }, "client.npy", "(3,)", "(4,)");
}

TEST(Features, HashesTellTypesApart) {
  const Windows data;
  const Dataset set = load_as(data.dir, ReadAs::kWindows);
  Dataset other = set;
  EXPECT_EQ(other.features_sha256(), set.features_sha256());
  floats_of(other.test_features)[3] += 1.0f;
  EXPECT_NE(other.features_sha256(), set.features_sha256());
  other = set;
  other.type = FeatureType::kUint8;
  EXPECT_NE(other.features_sha256(), set.features_sha256());
}

// ---- archives ----

void write_npz(const TempDir& dir, const std::vector<std::string>& names, bool deflate) {
  int code = 0;
  zip_t* archive = zip_open((dir / "data.npz").c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
  ASSERT_NE(archive, nullptr);
  std::vector<std::string> contents;
  for (const std::string& name : names) contents.push_back(slurp(dir / (name + ".npy")));
  for (std::size_t i = 0; i < names.size(); ++i) {
    zip_source_t* source = zip_source_buffer(archive, contents[i].data(), contents[i].size(), 0);
    const zip_int64_t at = zip_file_add(archive, (names[i] + ".npy").c_str(), source, 0);
    ASSERT_GE(at, 0);
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(at), deflate ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0);
  }
  ASSERT_EQ(zip_close(archive), 0);
}

TEST(Npz, HoldsWhatFourFilesHold) {
  const Windows data;
  write_npy<std::int64_t>(data.dir / "client.npy", {{4}, {9, 8, 9, 8}});
  const Dataset right = load_as(data.dir, ReadAs::kWindows);
  for (const bool deflate : {false, true}) {
    write_npz(data.dir, {"x", "y", "x_test", "y_test", "client"}, deflate);
    const Dataset set = load_as(data.dir, ReadAs::kWindows, "npz");
    EXPECT_EQ(set.features_sha256(), right.features_sha256());
    EXPECT_EQ(set.labels_sha256(), right.labels_sha256());
    EXPECT_EQ(set.train_clients, right.train_clients);
  }
}

TEST(Npz, Mistakes) {
  const Windows data;
  const auto refused = [&](const auto&... parts) {
    expect_input_error([&] { load_as(data.dir, ReadAs::kWindows, "npz"); }, parts...);
  };
  refused("data.dir", "'data.npz' is missing", "x_test");
  spill(data.dir / "data.npz", "nonsense");
  refused("data.npz", "ZIP");
  write_npz(data.dir, {"x", "y", "y_test"}, true);
  refused("data.npz", "has no array x_test");
  write_npz(data.dir, {"x", "y", "x_test", "y_test"}, true);
  std::string bytes = slurp(data.dir / "data.npz");
  for (std::size_t i = 60; i < 100; ++i) bytes[i] = static_cast<char>(bytes[i] ^ 0x55);  // within x
  spill(data.dir / "data.npz", bytes);
  refused("data.npz", "x.npy is damaged");
  write_npy<std::uint8_t>(data.dir / "y.npy", {{3}, {0, 1, 0}});
  write_npz(data.dir, {"x", "y", "x_test", "y_test"}, false);
  refused("data.npz: y' has the shape (3,)", "4 samples");
}

// ---- mistakes ----

TEST(Features, WrongShapesTypesAndNumbersAreNamed) {
  const Windows data;
  const auto refused = [&](ReadAs what, const auto&... parts) {
    expect_input_error([&] { load_as(data.dir, what); }, "x.npy", parts...);
  };
  refused(ReadAs::kImages, "entry", "float_images");
  refused(ReadAs::kRows, "(4, 2, 5)", "[N, D], with data.read_as = \"rows\"");
  refused(ReadAs::kTokens, "(4, 2, 5)", "[N, L]");
  data.write("x", 4, {10}, data.train);
  refused(ReadAs::kWindows, "(4, 10)", "[N, C, L]");
  refused(ReadAs::kImages, "(4, 10)", "[N, H, W]", "data.read_as");
  refused(ReadAs::kTokens, "'<f8'", "integers");
  std::vector<double> broken = data.train;
  broken[7] = std::nan("");
  data.write("x", 4, {10}, broken);
  refused(ReadAs::kRows, "entry 7 is nan", "finite");
  broken[7] = 1e39;  // no float32
  data.write("x", 4, {10}, broken);
  refused(ReadAs::kRows, "entry 7 is 1e+39", "finite");
  write_npy<std::int32_t>(data.dir / "x.npy", {{4, 2}, {0, 1, 2, 3, 4, 5, 6, -1}});
  refused(ReadAs::kTokens, "entry 7 is -1", "tokens");
  refused(ReadAs::kAuto, "(4, 2)", "data.read_as");  // rows or tokens? That is for the user to say.
  write_npy<std::int32_t>(data.dir / "x.npy", {{4, 2}, {0, 1, 2, 3, 4, 5, 6, 1 << 24}});
  refused(ReadAs::kTokens, "entry 7 is 16777216");
  data.write("x", 4, {0}, {});
  refused(ReadAs::kRows, "(4, 0)");
  data.write("x", 4, {10}, data.train);
  data.write("x_test", 4, {5}, data.test);
  expect_input_error([&] { load_as(data.dir, ReadAs::kRows); }, "x_test.npy", "1 x 1 x 5", "1 x 1 x 10");
}

TEST(Features, OnlyImagesAreAugmented) {
  const Windows data;
  DataSettings settings;
  settings.name = "npy";
  settings.dir = data.dir.path();
  settings.read_as = ReadAs::kWindows;
  settings.crop_pad = 2;
  expect_input_error([&] { load_dataset(settings, 1); }, "data.augment.crop_pad = 2", "windows", "allowed: 0");
  settings.crop_pad = 0;
  settings.flip = true;
  expect_input_error([&] { load_dataset(settings, 1); }, "data.augment.flip = true", "windows", "allowed: false");
}

// ---- noise ----

TEST(Features, NoiseIsInUnitsOfTheDeviation) {
  Dataset clean;
  clean.name = "rows";
  clean.kind = SampleKind::kRows;
  clean.type = FeatureType::kFloat32;
  clean.channels = 50;
  clean.height = clean.width = 1;
  clean.classes = 2;
  constexpr std::size_t kSamples = 400;
  clean.train_features = bytes_of(std::vector<float>(kSamples * 50, 0.5f));
  clean.train_labels.assign(kSamples, 0);
  std::vector<std::int32_t> owner(kSamples);
  for (std::size_t s = 0; s < kSamples; ++s) owner[s] = static_cast<std::int32_t>(s % 4);
  PartitionSettings settings;
  settings.pixel_noise = 0.2;
  Dataset noisy = clean;
  add_noise(noisy, owner, settings, 5);
  const std::vector<float> values = floats(noisy.train_features);
  double sum = 0.0, squares = 0.0;
  const double n = static_cast<double>(values.size());
  for (const float v : values) {
    sum += v - 0.5;
    squares += (v - 0.5) * (v - 0.5);
  }
  EXPECT_NEAR(sum / n, 0.0, 6 * 0.2 / std::sqrt(n));
  EXPECT_NEAR(squares / n, 0.04, 6 * 0.04 * std::sqrt(2.0 / n));

  settings = {};
  settings.contrast_sd = 0.3;
  settings.brightness_sd = 0.4;
  Dataset shifted = clean;
  add_noise(shifted, owner, settings, 5);
  const std::vector<float> now = floats(shifted.train_features);
  for (std::size_t i = 0; i < now.size(); ++i) ASSERT_EQ(now[i], now[i / 50 % 4 * 50]) << "a client's are alike";
  EXPECT_NE(now[0], now[50]);

  settings = {};
  settings.rotation = Rotation::kHalf;
  expect_input_error([&] { add_noise(noisy, owner, settings, 1); }, "partition.rotation = \"half\"", "rows", "\"none\"");
  noisy.kind = SampleKind::kTokens;
  settings = {};
  settings.brightness_sd = 0.1;
  expect_input_error([&] { add_noise(noisy, owner, settings, 1); }, "partition.brightness_sd = 0.1", "tokens");
}

TEST(Features, EveryClientTurnsItsPicturesInItsOwnWay) {
  constexpr std::int32_t kClients = 400;
  Dataset clean;
  clean.name = "squares";
  clean.channels = 2;
  clean.height = clean.width = 3;
  clean.classes = 2;
  for (int s = 0; s < 2 * kClients; ++s) {
    for (int i = 0; i < 18; ++i) clean.train_features.push_back(static_cast<std::uint8_t>(10 * (s % 7) + i));
  }
  clean.train_labels.assign(2 * kClients, 0);
  std::vector<std::int32_t> owner;
  for (std::int32_t s = 0; s < 2 * kClients; ++s) owner.push_back(s % kClients);
  // The first plane, 0 1 2 / 3 4 5 / 6 7 8, turned left by quarters.
  const std::vector<std::vector<int>> turned = {
      {0, 1, 2, 3, 4, 5, 6, 7, 8}, {2, 5, 8, 1, 4, 7, 0, 3, 6}, {8, 7, 6, 5, 4, 3, 2, 1, 0}, {6, 3, 0, 7, 4, 1, 8, 5, 2}};
  for (const Rotation rotation : {Rotation::kHalf, Rotation::kQuarter}) {
    PartitionSettings settings;
    settings.rotation = rotation;
    Dataset noisy = clean;
    add_noise(noisy, owner, settings, 3);
    std::vector<int> count(4), of_client(kClients, -1);
    for (std::size_t s = 0; s < owner.size(); ++s) {
      const std::uint8_t* image = noisy.train_features.data() + s * 18;
      const int base = 10 * (static_cast<int>(s) % 7);
      int found = -1;
      for (int q = 0; q < 4; ++q) {
        bool same = true;
        for (std::size_t i = 0; i < 18; ++i) {
          same = same && image[i] == base + static_cast<int>(i / 9) * 9 + turned[static_cast<std::size_t>(q)][i % 9];
        }
        if (same) found = q;
      }
      ASSERT_GE(found, 0) << s;
      int& own = of_client[static_cast<std::size_t>(owner[s])];
      if (own < 0) ++count[static_cast<std::size_t>(found)];
      if (own >= 0) {
        ASSERT_EQ(found, own);
      }
      own = found;
    }
    const bool half = rotation == Rotation::kHalf;
    for (std::size_t q = 0; q < 4; ++q) {  // six deviations of a binomial count, the seed fixed
      const double share = half ? (q % 2 == 0 ? 0.5 : 0.0) : 0.25;
      EXPECT_NEAR(count[q], kClients * share, 6 * std::sqrt(kClients * share * (1 - share))) << q;
    }
  }
  clean.height = 2;
  clean.width = 9;
  clean.channels = 1;
  PartitionSettings settings;
  settings.rotation = Rotation::kQuarter;
  expect_input_error([&] { add_noise(clean, owner, settings, 1); }, "partition.rotation = \"quarter\"", "2 x 9");
}

}  // namespace
}  // namespace splitsim
