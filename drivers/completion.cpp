#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "drivers/command_line.hpp"
#include "runtime/config/help.hpp"
#include "runtime/config/keys/keys.hpp"
#include "runtime/config/keys/short_keys.hpp"

namespace splitsim {

namespace {

/// A key as a shell sees it.
struct KeyValues {
  std::string path;
  std::vector<std::string> values;  ///< none: anything
  bool is_path = false;
};

std::vector<KeyValues> all_keys() {
  std::vector<KeyValues> keys;
  for (const Key& key : config_keys()) {
    KeyValues& entry = keys.emplace_back(KeyValues{key.path, {}, key.is_path()});
    if (const auto* rule = std::get_if<ChoiceRule>(&key.rule)) {
      for (const Choice& choice : rule->choices) entry.values.push_back(choice.name);
    } else if (std::holds_alternative<FlagRule>(key.rule)) {
      entry.values = {"true", "false"};
    } else if (const auto* draw = std::get_if<DistributionRule>(&key.rule)) {
      entry.path += ".kind";
      for (const DistributionInfo& info : distribution_infos()) {
        if (draw->use != DistributionUse::kJitter || info.jitter) entry.values.push_back(info.name);
      }
    }
  }
  const std::size_t long_keys = keys.size();
  for (const ShortKey& key : short_keys()) {
    for (std::size_t i = 0; i < long_keys; ++i) {
      if (keys[i].path == key.means.front()) keys.push_back({key.path, keys[i].values, false});
    }
  }
  return keys;
}

std::string words(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& word : list) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::vector<std::string> section_names() {
  std::vector<std::string> names;
  for (const HelpSection& section : help_sections()) names.push_back(section.name);
  return names;
}

// Options with what follows them: the choices, a folder, or a file.
std::vector<OptionText> named_options(const CLI::App& app, const Manual& manual) {
  std::vector<OptionText> options;
  for (OptionText& option : option_texts(app)) {
    if (option.names.empty()) continue;
    const bool help = std::find(option.names.begin(), option.names.end(), "--help") != option.names.end();
    if (help && manual.reads_config) {
      option.value = "SECTION";
      option.choices = section_names();
    }
    options.push_back(std::move(option));
  }
  return options;
}

std::string function_name(const CLI::App& app) {
  std::string name = "_" + app.get_name();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

// Bash splits words at "=": key=value arrives as three.
std::string bash(const CLI::App& app, const Manual& manual) {
  const std::string function = function_name(app);
  std::string names, cases, keys, values;
  for (const OptionText& option : named_options(app, manual)) {
    for (const std::string& name : option.names) names += (names.empty() ? "" : " ") + name;
    if (option.value.empty()) continue;
    std::string patterns;
    for (const std::string& name : option.names) patterns += (patterns.empty() ? "" : "|") + name;
    if (!option.choices.empty()) {
      cases +=
          fmt::format("    {}) COMPREPLY=($(compgen -W \"{}\" -- \"$cur\")) ;;\n", patterns, words(option.choices));
    } else if (option.value == "DIR") {
      cases += fmt::format("    {}) {}_files -d ;;\n", patterns, function);
    } else if (option.value == "KEY=VALUE") {
      cases += fmt::format("    {}) {}_keys ;;\n", patterns, function);
    }
  }
  if (manual.reads_config) {
    for (const KeyValues& key : all_keys()) {
      keys += (keys.empty() ? "" : " ") + key.path;
      if (key.is_path) values += fmt::format("    {}) {}_files -f ;;\n", key.path, function);
      if (!key.values.empty()) {
        values += fmt::format("    {}) COMPREPLY=($(compgen -W \"{}\" -- \"$cur\")) ;;\n", key.path, words(key.values));
      }
    }
  }
  return fmt::format(R"(# bash completion for {program}
{function}_files() {{
  mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
  compopt -o filenames 2>/dev/null
}}
{function}_keys() {{
  COMPREPLY=($(compgen -S = -W "{keys}" -- "$cur"))
  compopt -o nospace 2>/dev/null
  {function}_toml
}}
# A configuration may stand after --set too.
{function}_toml() {{
  [[ -n $cur ]] || return
  local file
  while IFS= read -r file; do COMPREPLY+=("$file"); done < <(compgen -f -X '!*.toml' -- "$cur")
}}
{function}() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} key= option= i
  COMPREPLY=()
  if [[ $cur == = ]]; then
    key=$previous cur=
  elif [[ $previous == = ]]; then
    key=${{COMP_WORDS[COMP_CWORD-2]}}
  fi
  case $key in
    '') ;;
{values}    *) return ;;
  esac
  [[ -n $key ]] && return
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "{names}" -- "$cur"))
    return
  fi
  [[ $previous == -* ]] && option=$previous
  for ((i = COMP_CWORD - 1; i > 0; --i)); do  # --set takes several
    [[ ${{COMP_WORDS[i]}} == -* ]] || continue
    [[ ${{COMP_WORDS[i]}} == --set ]] && option=--set
    break
  done
  case $option in
{cases}    *) {function}_files -f ;;
  esac
}}
complete -F {function} {program}
)",
                     fmt::arg("program", app.get_name()), fmt::arg("function", function), fmt::arg("keys", keys),
                     fmt::arg("names", names), fmt::arg("values", values), fmt::arg("cases", cases));
}

