#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/nearest.hpp"
#include "runtime/config/keys/keys.hpp"
#include "runtime/config/read/paths.hpp"
#include "runtime/sweep/read/axis_values.hpp"
#include "runtime/sweep/read/sweep_spec.hpp"

namespace splitsim {

namespace {

using Position = toml::source_region;

bool before(const Position& a, const Position& b) {
  return std::pair(a.begin.line, a.begin.column) < std::pair(b.begin.line, b.begin.column);
}

/// A key with its value, as they stand in the file.
struct Leaf {
  std::string key;
  const toml::node* node;
  Position at;  ///< of the key
};

/// TOML keeps the keys of a table sorted by name; a sweep goes by the order in which they are written.
class SweepFile {
 public:
  explicit SweepFile(const std::string& source) : source_(one_line(source)), folder_(folder_of_paths(source)) {}

  SweepSpec read(const toml::table& document);

 private:
  std::string place(const Position& at) const {
    return fmt::format("{}:{}:{}", source_, at.begin.line, at.begin.column);
  }
  [[noreturn]] void fail(const Position& at, const std::string& message) const {
    throw InputError(place(at) + ": " + message);
  }
  const toml::table& table_of(const std::string& key, const toml::node& node, const char* example) const {
    if (!node.is_table()) fail(node.source(), fmt::format("{}: allowed: a table, as in {}", key, example));
    return *node.as_table();
  }
  /// Every key below `table` in the order of the file. whole: tables that are values of one key are not opened.
  std::vector<Leaf> leaves(const toml::table& table, bool whole) const {
    std::vector<Leaf> found;
    collect(table, "", whole, found);
    std::sort(found.begin(), found.end(), [](const Leaf& a, const Leaf& b) { return before(a.at, b.at); });
    return found;
  }
  void collect(const toml::table& table, const std::string& prefix, bool whole, std::vector<Leaf>& found) const {
    for (const auto& [key, node] : table) {
      const std::string path = prefix + std::string(key.str());
      if (node.is_table() && !(whole && find_key(path) != nullptr)) {
        collect(*node.as_table(), path + ".", whole, found);
      } else {
        found.push_back({path, &node, key.source()});
      }
    }
  }
  Override setting(const std::string& key, const toml::node& node) const {
    return {key + "=" + inline_toml(node), place(node.source()), folder_};
  }
  std::vector<AxisValue> values(const Leaf& leaf) const;
  Axis grid(const Leaf& leaf) const { return {leaf.key, {leaf.key}, values(leaf), takes_words(leaf.key)}; }
  Axis zip(const std::string& name, const toml::table& table, const Position& at) const;
  Axis variants(const std::string& name, const toml::table& table, const Position& at) const;
  void read_slurm(const toml::table& table, SweepSpec& spec) const;

