#include "base/npy.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "tests/samplers/population/partition_helpers.hpp"

namespace splitsim {
namespace {

using test::expect_input_error;
using test::ScratchFolder;

void write_bytes(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }
std::string read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
/// A file as the format's text describes it, unpadded.
std::string npy_bytes(int version, const std::string& header, const std::string& values) {
  std::string bytes = std::string("\x93NUMPY", 6) + static_cast<char>(version) + '\0';
  std::size_t length = header.size();
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i, length /= 256) bytes += static_cast<char>(length % 256);
  return bytes + header + values;
}
const std::string kTwoInts("\x01\x00\x00\x00\xfe\xff\xff\xff", 8);

template <class T>
class NpyTypes : public ::testing::Test {};
using Types = ::testing::Types<std::uint8_t, std::int32_t, std::int64_t, float, double>;
TYPED_TEST_SUITE(NpyTypes, Types);

TYPED_TEST(NpyTypes, RoundTrip) {
  const ScratchFolder folder;
  const std::string path = folder.file("a.npy");
  rc::check("what is written is read", [&] {
    NpyArray<TypeParam> array;
    array.shape = *rc::gen::container<std::vector<std::int64_t>>(rc::gen::inRange<std::int64_t>(0, 6));
    if (array.shape.size() > 4) array.shape.resize(4);
    std::size_t count = 1;
    for (const std::int64_t extent : array.shape) count *= static_cast<std::size_t>(extent);
    array.values = *rc::gen::container<std::vector<TypeParam>>(count, rc::gen::arbitrary<TypeParam>());
    write_npy(path, array);
    const NpyArray<TypeParam> back = read_npy<TypeParam>(path);
    RC_ASSERT(back.shape == array.shape);
    RC_ASSERT(back.values == array.values);
    RC_ASSERT(std::filesystem::file_size(path) % 64 == (count * sizeof(TypeParam)) % 64);  // values are aligned
    RC_ASSERT(!std::filesystem::exists(path + ".part"));
  });
}

TEST(Npy, BytesAreThoseOfNumpy) {
  const ScratchFolder folder;
  write_npy<std::int32_t>(folder.file("a.npy"), {{2}, {1, -2}});
  const std::string header = "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }";
  EXPECT_EQ(read_bytes(folder.file("a.npy")), std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header +
                                                  std::string(117 - header.size(), ' ') + '\n' + kTwoInts);
  write_npy<std::uint8_t>(folder.file("b.npy"), {{2, 1}, {7, 9}});
  EXPECT_NE(read_bytes(folder.file("b.npy")).find("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 1), }"),
            std::string::npos);
  write_npy<double>(folder.file("c.npy"), {{}, {0.5}});
  EXPECT_NE(read_bytes(folder.file("c.npy")).find("'shape': (), }"), std::string::npos);
}

TEST(Npy, OtherWritersHeadersAreUnderstood) {
  const ScratchFolder folder;
  const std::string path = folder.file("a.npy");
  const auto reads = [&](const std::string& bytes) {
    write_bytes(path, bytes);
    const NpyArray<std::int32_t> array = read_npy<std::int32_t>(path);
    EXPECT_EQ(array.values, (std::vector<std::int32_t>{1, -2}));
    return array.shape;
  };
  using Shape = std::vector<std::int64_t>;
  EXPECT_EQ(reads(npy_bytes(1, "{'descr':'<i4','fortran_order':False,'shape':(2,)}", kTwoInts)), Shape{2});
  EXPECT_EQ(reads(npy_bytes(2, "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }  \n", kTwoInts)), Shape{2});
  EXPECT_EQ(
      reads(npy_bytes(1, "{ \"shape\" : ( 1 , 2 ) , \"fortran_order\" : False , \"descr\" : \"<i4\" }\n", kTwoInts)),
      (Shape{1, 2}));
  // One dimension is in both orders at once; NumPy flags some such arrays as Fortran's.
  EXPECT_EQ(reads(npy_bytes(1, "{'descr': '<i4', 'fortran_order': True, 'shape': (2,), }\n", kTwoInts)), Shape{2});
}

TEST(Npy, BadFilesAreNamedWithTheirFault) {
  const ScratchFolder folder;
  const std::string path = folder.file("bad.npy");
  const auto refuses = [&](const std::string& bytes, std::vector<std::string> parts) {
    write_bytes(path, bytes);
    parts.push_back(path);
    expect_input_error([&] { read_npy<std::int32_t>(path); }, parts);
  };
  const std::string good = "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }\n";
  refuses("", {"not a .npy file"});
  refuses("PK\x03\x04 a zip file, say, or .npz", {"not a .npy file"});
  refuses(npy_bytes(4, good, kTwoInts), {"version 4", "allowed are 1 to 3"});
  refuses(npy_bytes(1, "{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }\n", kTwoInts),
          {"'<i8'", "allowed: <i4"});
  refuses(npy_bytes(1, "{'descr': '>i4', 'fortran_order': False, 'shape': (2,), }\n", kTwoInts), {"'>i4'", "<i4"});
  refuses(npy_bytes(1, good, kTwoInts.substr(0, 7)), {"truncated", "needs 8 bytes", "has 7"});
  refuses(npy_bytes(1, good, kTwoInts + "x"), {"too long", "needs 8 bytes", "has 9"});
  refuses(npy_bytes(1, "{'descr': '<i4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }\n", kTwoInts),
          {"truncated", "more than 2^64"});
  for (const char* malformed :
       {"", "{}", "{'descr': '<i4', 'fortran_order': False}",
        "{'descr': '<i4', 'fortran_order': False, 'shape': (-2,)}",
        "{'descr': '<i4', 'fortran_order': False, 'shape': (2,}", "{'descr': '<i4', 'fortran_order': 0, 'shape': (2,)}",
        "{'descr': '<i4', 'fortran_order': False, 'shape': (2,)",
        "{'descr': '<i4, 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), 'more': 1}",
        "{'descr': '<i4', 'descr': '<i4', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<i4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "{'descr': '<i4', 'fortran_order': False, 'shape': (2,)} or so",
        "{'descr': [('a', '<i4'), 'fortran_order': False, 'shape': (2,)}"}) {
    refuses(npy_bytes(1, malformed, kTwoInts), {"header is malformed"});
  }
  // Types that no reader takes are named as such, whatever their size would be.
  for (const char* code : {"'|O'", "'<c8'", "'|S4'", "'<U1'", "'<M8[ns]'", "'|V4'", "'<f16'", "'|i4'", "[('a', '<i4')]",
                           "[('a', '<i4', [2])]"}) {
    const std::string header = std::string("{'descr': ") + code + ", 'fortran_order': False, 'shape': (2,), }\n";
    const std::string bare = code[0] == '\'' ? std::string(code).substr(1, std::string(code).size() - 2) : code;
    refuses(npy_bytes(1, header, kTwoInts), {"elements of type '" + bare + "'", "allowed: integers and real numbers"});
  }
  // A header of a gigabyte is not read to find out that it is none.
  write_bytes(path, std::string("\x93NUMPY\x02\x00\x00\x00\x00\x40", 12));
  std::filesystem::resize_file(path, (std::uintmax_t{1} << 30) + 12);
  expect_input_error([&] { read_npy<std::int32_t>(path); }, {path, "header is malformed"});
  ASSERT_EQ(mkfifo(folder.file("pipe.npy").c_str(), 0600), 0);  // nobody writes: opening it would block
  expect_input_error([&] { read_npy<float>(folder.file("pipe.npy")); }, {folder.file("pipe.npy"), "cannot be read"});
  expect_input_error([&] { read_npy<float>(folder.file("none.npy")); }, {folder.file("none.npy"), "cannot be read"});
  expect_input_error([&] { read_npy<float>(folder.path().string()); }, {folder.path().string(), "cannot be read"});
}

TEST(Npy, EveryTruncationIsAnError) {
  const ScratchFolder folder;
  const std::string path = folder.file("cut.npy");
  for (const int version : {1, 2, 3}) {
    const std::string whole =
        npy_bytes(version, "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }\n", kTwoInts);
    for (std::size_t length = 0; length < whole.size(); ++length) {
      write_bytes(path, whole.substr(0, length));
      expect_input_error([&] { read_npy<std::int32_t>(path); }, {path, length < 8 ? "not a .npy file" : "truncated"});
    }
  }
}

/// The same 3 x 2 x 4 numbers as any integer type, in any byte order, in C or Fortran order.
struct Spelling {
  char kind;
  int bytes;
  bool big_endian, fortran;
};

std::string spelled(const Spelling& as, const std::function<std::int64_t(int)>& value) {
  std::string values;
  for (int n = 0; n < 24; ++n) {
    const int i = n % 3, j = n / 3 % 2, k = n / 6;  // Fortran's order: the first index fastest
    const std::int64_t number = value(as.fortran ? (i * 2 + j) * 4 + k : n);
    for (int byte = 0; byte < as.bytes; ++byte) {
      const int place = as.big_endian ? as.bytes - 1 - byte : byte;
      values += static_cast<char>((number >> (8 * place)) & 255);
    }
  }
  const std::string order = as.bytes == 1 ? "|" : as.big_endian ? ">" : "<";
  return npy_bytes(1,
                   "{'descr': '" + order + as.kind + std::to_string(as.bytes) +
                       "', 'fortran_order': " + (as.fortran ? "True" : "False") + ", 'shape': (3, 2, 4), }\n",
                   values);
}

std::vector<Spelling> all_spellings() {
  std::vector<Spelling> all = {{'b', 1, false, false}, {'b', 1, false, true}};
  for (const char kind : {'u', 'i'}) {
    for (const int bytes : {1, 2, 4, 8}) {
      for (const bool big_endian : {false, true}) {
        if (bytes == 1 && big_endian) continue;
        for (const bool fortran : {false, true}) all.push_back({kind, bytes, big_endian, fortran});
      }
    }
  }
  return all;
}

template <class T>
class NpyIntegers : public ::testing::Test {};
using IntegerTypes = ::testing::Types<std::uint8_t, std::int32_t, std::int64_t>;
TYPED_TEST_SUITE(NpyIntegers, IntegerTypes);

TYPED_TEST(NpyIntegers, AnyTypeByteOrderAndMemoryOrder) {
  const ScratchFolder folder;
  const std::string path = folder.file("a.npy");
  std::vector<TypeParam> expected;
  for (int n = 0; n < 24; ++n) expected.push_back(static_cast<TypeParam>(n * 5));
  for (const Spelling& as : all_spellings()) {
    SCOPED_TRACE(fmt::format("{}{}, big-endian {}, Fortran {}", as.kind, as.bytes, as.big_endian, as.fortran));
    if (as.kind == 'b') {
      write_bytes(path, spelled(as, [](int n) { return n % 5 == 3 ? 1 : 0; }));
      const NpyArray<TypeParam> flags = read_npy_integers<TypeParam>(path, {0, 1, "flags"});
      for (int n = 0; n < 24; ++n) EXPECT_EQ(flags.values[n], n % 5 == 3 ? 1 : 0) << n;
      continue;
    }
    write_bytes(path, spelled(as, [](int n) { return n * 5; }));
    const NpyArray<TypeParam> array = read_npy_integers<TypeParam>(path, {0, 115, "numbers"});
    EXPECT_EQ(array.shape, (std::vector<std::int64_t>{3, 2, 4}));
    EXPECT_EQ(array.values, expected);
    // The place that is named is the one in C order, whatever the file's.
    expect_input_error(
        [&] {
          read_npy_integers<TypeParam>(path, {0, 114, "numbers"});
        },
        {path, "entry 23 is 115; allowed: 0 to 114 (numbers)"});
    write_bytes(path, spelled(as, [](int n) { return n == 9 ? 100 : n; }));
    expect_input_error([&] { read_npy_integers<TypeParam>(path, {0, 99, "numbers"}); }, {path, "entry 9 is 100"});
  }
}

TEST(Npy, ValuesAreCheckedBeforeTheyAreNarrowed) {
  const ScratchFolder folder;
  const std::string path = folder.file("a.npy");
  const auto refuses = [&](const Spelling& as, std::int64_t value, const std::string& as_text) {
    write_bytes(path, spelled(as, [&](int n) { return n == 2 ? value : 1; }));
    expect_input_error(
        [&] {
          read_npy_integers<std::uint8_t>(path, {0, 255, "pixels"});
        },
        {path, "entry 2 is " + as_text + "; allowed: 0 to 255 (pixels)"});
  };
  refuses({'i', 8, true, true}, 256, "256");
  refuses({'i', 8, false, false}, std::int64_t{1} << 32, "4294967296");
  refuses({'i', 1, false, false}, -1, "-1");
  refuses({'i', 4, true, false}, -256, "-256");
  refuses({'u', 8, false, true}, -1, "18446744073709551615");
  refuses({'u', 2, true, false}, 257, "257");
  write_npy<double>(path, {{1}, {1.0}});
  expect_input_error(
      [&] {
        read_npy_integers<std::uint8_t>(path, {0, 255, ""});
      },
      {path, "'<f8'", "allowed: integers"});
  write_npy<std::int32_t>(path, {{1}, {1}});
  expect_input_error([&] { NpyFile(path).for_each_real([](const auto&, std::int64_t) {}); },
                     {path, "'<i4'", "allowed: float32, float64"});
}

TEST(Npy, RealNumbersInAnyOrder) {
  const ScratchFolder folder;
  const std::string path = folder.file("a.npy");
  write_bytes(path, npy_bytes(3, "{'descr': '>f4', 'fortran_order': True, 'shape': (2L, 2L), }\n",
                              std::string("\x3f\x80\x00\x00\x40\x00\x00\x00\x40\x40\x00\x00\xbf\x00\x00\x00", 16)));
  NpyFile file(path);
  std::vector<double> in_file_order;
  file.for_each_real([&](const std::vector<double>& piece, std::int64_t first) {
    EXPECT_EQ(first, static_cast<std::int64_t>(in_file_order.size()));
    in_file_order.insert(in_file_order.end(), piece.begin(), piece.end());
  });
  EXPECT_EQ(in_file_order, (std::vector<double>{1.0, 2.0, 3.0, -0.5}));
  EXPECT_EQ(file.in_c_order(in_file_order), (std::vector<double>{1.0, 3.0, 2.0, -0.5}));
  EXPECT_EQ(file.c_index(1), 2);
}

RC_GTEST_PROP(Npy, ADamagedHeaderIsReadOrRefused, ()) {
  static const ScratchFolder folder;
  std::string bytes = npy_bytes(1, "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }\n", kTwoInts);
  const auto at = *rc::gen::inRange<std::size_t>(0, bytes.size() - 8);
  bytes[at] = static_cast<char>(*rc::gen::inRange(0, 256));
  write_bytes(folder.file("a.npy"), bytes);
  try {
    RC_ASSERT(read_npy<std::int32_t>(folder.file("a.npy")).values.size() == 2u);
  } catch (const InputError&) {
  }
}

TEST(Npy, WritingFailsWithoutLeavings) {
  const ScratchFolder folder;
  const std::string nowhere = folder.file("no/such/folder.npy");
  expect_input_error([&] { write_npy<std::int32_t>(nowhere, {{1}, {1}}); }, {nowhere, "cannot"});
  const std::string path = folder.file("a.npy");
  expect_input_error([&] { write_npy<std::int32_t>(path, {{2, 2}, {1, 2, 3}}); }, {path, "3 values", "(2, 2)"});
  std::filesystem::create_directories(folder.file("taken.npy/inside"));
  expect_input_error([&] { write_npy<std::int32_t>(folder.file("taken.npy"), {{1}, {1}}); }, {"taken.npy", "cannot"});
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);  // only the folder made above
}

}  // namespace
}  // namespace splitsim
