// A sweep as it is written: a base config, settings common to all runs, and axes whose values are crossed.
#pragma once

#include <string>
#include <vector>

#include "runtime/config/config.hpp"

namespace splitsim {

struct AxisValue {
  std::string label;  ///< as in index.csv and in the names of runs
  std::vector<Override> overrides;
};

/// What varies. An axis of one key, several keys in step (zip), or named variants that set several keys each.
struct Axis {
  std::string name;               ///< the key, or the name of the zip or variants
  std::vector<std::string> keys;  ///< all that its values set, in the order in which they are written
  std::vector<AxisValue> values;
  bool words = false;  ///< its values are words that need no name before them (kinds, names, modes, variants)

  /// Whether it varies nothing but seeds: what reports take means over.
  bool is_seed() const;
};

struct SweepSpec {
  std::string source;  ///< the sweep's file, or "command line"
  ConfigText base = {"", "default"};
  std::vector<Override> common;
  std::vector<Axis> axes;               ///< the last one varies fastest
  std::vector<std::string> slurm_args;  ///< of sbatch
};

/// Reads a sweep file (docs/sweeps.md): keys base, [set], [grid], [zip.NAME], [variants.NAME], [slurm]. Relative paths
/// count from its folder. Errors: InputError with file, line and column: syntax, unknown keys, values of another kind
/// than they should be, axes without values, two axes with one name or key. Keys and values of the config itself are
/// looked at by expand().
SweepSpec read_sweep(const std::string& path);
SweepSpec parse_sweep(const std::string& toml_text, const std::string& source);

/// The command line's axes. grid: "key=a,b,c" or "key=1..5"; zips: the same, all of one length, one axis together.
/// Errors: InputError naming the option.
void add_grid(SweepSpec& spec, const std::string& grid);
void add_zip(SweepSpec& spec, const std::vector<std::string>& zips);

/// Throws InputError if two axes share a name or a key, an axis sets a key of the common settings, or an axis has the
/// name of one of index.csv's own columns.
void check_axes(const SweepSpec& spec);

}  // namespace splitsim