  std::string source_, folder_;
};

std::vector<AxisValue> SweepFile::values(const Leaf& leaf) const {
  std::vector<AxisValue> values;
  if (const auto* text = leaf.node->as_string()) {
    if (const auto range = range_of(text->get(), place(leaf.node->source()))) {
      for (const std::int64_t value : *range) {
        const toml::value<std::int64_t> node(value);
        values.push_back({label_of(node), {{leaf.key + "=" + inline_toml(node), place(leaf.node->source()), folder_}}});
      }
      return values;
    }
  }
  const toml::array* list = leaf.node->as_array();
  if (list == nullptr || list->empty()) {
    fail(leaf.node->source(),
         fmt::format("{}: allowed: a list of values, as in [1, 2], or a range, as in \"1..5\"", leaf.key));
  }
  for (const toml::node& item : *list) values.push_back({label_of(item), {setting(leaf.key, item)}});
  return values;
}

Axis SweepFile::zip(const std::string& name, const toml::table& table, const Position& at) const {
  Axis axis{name, {}, {}, false};
  for (const Leaf& leaf : leaves(table, false)) {
    const std::vector<AxisValue> column = values(leaf);
    if (!axis.keys.empty() && column.size() != axis.values.size()) {
      fail(leaf.at, fmt::format("{} has {} values and {} has {}: allowed in a zip: equally many", leaf.key,
                                column.size(), axis.keys.front(), axis.values.size()));
    }
    axis.values.resize(column.size());
    for (std::size_t i = 0; i < column.size(); ++i) {
      axis.values[i].label += (axis.keys.empty() ? "" : "+") + column[i].label;
      axis.values[i].overrides.push_back(column[i].overrides.front());
    }
    axis.keys.push_back(leaf.key);
  }
  if (axis.keys.empty()) fail(at, fmt::format("zip.{}: allowed: at least one key with its values", name));
  return axis;
}

Axis SweepFile::variants(const std::string& name, const toml::table& table, const Position& at) const {
  Axis axis{name, {}, {}, true};
  std::vector<std::pair<Position, AxisValue>> found;
  for (const auto& [label, node] : table) {
    const toml::table& settings =
        table_of(fmt::format("variants.{}.{}", name, std::string(label.str())), node, "{ sampler.kind = \"lds\" }");
    AxisValue value{one_line(std::string(label.str())), {}};
    for (const Leaf& leaf : leaves(settings, true)) {
      value.overrides.push_back(setting(leaf.key, *leaf.node));
      if (std::find(axis.keys.begin(), axis.keys.end(), leaf.key) == axis.keys.end()) axis.keys.push_back(leaf.key);
    }
    found.emplace_back(label.source(), std::move(value));
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return before(a.first, b.first); });
  for (auto& [position, value] : found) axis.values.push_back(std::move(value));
  if (axis.keys.empty())
    fail(at, fmt::format("variants.{}: allowed: names with the keys that each of them sets", name));
  return axis;
}

void SweepFile::read_slurm(const toml::table& table, SweepSpec& spec) const {
  for (const auto& [key, node] : table) {
    const toml::array* list = node.as_array();
    const bool texts = list != nullptr &&
                       std::all_of(list->begin(), list->end(), [](const toml::node& item) { return item.is_string(); });
    if (key.str() != "args")
      fail(key.source(), fmt::format("unknown key slurm.{}; known: args", std::string(key.str())));
    if (!texts) fail(node.source(), "slurm.args: allowed: a list of sbatch's options, as in [\"--time=2:00:00\"]");
    for (const toml::node& item : *list) spec.slurm_args.push_back(item.as_string()->get());
  }
}

SweepSpec SweepFile::read(const toml::table& document) {
  static const std::vector<std::string> known = {"base", "set", "grid", "zip", "variants", "slurm"};
  SweepSpec spec;
  spec.source = source_;
  std::vector<std::pair<Position, Axis>> axes;
  for (const auto& [key, node] : document) {
    const std::string name(key.str());
    if (name == "base") {
      if (!node.is_string()) fail(node.source(), "base: allowed: the path of a configuration");
      const std::string path = absolute_path(node.as_string()->get(), folder_);
      try {
        spec.base = {read_text_file(path), path};
      } catch (const InputError& error) {
        fail(node.source(), fmt::format("base: {}", error.what()));
      }
    } else if (name == "set") {
      for (const Leaf& leaf : leaves(table_of(name, node, "[set]"), true)) {
        spec.common.push_back(setting(leaf.key, *leaf.node));
      }
    } else if (name == "grid") {
      for (const Leaf& leaf : leaves(table_of(name, node, "[grid]"), false)) axes.emplace_back(leaf.at, grid(leaf));
    } else if (name == "zip" || name == "variants") {
      for (const auto& [axis, inner] : table_of(name, node, "[variants.NAME]")) {
        const std::string axis_name(axis.str());
        const toml::table& table = table_of(name + "." + axis_name, inner, "[variants.NAME]");
        axes.emplace_back(axis.source(), name == "zip" ? zip(axis_name, table, axis.source())
                                                       : variants(axis_name, table, axis.source()));
      }
    } else if (name == "slurm") {
      read_slurm(table_of(name, node, "[slurm]"), spec);
    } else {
      const bool setting = std::any_of(config_keys().begin(), config_keys().end(), [&](const Key& one) {
        return one.path == name || one.path.starts_with(name + ".");
      });
      const std::string meant = nearest(name, known);
      fail(key.source(), fmt::format("unknown key {}{}", quoted(name),
                                     setting ? "; settings of all runs go below [set] (a configuration: --config)"
                                     : meant.empty() ? "; known: " + joined(known)
                                                     : "; did you mean " + meant + "?"));
    }
  }
  std::sort(axes.begin(), axes.end(), [](const auto& a, const auto& b) { return before(a.first, b.first); });
  for (auto& [at, axis] : axes) spec.axes.push_back(std::move(axis));
  return spec;
}

}  // namespace

SweepSpec parse_sweep(const std::string& toml_text, const std::string& source) {
  try {
    SweepSpec spec = SweepFile(source).read(toml::parse(toml_text));
    check_axes(spec);
    return spec;
  } catch (const toml::parse_error& error) {
    throw InputError(fmt::format("{}:{}:{}: {}", one_line(source), error.source().begin.line,
                                 error.source().begin.column, one_line(std::string(error.description()))));
  }
}

SweepSpec read_sweep(const std::string& path) { return parse_sweep(read_text_file(path), path); }

}  // namespace splitsim
