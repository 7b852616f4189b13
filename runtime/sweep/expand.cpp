#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "runtime/config/keys/keys.hpp"
#include "runtime/sweep/sweep.hpp"

namespace splitsim {

namespace {

constexpr std::size_t kMostRuns = 100'000;
constexpr std::size_t kLongestPart = 60, kLongestName = 200;  // of a file name of 255

std::string with_hash(const std::string& shown, const std::string& whole) {
  Sha256 hash;
  hash.add(whole);
  return shown + "-" + hash.hex().substr(0, 8);
}

std::string safe(const std::string& text, std::size_t longest) {
  std::string shown = text;
  for (char& c : shown) {
    const bool plain =
        std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-' || c == '+' || c == '=';
    if (!plain || static_cast<unsigned char>(c) >= 0x80) c = '_';
  }
  const bool cut = shown.size() > longest;
  if (cut) shown.resize(longest - 9);
  return cut || shown != text ? with_hash(shown, text) : shown;
}

// The shortest end of each axis' name, at its points, that is the end of no other.
std::vector<std::string> short_names(const std::vector<Axis>& axes) {
  std::vector<std::string> names;
  for (const Axis& axis : axes) {
    std::string name = axis.name;
    for (std::size_t dot = axis.name.rfind('.'); dot != std::string::npos; dot = axis.name.rfind('.', dot - 1)) {
      const std::string end = axis.name.substr(dot);
      const bool alone = std::none_of(axes.begin(), axes.end(), [&](const Axis& other) {
        return &other != &axis && (other.name.ends_with(end) || "." + other.name == end);
      });
      if (alone) {
        name = end.substr(1);
        break;
      }
      if (dot == 0) break;
    }
    names.push_back(name);
  }
  return names;
}

std::string part_of(const Axis& axis, const std::string& short_name, const std::string& label) {
  const bool word = axis.words && !label.empty() && std::isalpha(static_cast<unsigned char>(label.front())) != 0;
  return safe(word ? label : short_name + "=" + label, kLongestPart);
}

std::string listed(const SweepSpec& spec, const SweepRun& run) {
  std::string text;
  for (std::size_t i = 0; i < spec.axes.size(); ++i) {
    text += fmt::format("{}{} = {}", i == 0 ? "" : ", ", spec.axes[i].name, run.labels[i]);
  }
  return text;
}

void refuse_twins(const SweepSpec& spec, const std::vector<SweepRun>& runs) {
  std::map<std::string, const SweepRun*> by_hash, by_name;
  for (const SweepRun& run : runs) {
    const auto [twin, fresh] = by_hash.emplace(run.config_sha256, &run);
    if (!fresh) {
      throw InputError(
          fmt::format("{}: the runs ({}) and ({}) are the same experiment; allowed: axes whose values all "
                      "make a difference (variants set several keys at once)",
                      spec.source, listed(spec, *twin->second), listed(spec, run)));
    }
    const auto [other, alone] = by_name.emplace(run.name, &run);
    if (!alone) {
      throw InputError(fmt::format("{}: the runs ({}) and ({}) would both be called {}; allowed: other labels",
                                   spec.source, listed(spec, *other->second), listed(spec, run), run.name));
    }
  }
}

}  // namespace

Sweep expand(const SweepSpec& spec) {
  check_axes(spec);
  Sweep sweep{spec.source, {}, {}, spec.slurm_args};
  std::size_t count = 1;
  for (const Axis& axis : spec.axes) {
    AxisLabels& labels = sweep.axes.emplace_back(AxisLabels{axis.name, axis.keys, {}, axis.is_seed()});
    for (const AxisValue& value : axis.values) labels.values.push_back(value.label);
    count *= axis.values.size();
    if (count > kMostRuns) {
      throw InputError(fmt::format("{}: more than {} runs; allowed: fewer values", spec.source, kMostRuns));
    }
  }
  const std::vector<std::string> names = short_names(spec.axes);
  std::vector<ConfigVariant> variants;
  for (std::size_t at = 0; at < count; ++at) {
    SweepRun& run = sweep.runs.emplace_back();
    ConfigVariant& variant = variants.emplace_back(ConfigVariant{"--set", {}, ""});
    std::size_t stride = count, rest = at;
    for (std::size_t i = 0; i < spec.axes.size(); ++i) {
      const Axis& axis = spec.axes[i];
      stride /= axis.values.size();
      const AxisValue& value = axis.values[rest / stride];
      rest %= stride;
      run.labels.push_back(value.label);
      run.name += (i == 0 ? "" : "-") + part_of(axis, names[i], value.label);
      variant.overrides.insert(variant.overrides.end(), value.overrides.begin(), value.overrides.end());
    }
    if (run.name.empty()) run.name = "run";
    if (run.name.size() > kLongestName) run.name = with_hash(run.name.substr(0, kLongestName - 9), run.name);
    variant.name = "run " + run.name;
  }
  const std::vector<Config> configs = parse_variants(spec.base, spec.common, variants);
  for (std::size_t at = 0; at < count; ++at) {
    sweep.runs[at].config = configs[at];
    sweep.runs[at].config_sha256 = config_sha256(configs[at]);
  }
  refuse_twins(spec, sweep.runs);
  return sweep;
}

}  // namespace splitsim