// Within single quotes and zsh's [description].
std::string zsh_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else if (c == '[' || c == ']' || c == ':' || c == '\\') {
      out += '\\';
      out += c;
    } else {
      out += c;
    }
  }
  return out;
}

std::string zsh(const CLI::App& app, const Manual& manual) {
  const std::string function = function_name(app);
  std::string arguments, keys, values;
  for (const OptionText& option : named_options(app, manual)) {
    for (const std::string& name : option.names) {
      const bool several = option.value == "KEY=VALUE";
      arguments += fmt::format("    '{}{}[{}]", several ? "*" : "", name, zsh_text(option.help));
      if (!option.choices.empty()) {
        // The section after --help may be left out.
        arguments += fmt::format(":{}{}:({})", option.value == "SECTION" ? ":" : "", zsh_text(option.value),
                                 words(option.choices));
      } else if (option.value == "DIR") {
        arguments += ":folder:_files -/";
      } else if (several && manual.reads_config) {
        arguments += fmt::format(":key=value:{}_keys", function);
      } else if (!option.value.empty()) {
        arguments += fmt::format(":{}:_files", zsh_text(option.value));
      }
      arguments += "' \\\n";
    }
  }
  for (const KeyValues& key : all_keys()) {
    keys += (keys.empty() ? "" : " ") + key.path;
    if (key.is_path) values += fmt::format("      {}) _files ;;\n", key.path);
    if (!key.values.empty()) values += fmt::format("      {}) compadd -- {} ;;\n", key.path, words(key.values));
  }
  std::string key_function;
  if (manual.reads_config) {
    key_function = fmt::format(R"({0}_keys() {{
  local key=${{PREFIX%%=*}}
  if compset -P '*='; then
    case $key in
{2}    esac
  else
    compadd -S = -- {1}
  fi
}}
)",
                               function, keys, values);
  }
  return fmt::format("#compdef {0}\n{2}{1}() {{\n  _arguments \\\n{3}    '*:file:_files'\n}}\n{1} \"$@\"\n",
                     app.get_name(), function, key_function, arguments);
}

std::string fish_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string fish(const CLI::App& app, const Manual& manual) {
  std::string text = fmt::format("# fish completion for {}\n", app.get_name());
  for (const OptionText& option : named_options(app, manual)) {
    text += fmt::format("complete -c {}", app.get_name());
    for (const std::string& name : option.names) {
      text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    }
    text += fmt::format(" -d '{}'", fish_text(option.help));
    if (!option.choices.empty()) {
      text += fmt::format(" -{} -a '{}'", option.value == "SECTION" ? "f" : "x", words(option.choices));
    } else if (option.value == "KEY=VALUE" && manual.reads_config) {
      std::string list;
      for (const KeyValues& key : all_keys()) {
        if (key.values.empty()) list += (list.empty() ? "" : " ") + key.path + "=";
        for (const std::string& value : key.values) list += (list.empty() ? "" : " ") + key.path + "=" + value;
      }
      text += fmt::format(" -x -a '{}'", list);
    } else if (!option.value.empty()) {
      text += " -r";
    }
    text += "\n";
  }
  return text;
}

}  // namespace

std::string completion_script(const std::string& shell, const CLI::App& app, const Manual& manual) {
  if (shell == "bash") return bash(app, manual);
  if (shell == "zsh") return zsh(app, manual);
  if (shell == "fish") return fish(app, manual);
  throw InputError(fmt::format("--completion {}: allowed: bash, zsh, fish", quoted(shell)));
}

}  // namespace splitsim
