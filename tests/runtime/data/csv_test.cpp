// Data sets of CSV files: columns by name, labels and clients of either kind, and every mistake in one line.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "runtime/data/loaders.hpp"
#include "tests/runtime/data/data_files.hpp"

namespace splitsim {
namespace {

using namespace test;

struct Csv {
  TempDir dir;
  std::string train = "age,label,site,height\n30,0,b,1.5\n40,1,a,2\n50,2,b,-1e1\n",
              test = "label,height,age\n1,1.75,35\n0,1,45\n";  // without the site: it names no number
  std::string clients = "site", label = "label";

  Dataset load() const {
    spill(dir / "train.csv", train);
    spill(dir / "test.csv", test);
    DataSettings settings;
    settings.name = "csv";
    settings.dir = dir.path();
    settings.client_column = clients;
    settings.label_column = label;
    return load_dataset(settings, 1);
  }
};

/// A column as it was before it was normalised.
std::vector<float> column(const Dataset& set, const std::vector<std::uint8_t>& features, std::size_t d) {
  std::vector<float> values;
  const auto columns = static_cast<std::size_t>(set.channels);
  for (std::size_t i = d; i < features.size() / sizeof(float); i += columns) {
    values.push_back(std::round(1000 * (floats_of(features)[i] * set.std[d] + set.mean[d])) / 1000);
  }
  return values;
}

TEST(Csv, ColumnsGoByTheirNames) {
  Csv files;
  const Dataset set = files.load();
  EXPECT_EQ(set.kind, SampleKind::kRows);
  EXPECT_EQ((std::vector{set.channels, set.height, set.width, set.classes}), (std::vector{2, 1, 1, 3}));
  EXPECT_EQ(column(set, set.train_features, 0), (std::vector<float>{30, 40, 50}));
  EXPECT_EQ(column(set, set.train_features, 1), (std::vector<float>{1.5, 2, -10}));
  EXPECT_EQ(column(set, set.test_features, 0), (std::vector<float>{35, 45}));
  EXPECT_EQ(column(set, set.test_features, 1), (std::vector<float>{1.75, 1}));
  EXPECT_EQ(set.train_labels, (std::vector{0, 1, 2}));
  EXPECT_EQ(set.test_labels, (std::vector{1, 0}));
  EXPECT_EQ(set.train_clients, (std::vector{1, 0, 1}));
  EXPECT_EQ(set.natural_clients, 2);
}

TEST(Csv, QuotesBlanksByteOrderMarksAndOldLineEnds) {
  Csv files;
  files.clients = "";
  files.train = "age,label,height\n30,0,1.5\n40,1,2\n50,2,-10\n";
  const std::string right = files.load().features_sha256();
  files.train = "\xef\xbb\xbf\"age\" , label,\"height\"\r\n 30 ,\"0\",1.5\r\n\r\n40,1,\"2\"\r\n50,2,-10";
  EXPECT_EQ(files.load().features_sha256(), right);
  files.train = "age,label,height\r30,0,1.5\r40,1,2\r50,2,-10\r";
  EXPECT_EQ(files.load().features_sha256(), right);
}

TEST(Csv, LabelsAndClientsMayBeTexts) {
  Csv files;
  files.train = "x,label,site\n1,oak,10\n2,\"elm, red\",9\n3,oak,10\n";
  files.test = "x,label\n1,oak\n2,\"elm, red\"\n";
  const Dataset set = files.load();
  EXPECT_EQ(set.classes, 2);
  EXPECT_EQ(set.train_labels, (std::vector{1, 0, 1}));
  EXPECT_EQ(set.test_labels, (std::vector{1, 0}));
  EXPECT_EQ(set.train_clients, (std::vector{1, 0, 1})) << "9 is less than 10: numbers";
  files.train = "x,label,site\n1,oak,10\n2,\"elm, red\",9b\n3,oak,10\n";
  EXPECT_EQ(files.load().train_clients, (std::vector{0, 1, 0})) << "texts";
  files.label = "site";
  files.test = "x,site\n1,10\n";
  files.clients = "";
  files.train = "x,site\n1,10\n2,-1\n";
  EXPECT_EQ(files.load().classes, 2) << "-1 is no class, but a text is";
}

TEST(Csv, Mistakes) {
  const auto refused = [](const Csv& files, const auto&... parts) {
    expect_input_error([&] { files.load(); }, parts...);
  };
  const auto train = [&](const std::string& text, const auto&... parts) {
    Csv files;
    files.clients = "";
    files.train = text;
    refused(files, "train.csv", parts...);
  };
  train("", "is empty");
  train("age,label,height\n", "has no samples");
  train("age,label,height,age\n1,1,1,1\n", ":1:", "\"age\" twice");
  train("age,height\n1,2\n", ":1:", "no column \"label\"", "data.label_column");
  train("label\n1\n", ":1:", "no columns of numbers");
  train("age,label,height\n1,1,1\n1,1\n", ":3:", "2 cells; allowed: 3");
  train("age,label,height\n1,1,1\n1,1,1,1\n", ":3:", "4 cells");
  train("age,label,height\n1,1,tall\n", ":2:", "height = \"tall\"", "finite");
  train("age,label,height\n1,1,\n", ":2:", "height = \"\"");
  train("age,label,height\n1,1,nan\n", ":2:", "height = \"nan\"");
  train("age,label,height\n1,1,1e50\n", ":2:", "height = \"1e50\"");
  train("age,label,height\n1,,1\n", ":2:", "label = \"\"", "a class");
  train("age,label,height\n1,1,\"1\n", ":2:", "a quote is not closed");
  train("age,label,height\n1,2000000,1\n", "label 2000000 is out of range");
  train(std::string("age,label\0,height\n", 18), "NUL");
  const auto changed = [&](auto change, const auto&... parts) {
    Csv files;
    change(files);
    refused(files, parts...);
  };
  changed([](Csv& f) { f.test = "age,label\n1,1\n"; }, "test.csv:1", "no column \"height\"", "training file");
  changed([](Csv& f) { f.test = "age,label,height,more\n1,1,1,1\n"; }, "test.csv:1", "\"more\"", "lacks");
  changed([](Csv& f) { f.clients = "region"; }, "train.csv:1", "no column \"region\"", "data.client_column");
  changed([](Csv& f) { f.clients = "label"; }, "data.client_column = \"label\"");
  changed(
      [](Csv& f) {
        f.clients = "";
        f.train = "age,label,height\n1,oak,1\n";
        f.test = "age,label,height\n1,elm,1\n";
      },
      "test.csv", "label \"elm\"", "class of the training file");
  Csv files;
  files.load();
  std::filesystem::remove(files.dir / "test.csv");
  DataSettings settings;
  settings.name = "csv";
  settings.dir = files.dir.path();
  expect_input_error([&] { load_dataset(settings, 1); }, "'test.csv' is missing", "needs train.csv and test.csv");
}

}  // namespace
}  // namespace splitsim
