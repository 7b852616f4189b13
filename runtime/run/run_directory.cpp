#include "runtime/run/run_directory.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/error.hpp"
#include "base/files.hpp"

namespace splitsim {

namespace {

namespace fs = std::filesystem;

constexpr const char* kLockFile = "run.lock";
constexpr std::string_view kMark = "splitsim run directory\n";

[[noreturn]] void fail(const std::string& what, const std::string& path, int reason) {
  throw InputError(fmt::format("cannot {} '{}': {}", what, path, std::strerror(reason)));
}

void remove_file(const fs::path& path) {
  std::error_code error;
  fs::remove(path, error);
  if (error) throw InputError(fmt::format("cannot remove '{}': {}", path.string(), error.message()));
}

bool is_mark(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string start(kMark.size(), '\0');
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  return file && start == kMark;
}

// Before there was a mark, a summary was the only file that nobody else writes.
bool is_run(const fs::path& root) {
  if (is_mark(root / kLockFile)) return true;
  std::ifstream file(root / "summary.json", std::ios::binary);
  std::string start(64, '\0');
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  return start.starts_with("{\n  \"splitsim\": {\n    \"version\": ");
}

// A lock that its owner was killed in writing: the start of a mark, or nothing.
bool is_torn_mark(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string start(kMark.size(), '\0');
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  return file.eof() && kMark.starts_with(std::string_view(start.data(), static_cast<std::size_t>(file.gcount())));
}

// What no run that began has left: our own lock and unfinished files beside it.
bool counts_as_empty(const fs::path& root) {
  const bool marked = is_mark(root / kLockFile), torn = is_torn_mark(root / kLockFile);
  for (const fs::directory_entry& entry : fs::directory_iterator(root)) {
    const std::string name = entry.path().filename().string();
    const auto unfinished = [&](const std::string& file) {
      return name == file + ".part" || name == file + ".part.part";
    };
    const auto& files = run_directory_files();
    if (name == kLockFile ? marked || torn : marked && std::any_of(files.begin(), files.end(), unfinished)) continue;
    return false;
  }
  return true;
}

}  // namespace

const std::vector<std::string>& run_directory_files() {
  static const std::vector<std::string> names = {"config.toml",
                                                 "steps.csv",
                                                 "epochs.jsonl",
                                                 "tests.jsonl",
                                                 "summary.json",
                                                 "partition.npy",
                                                 "class_counts.csv",
                                                 "model.safetensors",
                                                 "clients.csv",
                                                 "model_average.safetensors",
                                                 "client_tests.csv",
                                                 "waiting.csv",
                                                 "checkpoint/state.safetensors"};
  return names;
}

RunDirectory::RunDirectory(const std::string& dir, RunDirectoryUse use, const std::vector<std::string>& inputs)
    : dir_(dir), use_(use) {
  if (dir.empty()) throw InputError("the run directory must have a name, not ''");
  try {
    refuse_unless_fit();
    for (const std::string& input : inputs) {
      for (const std::string& name : run_directory_files()) {
        std::error_code ignored;
        if (use != RunDirectoryUse::kForce || !fs::equivalent(fs::path(dir_) / name, input, ignored)) continue;
        throw InputError(fmt::format("--force would replace '{}', which this run reads; name another --out",
                                     (fs::path(dir_) / name).string()));
      }
    }
    make();
    lock_.take((fs::path(dir_) / kLockFile).string(), kMark, fmt::format("run directory '{}'", dir_));
    refuse_unless_fit();  // again: only now nobody else writes there
  } catch (const fs::filesystem_error& error) {
    undo();
    throw InputError(fmt::format("cannot read run directory '{}': {}", dir_, error.code().message()));
  } catch (...) {
    undo();
    throw;
  }
}

RunDirectory::~RunDirectory() {
  if (!begun_) undo();
}

void RunDirectory::refuse_unless_fit() const {
  const fs::path root(dir_);
  std::error_code error;
  const fs::file_status status = fs::status(root, error);
  const bool exists = fs::exists(status);
  if (exists && !fs::is_directory(status)) throw InputError(fmt::format("run directory '{}' is not a folder", dir_));
  if (use_ == RunDirectoryUse::kResume && !fs::exists(root / "config.toml", error)) {
    throw InputError(fmt::format("run directory '{}' holds no run to resume ({})", dir_,
                                 exists ? "there is no config.toml in it" : "there is no such folder"));
  }
  if (!exists) return;
  if (use_ == RunDirectoryUse::kNew && !counts_as_empty(root)) {
    throw InputError(
        fmt::format("run directory '{}' is not empty; name another{}", dir_,
                    is_run(root) ? ", or continue its run with --resume, or replace it with --force" : ""));
  }
  if (use_ == RunDirectoryUse::kForce && !is_run(root) && !counts_as_empty(root)) {
    throw InputError(fmt::format(
        "--force: '{}' holds files but no run of splitsim; allowed: a run, an empty folder, a free name", dir_));
  }
  if (::access(dir_.c_str(), W_OK | X_OK) != 0) fail("write into run directory", dir_, errno);
}

void RunDirectory::make() {
  std::error_code error;
  fs::path first;
  for (fs::path at = fs::absolute(dir_).lexically_normal(); !fs::exists(at, error); at = at.parent_path()) {
    if (fs::is_symlink(fs::symlink_status(at, error))) {  // what undo() would take for a folder made here
      throw InputError(
          fmt::format("cannot make run directory '{}': '{}' is a link that leads nowhere", dir_, at.string()));
    }
    if (at.has_filename()) first = at;
    if (at == at.parent_path()) break;
  }
  if (first.empty()) return;
  made_ = first.string();
  fs::create_directories(dir_, error);
  if (error) throw InputError(fmt::format("cannot make run directory '{}': {}", dir_, error.message()));
}

void RunDirectory::undo() noexcept {
  std::error_code ignored;
  const fs::path root(dir_);
  // With anything beside it the mark stays: it says whose that is.
  bool alone = lock_.made();
  for (fs::directory_iterator at(root, ignored), end; alone && !ignored && at != end; at.increment(ignored)) {
    alone = at->path().filename() == kLockFile;
  }
  if (alone && !ignored) fs::remove(root / kLockFile, ignored);
  ignored.clear();
  // Folders that were made here, innermost first, as long as they are empty.
  for (fs::path at = fs::absolute(dir_, ignored).lexically_normal(); !made_.empty() && !ignored;) {
    if (at.has_filename()) fs::remove(at, ignored);
    if (at == fs::path(made_) || at == at.parent_path()) break;
    at = at.parent_path();
  }
  made_.clear();
}

void RunDirectory::begin(const std::string& config_toml) {
  const fs::path root(dir_);
  for (const std::string& name : run_directory_files()) {
    for (const char* unfinished : {".part", ".part.part"}) remove_file(root / (name + unfinished));
  }
  if (use_ != RunDirectoryUse::kResume) {
    const std::string config = (root / "config.toml").string();
    // Beside the old one, which stays if this cannot be written; the rest of the old run goes before it is renamed.
    write_file_atomically(config + ".part", config_toml);
    for (const std::string& name : run_directory_files()) remove_file(root / name);
    std::error_code ignored;
    fs::remove(root / "checkpoint", ignored);  // if nothing else is in it
    fs::rename(config + ".part", config, ignored);
    if (ignored) throw InputError(fmt::format("cannot write '{}': {}", config, ignored.message()));
  }
  begun_ = true;
}

}  // namespace splitsim
