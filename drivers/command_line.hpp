// What every executable says about itself: short help, help by section, man page, shell completion; all from the
// options that it declares and the table of keys.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace splitsim {

/// What the options do not say.
struct Manual {
  std::string notes = {};     ///< examples, exit codes: behind the options of the short help
  bool reads_config = false;  ///< takes the keys of the configuration: sections, completion and man page have them
  bool prints_config = true;  ///< and writes it: --print-config
};

/// One option, as help and completion see it.
struct OptionText {
  std::vector<std::string> names;    ///< "--out", "-h"; of a positional argument none
  std::string value;                 ///< "DIR"; empty for a flag
  std::vector<std::string> choices;  ///< of "a|b|c"
  std::string help;
};
std::vector<OptionText> option_texts(const CLI::App& app);

/// Answers --help [SECTION], --version, --completion SHELL and --man wherever they stand in the arguments. True: one
/// was there. Errors: InputError for a section or shell that there is not.
bool answer_questions(CLI::App& app, int argc, char** argv, const Manual& manual);

/// A script that makes a shell complete the options of this program, their values, and the keys of the configuration
/// with theirs. shell: bash, zsh, fish. Errors: InputError.
std::string completion_script(const std::string& shell, const CLI::App& app, const Manual& manual);

/// The program's page for man(1), section 1.
std::string man_page(const CLI::App& app, const Manual& manual);

}  // namespace splitsim
