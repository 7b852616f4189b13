// Files as other programs write them: the same content gives the same run.
#include <fmt/format.h>

#include <cstring>

#include "tests/drivers/tiny_run.hpp"

namespace splitsim {
namespace {

namespace fs = std::filesystem;

class Inputs : public test::TinyRun {
 protected:
  std::string hash_of(const std::string& what, const std::vector<std::string>& arguments) {
    const Result run = execute("splitsim-run", arguments);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    const std::size_t at = run.out.find("sha256 ", run.out.find("\n" + what + " ", run.out.find("\nstatus ")));
    EXPECT_NE(at, std::string::npos) << run.out;
    return at == std::string::npos ? "" : run.out.substr(at, 71);
  }
  static void write_raw(const std::string& path, const std::string& type, const std::string& shape, bool fortran,
                        const std::string& values) {
    std::string header = fmt::format("{{'descr': '{}', 'fortran_order': {}, 'shape': ({}), }}", type,
                                     fortran ? "True" : "False", shape);
    header += std::string(63 - (10 + header.size()) % 64, ' ') + '\n';
    const auto length = static_cast<std::uint16_t>(header.size());
    std::ofstream file(path, std::ios::binary);
    file << std::string("\x93NUMPY\x01\x00", 8);
    file.write(reinterpret_cast<const char*>(&length), sizeof length);
    file << header << values;
  }
};

TEST_F(Inputs, TracesOfSpreadsheetsGiveTheSameClock) {
  const std::string head = "client,compute_ms_per_sample,up_mbps,down_mbps,delay_ms";
  std::string rows, quoted;
  for (int k = 0; k < 6; ++k) {
    rows += fmt::format("{},0.1,10,20,{}\n", k, 1 + 7 * k);
    quoted += fmt::format("\"{}\",\"0.1\",\"10\",\"20\",\"{}\"\n", k, 1 + 7 * k);
  }
  const auto timeline = [&](const std::string& text) {
    std::ofstream(in_folder("trace.csv"), std::ios::binary) << text;
    return hash_of("timeline", tiny({"--set", "train.epochs=1", "--set", "clock.delay_ms={kind=\"trace\"}", "--set",
                                     "clock.trace_file=" + in_folder("trace.csv")}));
  };
  const auto with_cr = [](std::string text) {
    for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 2)) text.insert(at, "\r");
    return text;
  };
  const std::string plain = timeline(head + "\n" + rows);
  EXPECT_EQ(timeline("\xEF\xBB\xBF" + head + "\n" + rows), plain);
  EXPECT_EQ(timeline(with_cr("\xEF\xBB\xBF" + head + "\n" + rows)), plain);
  EXPECT_EQ(timeline("\"client\",\"compute_ms_per_sample\",\"up_mbps\",\"down_mbps\",\"delay_ms\"\n" + quoted), plain);
  EXPECT_EQ(timeline("client,delay_ms\n0,1\n5,36\n1,8\n4,29\n2,15\n3,22"), plain) << "only what is read, in any order";
  EXPECT_NE(timeline("client,delay_ms\n0,1\n5,37\n1,8\n4,29\n2,15\n3,22"), plain);
}

TEST_F(Inputs, ArraysOfOtherTypesAndLayoutsGiveTheSameModel) {
  const auto arguments = tiny({"--set", "train.epochs=1"});
  const std::string base = hash_of("model", arguments), dir = in_folder("data");
  const std::string x = test::slurp(dir + "/x.npy");
  const std::string pixels = x.substr(x.size() - 240 * 36);
  std::string shorts, wide, fortran;
  for (int i = 0; i < 240; ++i) {
    shorts += std::string(1, static_cast<char>(i % 3)) + '\0';
    wide += std::string(7, '\0') + static_cast<char>(i % 3);
  }
  for (int j = 0; j < 36; ++j) {  // the last index slowest
    const int row = j % 6, column = j / 6;
    for (int i = 0; i < 240; ++i) fortran += pixels[static_cast<std::size_t>(i * 36 + row * 6 + column)];
  }
  const auto run_with = [&](const std::string& file, const std::string& type, const std::string& shape, bool order,
                            const std::string& values) {
    auto here = arguments;  // tiny() writes the data set anew, so only now
    write_raw(dir + "/" + file, type, shape, order, values);
    return hash_of("model", here);
  };
  EXPECT_EQ(run_with("y.npy", "<i2", "240,", false, shorts), base);
  EXPECT_EQ(run_with("y.npy", ">i8", "240, 1", false, wide), base);
  EXPECT_EQ(run_with("x.npy", "|u1", "240, 6, 6", true, fortran), base);

  std::string negative(240, '\0');
  negative[7] = static_cast<char>(-1);
  write_raw(dir + "/y.npy", "|i1", "240,", false, negative);
  const Result refused = execute("splitsim-run", arguments);
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_EQ(refused.error_lines(), 1) << refused.err;
  EXPECT_NE(refused.err.find("entry 7 is -1"), std::string::npos) << refused.err;
  std::string one_based(240, '\1');
  for (std::size_t i = 0; i < 240; ++i) one_based[i] = static_cast<char>(1 + i % 2);
  write_raw(dir + "/y.npy", "|i1", "240,", false, one_based);
  const Result warned = execute("splitsim-run", arguments);
  EXPECT_EQ(warned.exit_code, 0) << warned.err;
  EXPECT_NE(warned.err.find("do these count from 1?"), std::string::npos) << warned.err;
}

}  // namespace
}  // namespace splitsim
