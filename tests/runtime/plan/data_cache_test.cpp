// Data sets that runs share: what comes out of the cache is what went in, and what is damaged is as if it were not there.
#include "runtime/plan/data_cache.hpp"

#include "tests/runtime/data/data_files.hpp"

namespace splitsim {
namespace {

using test::TempDir;

/// A small MNIST in `dir`.
DataSettings small_mnist(const TempDir& dir) {
  test::spill(dir / "train-images-idx3-ubyte.gz", test::gzip(test::idx_images(40, 3, 2, test::noise(240, 1))));
  test::spill(dir / "train-labels-idx1-ubyte", test::idx_labels(std::string(20, '\1') + std::string(20, '\7')));
  test::spill(dir / "t10k-images-idx3-ubyte", test::idx_images(10, 3, 2, test::noise(60, 2)));
  test::spill(dir / "t10k-labels-idx1-ubyte", test::idx_labels(std::string(10, '\7')));
  DataSettings settings;
  settings.name = "mnist";
  settings.dir = dir.path();
  settings.validation = 0.2;
  return settings;
}

void expect_same(const Dataset& a, const Dataset& b) {
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.type, b.type);
  EXPECT_EQ(a.classes, b.classes);
  EXPECT_EQ(a.vocabulary, b.vocabulary);
  EXPECT_EQ(a.train_clients, b.train_clients);
  EXPECT_EQ(a.natural_clients, b.natural_clients);
  EXPECT_EQ(a.features_sha256(), b.features_sha256());  // with shapes
  EXPECT_EQ(a.labels_sha256(), b.labels_sha256());
  EXPECT_EQ(a.mean, b.mean);
  EXPECT_EQ(a.std, b.std);
}

TEST(DataCache, WhatComesOutIsWhatWentIn) {
  const TempDir files, folder;
  const DataSettings settings = small_mnist(files);
  const Dataset direct = load_dataset(settings, 3);
  const std::string cache = folder / "cache", kept = cache + "/" + cache_key(settings, 3);
  expect_same(load_dataset_once(settings, 3, cache), direct);
  ASSERT_TRUE(std::filesystem::exists(kept));
  std::filesystem::remove(files / "train-images-idx3-ubyte.gz");  // from here on it can only come from the cache
  expect_same(load_dataset_once(settings, 3, cache), direct);
  const std::string whole = test::slurp(kept);
  for (const std::string& damaged :
       {whole.substr(0, whole.size() - 1), whole + "x", "y" + whole, std::string(), whole.substr(0, 10)}) {
    test::spill(kept, damaged);
    EXPECT_FALSE(cached_dataset(cache, cache_key(settings, 3)));
  }
}

TEST(DataCache, EveryKindOfSamplesThatIsDrawn) {
  const TempDir folder;
  for (const DatasetInfo& info : dataset_infos()) {
    if (info.has_files) continue;
    SCOPED_TRACE(info.name);
    DataSettings settings;
    settings.name = info.name;
    const Dataset direct = load_dataset(settings, 5);
    expect_same(load_dataset_once(settings, 5, folder / "cache"), direct);
    ASSERT_TRUE(cached_dataset(folder / "cache", cache_key(settings, 5)));
    expect_same(load_dataset_once(settings, 5, folder / "cache"), direct);
  }
}

TEST(DataCache, ANameForWhateverLoadersReadDifferently) {
  DataSettings files, drawn;
  files.name = "fashion_mnist";
  files.dir = "a";
  DataSettings elsewhere = files, other = files, table = files, npy = files, held_out = files;
  elsewhere.dir = "b";
  other.split = "letters";
  table.client_column = "who";
  npy.name = "npy";
  EXPECT_EQ(cache_key(files, 1), cache_key(files, 2));
  held_out.validation = 0.2;
  EXPECT_NE(cache_key(held_out, 1), cache_key(held_out, 2));
  EXPECT_NE(cache_key(files, 1), cache_key(elsewhere, 1));
  EXPECT_NE(cache_key(files, 1), cache_key(other, 1));
  EXPECT_NE(cache_key(files, 1), cache_key(table, 1));
  EXPECT_NE(cache_key(drawn, 1), cache_key(drawn, 2));
  EXPECT_EQ(cache_key(npy, 1), "");
}

TEST(DataCache, AFolderThatCannotBeWrittenIsNoError) {
  const TempDir files;
  const DataSettings settings = small_mnist(files);
  test::spill(files / "file", "");
  expect_same(load_dataset_once(settings, 3, files / "file"), load_dataset(settings, 3));
}

}  // namespace
}  // namespace splitsim
