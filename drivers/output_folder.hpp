// Folders for results: whether they can be written is known before anything is computed.
#pragma once

#include <string>

namespace splitsim {

/// Refuses a folder that could not be made or written: something that is no folder, or below one; a folder without
/// permission, a file system that is read-only. Makes nothing. An empty name is fine. Errors: InputError naming
/// `option`.
void check_output_folder(const std::string& option, const std::string& dir);

/// The same for a file, itself not a folder, in a folder that must be there unless it is `made`, which the program makes.
void check_output_file(const std::string& option, const std::string& file, const std::string& made = "");

}  // namespace splitsim
