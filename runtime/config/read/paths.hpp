// Paths in a configuration: those of a file count from the file's folder, those of --set from the working directory.
#pragma once

#include <string>

namespace splitsim {

/// The folder that relative paths in this file count from, absolute: the one that it was named in, symbolic links left
/// as they are; for what is no file on a disk (pipes, /dev/stdin, a name without a file) the working directory.
std::string folder_of_paths(const std::string& file);

/// `path` as an absolute one that counts from `folder`, without "." and, where that leads to the same place, without
/// "..". Empty stays empty, a leading ~ is an ordinary character.
std::string absolute_path(const std::string& path, const std::string& folder);

}  // namespace splitsim
