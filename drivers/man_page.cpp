#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cstdlib>
#include <ctime>
#include <sstream>

#include "drivers/command_line.hpp"
#include "runtime/config/keys/keys.hpp"
#include "runtime/config/keys/short_keys.hpp"
#include "runtime/config/version.hpp"

namespace splitsim {

namespace {

// Text as roff: no escapes, no requests.
std::string roff(const std::string& text) {
  std::string out;
  bool line_start = true;
  for (const char c : text) {
    if (line_start && (c == '.' || c == '\'')) out += "\\&";
    line_start = c == '\n';
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

std::string verbatim(const std::string& text) {
  std::string body = text;
  while (body.starts_with("\n")) body.erase(0, 1);
  while (body.ends_with("\n")) body.pop_back();
  std::string lines;
  std::istringstream stream(body);
  // An empty line would be a paragraph's end, also where nothing is filled.
  for (std::string line; std::getline(stream, line);) lines += (line.empty() ? "\\&" : roff(line)) + "\n";
  return ".nf\n" + lines + ".fi\n";
}

// Of the page: today, or what a reproducible build says.
std::string date() {
  std::time_t now = std::time(nullptr);
  if (const char* epoch = std::getenv("SOURCE_DATE_EPOCH")) now = static_cast<std::time_t>(std::atoll(epoch));
  return fmt::format("{:%Y-%m-%d}", fmt::gmtime(now));
}

std::string options(const CLI::App& app) {
  std::string text = ".SH OPTIONS\n";
  for (const OptionText& option : option_texts(app)) {
    std::string names;
    for (const std::string& name : option.names) names += (names.empty() ? "" : ", ") + name;
    text += fmt::format(".TP\n\\fB{}\\fR{}{}\n{}\n", roff(names), names.empty() || option.value.empty() ? "" : " ",
                        option.value.empty() ? "" : "\\fI" + roff(option.value) + "\\fR", roff(option.help));
  }
  text +=
      ".TP\n\\fB\\-\\-completion\\fR \\fIbash|zsh|fish\\fR\nWrite a completion script for this shell.\n"
      ".TP\n\\fB\\-\\-man\\fR\nWrite this page.\n";
  return text;
}

std::string configuration() {
  const Config defaults;
  std::string text =
      ".SH CONFIGURATION\nA configuration is a TOML file; every key can be overridden with \\fB\\-\\-set\\fR.\n"
      "Keys that the chosen kinds do not read are errors.\n";
  std::string table = "none";
  for (const Key& key : config_keys()) {
    const std::size_t dot = key.path.find('.');
    const std::string now = dot == std::string::npos ? "" : key.path.substr(0, dot);
    if (now != table && !now.empty()) text += fmt::format(".SS [{}]\n", now);
    table = now;
    const std::string value = value_toml(key, defaults), where = read_where(key);
    text += fmt::format(".TP\n\\fB{}\\fR{}\n{}{}: {}.\n", roff(key.path), value.empty() ? "" : " = " + roff(value),
                        roff(key.help), key.unit.empty() ? "" : " [" + roff(key.unit) + "]",
                        roff(allowed_values(key.rule)));
    if (!where.empty()) text += fmt::format("Only with {}.\n", roff(where));
  }
  text += ".SS Short keys\n";
  for (const ShortKey& key : short_keys()) {
    text += fmt::format(".TP\n\\fB{}\\fR\n{}\n", roff(key.path), roff(joined(key.means)));
  }
  return text;
}

}  // namespace

std::string man_page(const CLI::App& app, const Manual& manual) {
  const std::string program = app.get_name();
  std::string upper = program;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  std::string summary = app.get_description(), arguments;
  const std::string sentence = summary.substr(0, summary.find_first_of(".:"));
  for (const OptionText& option : option_texts(app)) {
    if (option.names.empty()) arguments += " [\\fI" + roff(option.value) + "\\fR]";
  }
  std::string text = fmt::format(".TH {} 1 \"{}\" \"splitsim {}\" \"User Commands\"\n.SH NAME\n{} \\- {}\n",
                                 roff(upper), date(), roff(version()), roff(program), roff(sentence));
  text += fmt::format(".SH SYNOPSIS\n\\fB{}\\fR [\\fIOPTIONS\\fR]{}\n.SH DESCRIPTION\n{}\n", roff(program), arguments,
                      roff(summary));
  text += options(app);
  if (manual.reads_config) text += configuration();
  if (!manual.notes.empty()) text += ".SH NOTES\n" + verbatim(manual.notes);
  std::string others;
  for (const char* other : {"splitsim-run", "splitsim-sample", "splitsim-retime", "splitsim-sweep", "splitsim-report",
                            "splitsim-info", "splitsim-bench"}) {
    if (other != program) others += fmt::format("{}.BR {} (1)", others.empty() ? "" : ",\n", roff(other));
  }
  return text + ".SH SEE ALSO\n" + others + "\n";
}

}  // namespace splitsim
