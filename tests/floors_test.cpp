// The architecture as a test: five floors in a line, the rooms of a floor in order, CUDA and Thrust only where they belong,
// files, folders and signatures of a size that can be read. Reads the sources.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/paths.hpp"

namespace {

namespace fs = std::filesystem;

const std::map<std::string, int> kFloors = {{"base", 1},    {"kernels", 2}, {"samplers", 3},
                                            {"runtime", 4}, {"drivers", 5}, {"python", 6}};

// Rooms of a floor: those of one level stand side by side and do not include each other.
const std::map<std::string, int> kRooms = {
    {"kernels/device", 1},        {"kernels/primitives", 2}, {"kernels/nn/support", 3}, {"kernels/nn/layers", 4},
    {"kernels/nn/optimizers", 4}, {"kernels/nn", 4},         {"samplers/latency", 1},   {"samplers/population", 1},
    {"samplers/schedule", 2},     {"samplers/local", 3},     {"samplers/keyed", 4},     {"samplers/balance", 5},
    {"samplers/pack", 5},         {"samplers", 6},           {"runtime/data", 1},       {"runtime/model", 1},
    {"runtime/clock", 1},         {"runtime/record", 1},     {"runtime/mode", 2},       {"runtime/config", 3},
    {"runtime/train", 3},         {"runtime/plan", 4},       {"runtime/run", 5},        {"runtime/study", 5},
    {"runtime/sweep", 6}};

const std::set<std::string> kGenerated = {"build_info.hpp", "git_commit.hpp",
                                          "layer_list.hpp"};  // made in the build folder

struct Include {
  int line;
  std::string name;
  bool quoted;
};

struct Source {
  std::string path;  // from the repository's root
  std::string text;
  std::vector<Include> includes;
};

std::string first_folder(const std::string& path) { return path.substr(0, path.find('/')); }

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// 1..6, or 0 outside the floors (tests, profiling: they may use everything).
int floor_of(const std::string& path) {
  const auto found = kFloors.find(first_folder(path));
  return found == kFloors.end() ? 0 : found->second;
}

/// The room of a file: the longest one that its path begins with; empty if there is none.
std::string room_of(const std::string& path) {
  for (std::size_t end = path.rfind('/'); end != std::string::npos && end > 0; end = path.rfind('/', end - 1)) {
    if (kRooms.count(path.substr(0, end)) != 0) return path.substr(0, end);
  }
  return {};
}

bool is_cuda_file(const std::string& path) { return ends_with(path, "_cuda.cu") || ends_with(path, ".cuh"); }

bool is_backend_file(const std::string& path) {
  return is_cuda_file(path) || ends_with(path, "_impl.hpp") || ends_with(path, "_cpu.cpp");
}

bool is_cuda_header(const std::string& name) {
  // cuRAND's counter function and the vector types compile for the host: they are the one source of random bits.
  static const std::set<std::string> allowed = {"curand_philox4x32_x.h", "vector_types.h"};
  static const std::regex cuda(
      "(cu(da|blas|dnn|rand|sparse|solver|fft|b/"
      ").*|device_launch_parameters.*|cooperative_groups.*|mma\\.h|nvml\\.h|crt/.*)");
  return allowed.count(name) == 0 && std::regex_match(name, cuda);
}

Source parse(const std::string& path, const std::string& text) {
  static const std::regex include(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"])");
  Source source{path, text, {}};
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    std::smatch match;
    if (std::regex_search(line, match, include)) source.includes.push_back({number, match[2], match[1] == "\""});
  }
  return source;
}

std::vector<Source> read_tree() {
  std::vector<Source> sources;
  const fs::path root = splitsim::test::kSourceDir;
  for (const char* folder : {"base", "kernels", "samplers", "runtime", "drivers", "python", "profiling", "tests"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string extension = entry.path().extension().string();
      if (extension != ".hpp" && extension != ".cpp" && extension != ".cu" && extension != ".cuh") continue;
      std::ostringstream text;
      text << std::ifstream(entry.path()).rdbuf();
      sources.push_back(parse(fs::relative(entry.path(), root).generic_string(), text.str()));
    }
  }
  return sources;
}

