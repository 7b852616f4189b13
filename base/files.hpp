// Files that are whole or absent.
// Errors: InputError naming the path and the system's reason.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace splitsim {

/// Writes `parts` one after another to path + ".part", makes them durable (fsync), then renames: a kill at any moment
/// leaves the old file or the new one.
void write_file_atomically(const std::string& path, const std::vector<std::string_view>& parts);
void write_file_atomically(const std::string& path, std::string_view text);

/// Adds `text` at the end in one write and makes it durable. A kill may leave a part of it; the readers of
/// records.hpp's files drop an unfinished last line.
void append_to_file(const std::string& path, std::string_view text);

/// A whole file.
std::string read_text_file(const std::string& path);

}  // namespace splitsim
