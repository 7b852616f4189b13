// safetensors files: the bytes of the published format, round trips, and every kind of damage.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "base/safetensors.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

using test::expect_input_error;
using test::spill;
using test::TempDir;

std::span<const float> view(const std::vector<float>& values) { return values; }

std::string with_length(const std::string& header, const std::string& values) {
  std::string length;
  for (std::size_t i = 0; i < 8; ++i) length += static_cast<char>((std::uint64_t{header.size()} >> (8 * i)) & 255);
  return length + header + values;
}

TEST(Safetensors, BytesOfTheFormat) {
  TempDir dir;
  const std::vector<float> w = {1.0f, -2.0f}, b = {0.5f};
  write_safetensors(dir / "m", {{"w", {2, 1}, view(w)}, {"b", {}, view(b)}}, {{"k", "v"}});
  const std::string header = R"({"__metadata__":{"k":"v"},"w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
                             R"("b":{"dtype":"F32","shape":[],"data_offsets":[8,12]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  // Little-endian IEEE singles: 0x3f800000, 0xc0000000, 0x3f000000.
  const std::string values("\x00\x00\x80\x3f\x00\x00\x00\xc0\x00\x00\x00\x3f", 12);
  EXPECT_EQ(test::slurp(dir / "m"), with_length(padded, values));
  EXPECT_EQ(padded.size() % 8, 0u);
}

TEST(Safetensors, RoundTrip) {
  TempDir dir;
  std::vector<float> large(1000),
      special = {0.0f, -0.0f, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), 1e-45f};
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<float>(i) * 0.37f - 100.0f;
  const std::vector<float> none;
  const std::string odd_name = "a \"quoted\" \\ name/\xc3\xa9";
  write_safetensors(dir / "m",
                    {{"z", {10, 25, 4}, view(large)}, {odd_name, {5}, view(special)}, {"none", {3, 0}, view(none)}},
                    {{"state", "{\"nested\": 1}\n"}, {"", ""}});
  const TensorFile file = read_safetensors(dir / "m");
  ASSERT_EQ(file.tensors.size(), 3u);
  EXPECT_EQ(file.tensors[0].name, "z") << "the order of writing";
  EXPECT_EQ(file.at("z", {10, 25, 4}).values, large);
  const std::vector<float>& back = file.at(odd_name, {5}).values;
  EXPECT_EQ(std::memcmp(back.data(), special.data(), 5 * sizeof(float)), 0) << "bits, not values";
  EXPECT_TRUE(file.at("none", {3, 0}).values.empty());
  EXPECT_EQ(file.metadata, (std::map<std::string, std::string>{{"state", "{\"nested\": 1}\n"}, {"", ""}}));
  expect_input_error([&] { (void)file.at("y", {1}); }, dir / "m", "'y'");
  expect_input_error([&] { (void)file.at("z", {10, 100}); }, dir / "m", "'z'", "[10, 25, 4]", "[10, 100]");

  write_safetensors(dir / "empty", {});
  EXPECT_TRUE(read_safetensors(dir / "empty").tensors.empty());
}

TEST(Safetensors, WriterRefusesBadTensors) {
  TempDir dir;
  const std::vector<float> two = {1.0f, 2.0f};
  const auto write = [&](const std::vector<TensorView>& tensors) { write_safetensors(dir / "m", tensors); };
  expect_input_error([&] { write({{"", {2}, view(two)}}); }, dir / "m", "''");
  expect_input_error([&] { write({{"__metadata__", {2}, view(two)}}); }, "'__metadata__'", "reserved");
  expect_input_error([&] { write({{"a", {2}, view(two)}, {"a", {2}, view(two)}}); }, "'a'", "twice");
  expect_input_error([&] { write({{"a", {3}, view(two)}}); }, "'a'", "[3]", "2 values");
  expect_input_error([&] { write({{"a", {-1, -2}, view(two)}}); }, "[-1, -2]");
  const std::int64_t huge = std::int64_t{1} << 40;
  expect_input_error([&] { write({{"a", {huge, huge}, view(two)}}); }, "'a'");
  expect_input_error([&] { write({{"\xff", {2}, view(two)}}); }, dir / "m", "UTF-8");
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST(Safetensors, ReaderRefusesDamage) {
  TempDir dir;
  const std::string path = dir / "m";
  const auto expect_bad = [&](const std::string& header, const std::string& values, const auto&... parts) {
    spill(path, with_length(header, values));
    expect_input_error([&] { read_safetensors(path); }, path, parts...);
  };
  const std::string eight(8, 'x');
  // The same file, sound: the cases below differ from it in one thing.
  spill(path, with_length(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", eight));
  EXPECT_EQ(read_safetensors(path).tensors.size(), 1u);

  expect_bad(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})", eight, "not JSON");
  expect_bad(R"([1])", "", "not a JSON object");
  expect_bad(R"({"a":3})", "", "'a'", "no dtype");
  expect_bad(R"({"a":{"shape":[2],"data_offsets":[0,8]}})", eight, "'a'", "no dtype");
  expect_bad(R"({"a":{"dtype":"F16","shape":[4],"data_offsets":[0,8]}})", eight, "'a'", "\"F16\"", "\"F32\"");
  expect_bad(R"({"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}})", eight, "'a'", "no list");
  expect_bad(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", eight, "'a'", "-2");
  expect_bad(R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})", eight, "'a'", "2.0");
  expect_bad(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", eight, "'a'", "[0, 8]", "[3]");
  expect_bad(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", eight, "'a'", "[8, 0]");
  expect_bad(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}})", eight, "'a'", "data_offsets");
  expect_bad(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}})", eight, "'a'");
  expect_bad(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", eight, "'a'", "byte 4");  // hole
  expect_bad(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", eight, "4 bytes", "8");   // rest
  expect_bad(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", "xxxx", "8 bytes", "4",
             "truncated");  // short
  expect_bad(
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
      eight, "'b'", "byte 4");  // overlap
  expect_bad(
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
      eight, "'a'", "twice");
  expect_bad(R"({"__metadata__":{"k":1}})", "", "'k'");
  expect_bad(R"({"__metadata__":[]})", "", "metadata");

  spill(path, "1234567");
  expect_input_error([&] { read_safetensors(path); }, path, "7 bytes");
  spill(path, std::string("\xff\xff\xff\xff\xff\xff\xff\x7f{}", 10));
  expect_input_error([&] { read_safetensors(path); }, path, "9223372036854775807");
  expect_input_error([&] { read_safetensors(dir / "none"); }, dir / "none");
  expect_input_error([&] { read_safetensors(dir.path()); }, dir.path());
}

TEST(Safetensors, CutAnywhereIsAnError) {
  TempDir dir;
  const std::vector<float> values = {1, 2, 3};
  write_safetensors(dir / "m", {{"a", {3}, view(values)}}, {{"k", "v"}});
  const std::string whole = test::slurp(dir / "m");
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    spill(dir / "cut", whole.substr(0, bytes));
    expect_input_error([&] { read_safetensors(dir / "cut"); }, dir / "cut");
  }
}

}  // namespace
}  // namespace splitsim