/// Every breach, one line each. `exists` says whether a path from the root is a file.
template <class Exists>
std::vector<std::string> breaches(const std::vector<Source>& sources, const Exists& exists) {
  std::vector<std::string> found;
  for (const Source& source : sources) {
    const int here = floor_of(source.path);
    const auto report = [&](const Include& include, const std::string& why) {
      found.push_back(source.path + ":" + std::to_string(include.line) + ": " + include.name + ": " + why);
    };
    for (const Include& include : source.includes) {
      const int there = floor_of(include.name);
      const std::string folder = first_folder(include.name);
      if (include.quoted && kGenerated.count(include.name) == 0 && !exists(include.name))
        report(include, "is not a file, written from the repository's root");
      if (here > 0 && there > here) report(include, "climbs a floor");
      const std::string room = room_of(source.path), other = room_of(include.name);
      if (here > 0 && here == there && room != other && !room.empty() && !other.empty() &&
          kRooms.at(other) >= kRooms.at(room)) {
        report(include, "climbs a room");
      }
      if (here > 0 && (folder == "tests" || folder == "profiling")) report(include, "nothing uses tests or profiling");
      if (is_cuda_header(include.name) && !is_cuda_file(source.path))
        report(include, "CUDA outside *_cuda.cu and *.cuh");
      if (ends_with(include.name, ".cuh") && !is_cuda_file(source.path))
        report(include, "CUDA outside *_cuda.cu and *.cuh");
      if (here > 0 && include.name.rfind("thrust/", 0) == 0 && !is_backend_file(source.path)) {
        report(include, "Thrust outside *_impl.hpp, *_cpu.cpp, *_cuda.cu");
      }
      if (here > 0 && ends_with(include.name, "_impl.hpp") && !is_backend_file(source.path)) {
        report(include, "a body is for its _cpu.cpp and _cuda.cu alone");
      }
    }
  }
  return found;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

TEST(Floors, IncludesGoDownAndCudaStaysInItsUnits) {
  const std::vector<Source> sources = read_tree();
  ASSERT_GT(sources.size(), 30u);
  const fs::path root = splitsim::test::kSourceDir;
  const auto found = breaches(sources, [&](const std::string& name) { return fs::is_regular_file(root / name); });
  EXPECT_TRUE(found.empty()) << joined(found);
}

// A body is made for both backends: by its list SPLITSIM_UNIT, of which CMake makes the units, or by an x_cpu.cpp and an
// x_cuda.cu. x_cuda_impl.hpp is a body of x_cuda.cu that tests run on the CPU, too.
TEST(Floors, EverySingleSourceBodyHasBothUnits) {
  const std::vector<Source> sources = read_tree();
  std::set<std::string> paths;
  for (const Source& source : sources) paths.insert(source.path);
  int lists = 0;
  for (const Source& source : sources) {
    if (!ends_with(source.path, "_impl.hpp")) continue;
    const std::string stem = source.path.substr(0, source.path.size() - std::string("_impl.hpp").size());
    const bool list = source.text.find("\n#define SPLITSIM_UNIT(C)") != std::string::npos;
    const bool by_hand = ends_with(stem, "_cuda")
                             ? paths.count(stem + ".cu") != 0
                             : paths.count(stem + "_cpu.cpp") != 0 && paths.count(stem + "_cuda.cu") != 0;
    EXPECT_NE(list, by_hand) << source.path;
    lists += list ? 1 : 0;
  }
  EXPECT_GT(lists, 10);
}

// What one can read: files, folders, signatures. Folders of test data hold files, not code.
TEST(Floors, FilesAndFoldersStaySmall) {
  std::map<std::string, int> in_folder;
  for (const Source& source : read_tree()) {
    in_folder[source.path.substr(0, source.path.rfind('/'))] += 1;
    if (floor_of(source.path) == 0) continue;
    EXPECT_LE(std::count(source.text.begin(), source.text.end(), '\n'), 350) << source.path;
  }
  for (const auto& [folder, files] : in_folder) EXPECT_LE(files, 25) << folder;
}

/// The text without comments, literals and preprocessor lines (with their continuations).
std::string code_of(const std::string& text) {
  static const std::regex noise(R"re(//[^\n]*|/\*[^*]*\*+([^/*][^*]*\*+)*/)re"
                                R"re(|"(\\.|[^"\\\n])*"|'(\\.|[^'\\\n])'|(^|\n)[ \t]*#([^\n\\]|\\\n|\\.)*)re");
  return std::regex_replace(text, noise, "\n");
}

/// The pieces of the list whose bracket opens at `open`, commas within brackets not counted.
std::vector<std::string> list_at(const std::string& code, std::size_t open) {
  std::vector<std::string> pieces(1);
  int depth = 0, angle = 0;
  for (std::size_t i = open; i < code.size(); ++i) {
    const char c = code[i];
    const bool opens = c == '(' || c == '[' || c == '{', closes = c == ')' || c == ']' || c == '}';
    if (closes && --depth == 0) return pieces;
    if (c == '<') ++angle;
    if (c == '>' && code[i - 1] != '-' && angle > 0) --angle;
    if (c == ',' && depth == 1 && angle == 0) {
      pieces.emplace_back();
    } else if (i != open) {
      pieces.back() += c;
    }
    if (opens) ++depth;
  }
  return {};
}

/// Every function (or constructor, or lambda) with more than `most` parameters, one line each. A list is one of
/// parameters if all of its pieces are a type and a name, or a type that ends with & or *.
std::vector<std::string> long_signatures(const Source& source, std::size_t most) {
  static const std::regex head(R"((\w+|\])\s*\()");
  static const std::regex parameter(R"(\s*(const\s+)?[A-Za-z_][^=]*([&*]|[\s&*>]\w+(\[\w*\])?)\s*(=[\s\S]*)?)");
  const std::string code = code_of(source.text);
  std::vector<std::string> found;
  for (std::sregex_iterator at(code.begin(), code.end(), head), end; at != end; ++at) {
    const std::vector<std::string> pieces = list_at(code, static_cast<std::size_t>(at->position() + at->length() - 1));
    if (pieces.size() <= most) continue;
    const bool signature =
        std::all_of(pieces.begin(), pieces.end(), [](const std::string& p) { return std::regex_match(p, parameter); });
    if (signature) found.push_back(source.path + ": " + at->str(1) + ": " + std::to_string(pieces.size()));
  }
  return found;
}

constexpr std::size_t kMostParameters = 8;

TEST(Floors, NoFunctionHasManyParameters) {
  std::vector<std::string> found;
  for (const Source& source : read_tree()) {
    if (floor_of(source.path) == 0) continue;
    for (const std::string& line : long_signatures(source, kMostParameters)) found.push_back(line);
  }
  EXPECT_TRUE(found.empty()) << joined(found);
}

// Else a kernel could read what the one before it has not written yet (kernels/device/launch_kernel.cuh).
TEST(Floors, EveryKernelWaitsForTheWorkBeforeIt) {
  std::size_t kernels = 0;
  for (const Source& source : read_tree()) {
    if (floor_of(source.path) == 0 || !is_cuda_file(source.path)) continue;
    EXPECT_EQ(source.text.find("<<<"), std::string::npos) << source.path << ": launch_kernel() launches";
    for (std::size_t at = source.text.find("__global__ "); at != std::string::npos;
         at = source.text.find("__global__ ", at + 1), ++kernels) {
      const std::string body = source.text.substr(at, source.text.find("\n}\n", at) - at);
      const std::size_t begins = body.find("begin_kernel();");
      EXPECT_NE(begins, std::string::npos) << source.path << ": " << body.substr(0, 120);
      for (const char* early : {"*", "["}) {  // nothing is read before it
        const std::size_t opens = body.find("{\n"), reads = body.find(std::string("= ") + early, opens);
        EXPECT_TRUE(reads == std::string::npos || begins < reads) << source.path << ": " << body.substr(0, 120);
      }
    }
  }
  EXPECT_GE(kernels, 9u);
}

TEST(Floors, HeadersHaveOnePragma) {
  for (const Source& source : read_tree()) {
    if (!ends_with(source.path, ".hpp") && !ends_with(source.path, ".cuh")) continue;
    EXPECT_NE(source.text.find("#pragma once"), std::string::npos) << source.path;
  }
}

// The checker's own test: one planted breach of each kind, and nothing else, is reported.
TEST(Floors, CheckerSeesPlantedBreaches) {
  const auto any = [](const std::string& name) { return name != "samplers/missing.hpp"; };
  const std::vector<Source> good = {
      parse("samplers/a.hpp", "#include <vector>\n#include \"kernels/device/view.hpp\"\n#include \"samplers/b.hpp\"\n"),
      parse("samplers/keyed/a.hpp", "#include \"samplers/local/b.hpp\"\n#include \"samplers/keyed/c.hpp\"\n"),
      parse("runtime/config/read/a.hpp", "#include \"runtime/config/config.hpp\"\n"),
      parse("kernels/device/philox.hpp", "#include <vector_types.h>\n#include <curand_philox4x32_x.h>\n"),
      parse("kernels/x_cuda.cu", "#include <cublas_v2.h>\n#include \"kernels/x_impl.hpp\"\n#include <cub/cub.cuh>\n"),
      parse("kernels/x_impl.hpp", "#include <thrust/sort.h>\n"),
      parse("tests/runtime/t.cpp", "#include \"drivers/plan.hpp\"\n#include <thrust/sort.h>\n"),
  };
  EXPECT_TRUE(breaches(good, any).empty()) << joined(breaches(good, any));
  const std::vector<Source> bad = {
      parse("kernels/a.hpp", "#include \"samplers/b.hpp\"\n"),
      parse("runtime/a.cpp", "  # include \"drivers/b.hpp\"\n"),
      parse("drivers/a.cpp", "#include \"tests/contexts.hpp\"\n"),
      parse("drivers/b.cpp", "#include \"python/bindings/parts.hpp\"\n"),
      parse("samplers/a.hpp", "#include \"samplers/missing.hpp\"\n"),
      parse("samplers/b.hpp", "#include <thrust/sort.h>\n"),
      parse("samplers/c.hpp", "#include <cuda_runtime.h>\n"),
      parse("samplers/d.cpp", "#include <curand_kernel.h>\n"),
      parse("samplers/e_cpu.cpp", "#include \"kernels/device/launch_cuda.cuh\"\n"),
      parse("samplers/f.cpp", "#include \"samplers/e_impl.hpp\"\n"),
      parse("samplers/latency/a.hpp", "#include \"samplers/schedule/b.hpp\"\n"),
      parse("samplers/latency/b.hpp", "#include \"samplers/population/b.hpp\"\n"),
      parse("samplers/keyed/c.hpp", "#include \"samplers/registry.hpp\"\n"),
      parse("runtime/config/read/d.hpp", "#include \"runtime/train/e.hpp\"\n"),
      parse("tests/g.cpp", "#include <cub/cub.cuh>\n"),
  };
  const std::string eight = "int a, std::map<int, int> b, const A& c, D* d, std::int32_t e, F f = {1, 2}, int g[3]";
  for (const auto& [text, functions] : std::vector<std::pair<std::string, std::size_t>>{
           {"void f(" + eight + ", int h);", 0},
           {"void f(" + eight + ", int h, View<const float> i);", 1},
           {"// f(" + eight + ", int h, int i);\n#define F(" + eight + ", int h, \\\n  int i) \"f(" + eight + ")\"\n",
            0},
           {"struct S {\n  S(" + eight + ",\n    /* one, two */ int h, const std::string& i) : a_(a) {}\n};", 1},
           {"auto f = [&](" + eight + ", int h, int) {};", 0},
           {"auto f = [&](" + eight + ", int h, int& i) {};", 1},
           {"template void f(C&, A&, A&, A&, A&, A&, A&, A&, A*);", 1},
           {"return f(a, b, c * d, d, e, f, g, h, i < j);", 0}}) {
    EXPECT_EQ(long_signatures(parse("base/a.cpp", text), kMostParameters).size(), functions) << text;
  }
  for (const Source& source : bad) {
    EXPECT_EQ(breaches({source}, any).size(), source.path == "tests/g.cpp" ? 2u : 1u)
        << source.path << "\n"
        << joined(breaches({source}, any));
  }
}

}  // namespace
