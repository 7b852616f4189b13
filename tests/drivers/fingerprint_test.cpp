// What a change of structure must not change: the hashes of schedule, timeline and trained model of every mode and sampler,
// of every model family, optimiser, norm and clock, held in tests/fixtures/fingerprints.json. Where a change is meant,
// SPLITSIM_UPDATE_FINGERPRINTS=1 writes the file anew, and the change log says what changed.
#include "tests/drivers/tiny_run.hpp"
#include "tests/paths.hpp"

namespace splitsim {
namespace {

namespace fs = std::filesystem;
using test::slurp;

class Fingerprints : public test::TinyRun {
 protected:
  // oneDNN picks its code by the processor: AVX2's is there on every machine that runs this build.
  static void SetUpTestSuite() {
    setenv("ONEDNN_MAX_CPU_ISA", "AVX2", 1);
    setenv("DNNL_MAX_CPU_ISA", "AVX2", 1);
  }
  static void TearDownTestSuite() {
    unsetenv("ONEDNN_MAX_CPU_ISA");
    unsetenv("DNNL_MAX_CPU_ISA");
  }

  // 240 + 60 images of 12x12 in four classes, written once a test.
  std::string data() {
    const std::string dir = in_folder("images");
    if (fs::exists(dir)) return dir;
    fs::create_directories(dir);
    for (const std::string suffix : {"", "_test"}) {
      const std::int64_t count = suffix.empty() ? 240 : 60;
      NpyArray<std::uint8_t> x{{count, 12, 12}, {}};
      NpyArray<std::int32_t> y{{count}, {}};
      for (std::int64_t i = 0; i < count; ++i) {
        y.values.push_back(static_cast<std::int32_t>((i * 7 + i / 4) % 4));
        for (int p = 0; p < 144; ++p) {
          const bool bright = p % 4 == y.values.back();
          x.values.push_back(static_cast<std::uint8_t>((bright ? 150 : 10) + (i * 31 + p * 17) % 90));
        }
      }
      write_npy(dir + "/x" + suffix + ".npy", x);
      write_npy(dir + "/y" + suffix + ".npy", y);
    }
    return dir;
  }

  nlohmann::json run(const std::string& name, const std::vector<std::string>& settings) {
    std::vector<std::string> arguments = {"--device", "cpu", "--threads", "2", "--out", in_folder(name)};
    const auto set = [&arguments](const std::string& text) { arguments.insert(arguments.end(), {"--set", text}); };
    set("data.name=npy");
    set("data.dir=" + data());
    // Uneven clients, slow ones, jitter: what the hashes have to be sensitive to. Later settings win.
    for (const char* text : {"model.name=mlp", "model.cut=fc1", "partition.kind=dirichlet", "partition.clients=6",
                             "sampler.batch=24", "train.epochs=2", "clock.delay_ms={kind='exponential',mean=20.0}",
                             "clock.compute_ms={kind='uniform',low=1.0,high=9.0}",
                             "clock.uplink_mbps={kind='uniform',low=5.0,high=50.0}"}) {
      set(text);
    }
    for (const std::string& text : settings) set(text);
    const Result result = execute("splitsim-run", arguments);
    EXPECT_EQ(result.exit_code, 0) << name << ": " << result.err;
    if (result.exit_code != 0) return {};
    const nlohmann::json summary = summary_of(in_folder(name));
    nlohmann::json hashes;
    for (const char* key : {"schedule_sha256", "timeline_sha256", "model_sha256"}) hashes[key] = summary.at(key);
    const std::string average = summary.value("model_average_sha256", std::string());
    if (!average.empty()) hashes["model_average_sha256"] = average;
    return hashes;
  }
};

TEST_F(Fingerprints, AreHeld) {
  const std::string path = std::string(test::kSourceDir) + "/tests/fixtures/fingerprints.json";
  const auto file = nlohmann::ordered_json::parse(slurp(path));
  nlohmann::ordered_json found;
  const bool update = std::getenv("SPLITSIM_UPDATE_FINGERPRINTS") != nullptr;
  for (const auto& [name, entry] : file.items()) {
    const auto settings = entry.at("set").get<std::vector<std::string>>();
    const nlohmann::json hashes = run(name, settings);
    found[name] = {{"set", settings}, {"hashes", hashes}};
    if (!update) {
      EXPECT_EQ(hashes, nlohmann::json(entry.at("hashes"))) << name;
    }
  }
  if (update) std::ofstream(path) << found.dump(1) << "\n";
}

}  // namespace
}  // namespace splitsim
