// Lines for the user on stderr. They are a courtesy: that nobody can read them (a full disk, a closed stream) never
// changes what the program does, so nothing here throws.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace splitsim {

/// The name that lines start with, "splitsim-run". Default: "splitsim".
void set_program_name(const std::string& name);

/// Writes "program: message" as one line, control characters in it replaced by blanks.
void report_line(std::string_view message) noexcept;

/// Something that is allowed but probably not meant: one line, "program: warning: message", each text once per process.
void warn(const std::string& message) noexcept;

/// How many different warnings there were so far.
std::size_t warning_count() noexcept;

}  // namespace splitsim
