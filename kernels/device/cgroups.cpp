#include "kernels/device/cgroups.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace splitsim {

namespace {

namespace fs = std::filesystem;

bool has_word(const std::string& list, const std::string& word) {
  std::istringstream words(list);
  for (std::string one; std::getline(words, one, ',');) {
    if (one == word) return true;
  }
  return false;
}

/// A mount of a hierarchy: the group at its top, as /proc/self/cgroup would name it, and where it is.
struct Mount {
  std::string top;
  fs::path at;
};

std::vector<Mount> mounts_of(const std::string& root, const std::string& controller) {
  // The usual places first, so that limits are found where mountinfo is hidden or shows a bind mount of another type.
  std::vector<Mount> mounts;
  const fs::path usual = root + "/sys/fs/cgroup";
  if (controller.empty()) {
    mounts = {{"/", usual}, {"/", usual / "unified"}};
  } else {
    mounts = {{"/", usual / controller}, {"/", usual / "cpu,cpuacct"}};
    if (controller != "cpu") mounts.pop_back();
  }
  // "36 35 98:0 /top /mount/point rw,noatime master:1 - cgroup2 cgroup2 rw": optional fields end with the dash.
  std::ifstream file(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string skipped, top, at, type, source, options;
    fields >> skipped >> skipped >> skipped >> top >> at;
    while (fields >> skipped && skipped != "-") continue;
    fields >> type >> source >> options;
    const bool wanted = controller.empty() ? type == "cgroup2" : type == "cgroup" && has_word(options, controller);
    if (wanted) mounts.push_back({top, root + at});
  }
  return mounts;
}

/// The process' group within a hierarchy, "/user.slice/x"; empty if it is in none.
std::string own_group(const std::string& root, const std::string& controller) {
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {  // "4:memory:/path", v2: "0::/path"
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string list = line.substr(first + 1, second - first - 1);
    if (controller.empty() ? list.empty() : has_word(list, controller)) return line.substr(second + 1);
  }
  return "";
}

}  // namespace

std::vector<fs::path> cgroup_folders(const std::string& root, const std::string& controller) {
  std::vector<fs::path> folders;
  const auto add = [&](const fs::path& folder) {
    std::error_code ignored;
    if (!fs::is_directory(folder, ignored)) return;
    if (std::find(folders.begin(), folders.end(), folder) == folders.end()) folders.push_back(folder);
  };
  const std::string own = own_group(root, controller);
  for (const Mount& mount : mounts_of(root, controller)) {
    // Below a mount whose top is /docker/x the group /docker/x/y is at y.
    std::string below = own;
    if (mount.top != "/" && below.starts_with(mount.top)) below.erase(0, mount.top.size());
    for (fs::path group = below; group.has_relative_path(); group = group.parent_path()) {
      add(mount.at / group.relative_path());
    }
    add(mount.at);
  }
  return folders;
}

}  // namespace splitsim
