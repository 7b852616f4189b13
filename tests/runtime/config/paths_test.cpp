// Relative paths: from a file's folder in a file, from the working directory in --set; saved ones are absolute.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "runtime/config/config.hpp"
#include "runtime/config/read/paths.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

namespace fs = std::filesystem;

std::string here(const std::string& path) { return (fs::current_path() / path).string(); }

constexpr const char* kText =
    "data = { name = 'npy', dir = 'da ta/\xc3\xa9' }\npartition = { kind = 'file', file = './p.npy' }\n"
    "sampler = { kind = 'file', file = '../s.npy' }\nclock = { delay_ms = { kind = 'trace' }, trace_file = '~/t.csv' "
    "}\n";

TEST(ConfigPaths, OfAFileCountFromItsFolder) {
  const test::TempDir dir;
  fs::create_directories(dir / "in\"n er/x");
  const std::string file = dir / "in\"n er/x/e.toml";
  test::spill(file, kText);
  const Config c = load_config(file, {});
  EXPECT_EQ(c.data.dir, dir / "in\"n er/x/da ta/\xc3\xa9");
  EXPECT_EQ(c.partition.file, dir / "in\"n er/x/p.npy");
  EXPECT_EQ(c.sampler.file, dir / "in\"n er/s.npy");
  EXPECT_EQ(c.clock.trace_file, dir / "in\"n er/x/~/t.csv");
  // The dump is the same experiment from anywhere, and so is a file that was named relatively.
  EXPECT_EQ(to_toml(parse_config(to_toml(c), "/elsewhere/config.toml", {})), to_toml(c));
  EXPECT_EQ(to_toml(load_config(fs::relative(file).string(), {})), to_toml(c));
  // Neither place nor paths move the hash.
  EXPECT_EQ(config_sha256(c), config_sha256(parse_config(kText, "/other/e.toml", {})));
}

TEST(ConfigPaths, OfOverridesCountFromTheWorkingDirectory) {
  const Config c = parse_config("data = { name = 'npy', dir = 'a' }", "/x/e.toml", {"data.dir=b//c/../d/"});
  EXPECT_EQ(c.data.dir, here("b/d"));
  EXPECT_EQ(parse_config("data = { name = 'npy', dir = '/a/./b/' }", "/x/e.toml", {}).data.dir, "/a/b");
  EXPECT_EQ(parse_config("data = { name = 'npy', dir = 'a' }", "e.toml", {}).data.dir, here("a"));
}

TEST(ConfigPaths, SymbolicLinksKeepTheirMeaning) {
  const test::TempDir dir;
  fs::create_directories(dir / "real/deep");
  fs::create_directory_symlink(dir / "real/deep", dir / "link");
  EXPECT_EQ(folder_of_paths(dir / "link/e.toml"), dir / "link");
  const std::string through = absolute_path("../x", dir / "link");  // real/x, not x
  EXPECT_EQ(fs::weakly_canonical(through), fs::weakly_canonical(dir / "real/x"));
  EXPECT_TRUE(fs::path(through).is_absolute());
  EXPECT_EQ(absolute_path("../x", dir / "real"), dir / "x");
}

TEST(ConfigPaths, OfStreamsCountFromTheWorkingDirectory) {
  const test::TempDir dir;
  ASSERT_EQ(mkfifo((dir / "pipe").c_str(), 0600), 0);
  for (const std::string& name : {std::string("/dev/stdin"), std::string("/dev/fd/63"), std::string("/proc/self/fd/3"),
                                  std::string("/dev/null"), std::string("default"), dir / "pipe"}) {
    EXPECT_EQ(folder_of_paths(name), fs::current_path().string()) << name;
  }
}

TEST(ConfigPaths, OfFilesInMemoryCountFromTheirFolder) {
  EXPECT_EQ(folder_of_paths("/dev/shm/study/e.toml"), "/dev/shm/study");
}

TEST(ConfigPaths, EmptyStaysEmpty) { EXPECT_EQ(absolute_path("", "/a"), ""); }

}  // namespace
}  // namespace splitsim
