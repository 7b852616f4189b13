#include "runtime/config/help.hpp"

#include <fmt/format.h>

#include <sstream>

#include "base/error.hpp"
#include "drivers/command_line.hpp"
#include "drivers/common.hpp"

namespace splitsim {

namespace {

std::string short_help(CLI::App& app, const Manual& manual) {
  std::string footer = manual.notes;
  if (manual.reads_config) {
    footer += "\nKeys of the configuration, by section (splitsim-... --help SECTION):\n ";
    for (const HelpSection& section : help_sections()) footer += fmt::format(" {}", section.name);
    footer += manual.prints_config ? "\n--print-config writes the commented configuration.\n" : "\n";
  }
  app.footer(footer);
  return app.help();
}

std::string questions_help() {
  return "\nFor packages: --completion bash|zsh|fish writes a script for the shell, --man the page for man(1).\n";
}

}  // namespace

std::vector<OptionText> option_texts(const CLI::App& app) {
  std::vector<OptionText> texts;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;  // not for people
    OptionText& text = texts.emplace_back();
    for (const std::string& name : option->get_lnames()) text.names.push_back(fmt::format("--{}", name));
    for (const std::string& name : option->get_snames()) text.names.push_back(fmt::format("-{}", name));
    text.help = option->get_description();
    if (option->get_expected_max() == 0 || option->get_type_size_max() == 0) continue;
    text.value = option->get_type_name();
    for (const char* check : {":{", ":INT", ":UINT", ":NONNEGATIVE"}) {  // what the checks have added
      text.value = text.value.substr(0, text.value.find(check));
    }
    const bool list =
        text.value.find_first_of("[,. ") == std::string::npos && text.value.find('|') != std::string::npos;
    std::istringstream names(list ? text.value : "");
    for (std::string name; std::getline(names, name, '|');) text.choices.push_back(name);
  }
  return texts;
}

bool answer_questions(CLI::App& app, int argc, char** argv, const Manual& manual) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i], next = i + 1 < argc ? argv[i + 1] : "";
    if (word == "--") return false;
    if (word == "--help" || word == "-h") {
      const bool section = manual.reads_config && !next.empty() && !next.starts_with("-");
      say_text(section ? config_help(next) : short_help(app, manual));
      if (next == "all") say_text(questions_help());
      return true;
    }
    if (word == "--completion") {
      say_text(completion_script(next, app, manual));
      return true;
    }
    if (word == "--man") {
      say_text(man_page(app, manual));
      return true;
    }
  }
  return false;
}

}  // namespace splitsim
