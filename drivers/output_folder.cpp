#include "drivers/output_folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "base/error.hpp"

namespace splitsim {

namespace fs = std::filesystem;

namespace {

void check_writable(const std::string& option, const std::string& name, const fs::path& folder) {
  if (faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) == 0) return;
  throw InputError(fmt::format("{} {}: '{}' cannot be written: {}; allowed: a folder that can", option, name,
                               folder.string(), std::strerror(errno)));
}

}  // namespace

void check_output_folder(const std::string& option, const std::string& dir) {
  if (dir.empty()) return;
  std::error_code error;
  fs::path there = fs::absolute(dir, error).lexically_normal();
  if (error) return;  // the working directory is gone: making the folder will say so
  while (!fs::exists(there, error) && there.has_relative_path()) {
    if (error && error.value() != ENOTDIR) {  // too long a name, no permission to look
      throw InputError(
          fmt::format("{} {}: {}; allowed: a folder, or a name that is free", option, dir, error.message()));
    }
    if (fs::is_symlink(fs::symlink_status(there, error))) {
      throw InputError(fmt::format("{} {}: '{}' is a link that leads nowhere; allowed: a folder, or a name that is free",
                                   option, dir, there.string()));
    }
    there = there.parent_path();
  }
  if (!fs::is_directory(there, error)) {
    throw InputError(fmt::format("{} {}: '{}' is no folder; allowed: a folder, or a name that is free", option, dir,
                                 there.string()));
  }
  check_writable(option, dir, there);
}

void check_output_file(const std::string& option, const std::string& file, const std::string& made) {
  if (file.empty()) return;
  std::error_code error;
  if (fs::is_directory(file, error)) {
    throw InputError(fmt::format("{} {}: is a folder; allowed: a file", option, file));
  }
  const fs::path parent = fs::path(file).has_parent_path() ? fs::path(file).parent_path() : fs::path(".");
  const auto normal = [](const fs::path& path) { return (path / "").lexically_normal(); };
  if (!made.empty() && normal(parent) == normal(made)) return;
  if (!fs::is_directory(parent, error)) {
    throw InputError(fmt::format("{} {}: '{}' is no folder; allowed: a file in a folder that is there", option, file,
                                 parent.string()));
  }
  check_writable(option, file, parent);
}

}  // namespace splitsim
