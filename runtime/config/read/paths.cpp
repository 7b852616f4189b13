#include "runtime/config/read/paths.hpp"

#include <filesystem>
#include <system_error>

namespace splitsim {

namespace fs = std::filesystem;

namespace {

fs::path working_directory() {
  std::error_code error;
  const fs::path here = fs::current_path(error);
  return error ? fs::path() : here;  // it is gone: paths stay relative
}

bool same_place(const fs::path& a, const fs::path& b) {
  std::error_code error;
  const fs::path place_a = fs::weakly_canonical(a, error);
  if (error) return true;
  const fs::path place_b = fs::weakly_canonical(b, error);
  return error || place_a == place_b;
}

}  // namespace

std::string folder_of_paths(const std::string& file) {
  const fs::path here = working_directory(), path = here / file;
  const std::string text = path.lexically_normal().string();
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  // Names of streams, which may lead to a file on a disk; but not all of /dev: /dev/shm holds ordinary files.
  const bool stream = text == "/dev/stdin" || text.starts_with("/dev/fd/") || text.starts_with("/proc/") ||
                      fs::is_fifo(status) || fs::is_character_file(status);
  return stream || !path.has_parent_path() ? here.string() : path.parent_path().string();
}

std::string absolute_path(const std::string& path, const std::string& folder) {
  if (path.empty()) return path;
  fs::path whole = folder.empty() ? fs::path(path) : fs::path(folder) / path;
  if (!whole.has_filename() && whole.has_relative_path()) whole = whole.parent_path();  // "a/b/" is "a/b"
  fs::path normal = whole.lexically_normal();
  if (!normal.has_filename() && normal.has_relative_path()) normal = normal.parent_path();  // of "a/b/."
  return (same_place(normal, whole) ? normal : whole).string();  // "link/.." is not the folder that the link is in
}

}  // namespace splitsim
