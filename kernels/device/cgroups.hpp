// The control groups that a process lies in. Not part of the interface of kernels/device: machine.cpp alone uses it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace splitsim {

/// The folders of a v1 controller ("memory", "cpu") or, with an empty name, of v2: the process' own group first, then
/// every group above it. Folders that cannot be seen (another namespace) are left out. `root`: where /proc and /sys
/// are.
std::vector<std::filesystem::path> cgroup_folders(const std::string& root, const std::string& controller);

}  // namespace splitsim
