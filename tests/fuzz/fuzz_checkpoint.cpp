// What --resume reads: a run of two epochs that goes on from the given checkpoint/state.safetensors. The hashes in it
// are written as 64 equal letters, A for the first one that a checkpoint has, B for the second, and so on, so that the
// corpus outlives changes of what is hashed.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/npy.hpp"
#include "runtime/run/experiment.hpp"
#include "tests/fuzz/targets.hpp"

namespace splitsim::fuzz {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kHashDigits = 64;
constexpr const char* kCheckpoint = "checkpoint/state.safetensors";

std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// The different hashes in a file, in order.
std::vector<std::string> hashes_in(const std::string& text) {
  std::vector<std::string> hashes;
  for (std::size_t at = 0; at + kHashDigits <= text.size();) {
    const std::size_t end = std::min(text.find_first_not_of("0123456789abcdef", at), text.size());
    if (end - at == kHashDigits) {
      const std::string hash = text.substr(at, kHashDigits);
      if (std::find(hashes.begin(), hashes.end(), hash) == hashes.end()) hashes.push_back(hash);
    }
    at = end + 1;
  }
  return hashes;
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

/// A run that was stopped after its first epoch: two clients with halves and clocks of their own, Adam.
struct Base {
  Base() {
    const std::string data = scratch_folder() + "/data";
    fs::create_directories(data);
    for (const auto& [suffix, count] : {std::pair<std::string, std::int32_t>{"", 12}, {"_test", 4}}) {
      NpyArray<std::uint8_t> x{{count, 3, 3}, {}};
      NpyArray<std::int32_t> y{{count}, {}};
      for (std::int32_t i = 0; i < count; ++i) {
        y.values.push_back(i % 2);
        for (int j = 0; j < 9; ++j) x.values.push_back(static_cast<std::uint8_t>((i % 2 == j % 2 ? 150 : 20) + 3 * i));
      }
      write_npy(data + "/x" + suffix + ".npy", x);
      write_npy(data + "/y" + suffix + ".npy", y);
    }
    config = parse_config("", "base",
                          {"data.name=npy", "data.dir=" + data, "partition.kind=iid", "partition.clients=2",
                           "sampler.batch=6", "train.mode=psl_local", "train.epochs=2", "model.name=layers",
                           "model.layers=[{kind=\"linear\",name=\"a\",out=2},{kind=\"relu\"},{kind=\"linear\"}]",
                           "model.cut=a", "train.client_optimizer.kind=adam", "clock.barrier=run_ahead"});
    const std::string run = scratch_folder() + "/first";
    fs::create_directories(run);
    RunOptions options;
    options.out_dir = run;
    options.on_epoch = [&](const EpochRecord& record) {
      if (record.epoch < 2 && !fs::exists(folder)) fs::copy(run, folder, fs::copy_options::recursive);
    };
    CpuContext ctx;
    model = Experiment<CpuContext>(ctx, config).run(options).model_sha256;
    checkpoint = slurp(folder + "/" + kCheckpoint);
    hashes = hashes_in(checkpoint);
    masked = checkpoint;
    for (std::size_t i = 0; i < hashes.size(); ++i) replace_all(masked, hashes[i], mask(i));
    // For a new corpus: the file that belongs there.
    if (const char* path = std::getenv("SPLITSIM_FUZZ_SEED")) std::ofstream(path, std::ios::binary) << masked;
  }
  static std::string mask(std::size_t i) { return std::string(kHashDigits, static_cast<char>('A' + i)); }

  Config config;
  const std::string folder = scratch_folder() + "/stopped";
  std::string model, checkpoint, masked;
  std::vector<std::string> hashes;
};

}  // namespace

void fuzz_checkpoint(std::string_view bytes) {
  static const Base base;
  const std::string dir = scratch_folder() + "/resumed";
  fs::remove_all(dir);
  fs::copy(base.folder, dir, fs::copy_options::recursive);
  std::string checkpoint(bytes);
  for (std::size_t i = 0; i < base.hashes.size(); ++i) replace_all(checkpoint, Base::mask(i), base.hashes[i]);
  std::ofstream(dir + "/" + kCheckpoint, std::ios::binary) << checkpoint;
  RunOptions options;
  options.out_dir = dir;
  options.resume = true;
  CpuContext ctx;
  const Summary summary = Experiment<CpuContext>(ctx, base.config).run(options);
  require(summary.status == "completed" || summary.status == "diverged", "a resumed run ends");
  require(summary.epochs >= 0 && summary.epochs <= 2, "it has as many epochs as it should");
  require(std::isfinite(summary.virtual_time_s), "virtual time is finite");
  require(checkpoint != base.checkpoint || summary.model_sha256 == base.model, "the same checkpoint, the same model");
}

}  // namespace splitsim::fuzz
