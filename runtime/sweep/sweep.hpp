// The runs of a sweep: which they are, what they are called, and the folder that keeps them.
#pragma once

#include <string>
#include <vector>

#include "runtime/config/config.hpp"
#include "runtime/sweep/read/sweep_spec.hpp"

namespace splitsim {

struct SweepRun {
  std::string name;                 ///< of its folder below runs/
  std::vector<std::string> labels;  ///< its value of each axis
  Config config;
  std::string config_sha256;
};

/// An axis as the records have it.
struct AxisLabels {
  std::string name;
  std::vector<std::string> keys, values;
  bool seed = false;
};

struct Sweep {
  std::string source;
  std::vector<AxisLabels> axes;
  std::vector<SweepRun> runs;  ///< crossed, the last axis varies fastest
  std::vector<std::string> slurm_args;
};

/// Crosses the axes and resolves every run's config. A name is one part per axis, "ugs-clients=64-seed=1": a value that
/// is a word stands alone, others follow the shortest end of the key that no other axis has. A part depends on its own
/// value alone, so that values added later rename nothing. Characters that are no good in folder names become "_", and
/// eight digits of the label's SHA-256 then keep it apart, as in parts that are too long. Errors: InputError of a config,
/// naming the run; two runs with equal configs; more than 100000 runs.
Sweep expand(const SweepSpec& spec);

/// Paths of a sweep directory.
struct SweepFiles {
  std::string dir;

  std::string path(const std::string& name) const;
  std::string run(const SweepRun& run) const;      ///< runs/NAME
  std::string config(const SweepRun& run) const;   ///< configs/NAME.toml
  std::string log(const SweepRun& run) const;      ///< logs/NAME.log
  std::string failure(const SweepRun& run) const;  ///< failures/NAME: one line, there while the run counts as failed
};

/// Whether a folder holds a sweep.
bool is_sweep_directory(const std::string& dir);

/// Writes sweep.json, axes.json and configs/. What is there already with the same content stays untouched.
void store_sweep(const Sweep& sweep, const SweepFiles& files);

/// The sweep that was stored. Errors: InputError.
Sweep load_sweep(const SweepFiles& files);

/// Reads it as JSON: a list of {"name", "keys", "values", "seed"}.
std::string axes_json(const Sweep& sweep);

}  // namespace splitsim
