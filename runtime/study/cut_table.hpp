// The price of every cut: what a model's possible cuts cost a client, the server and the link, and how long a step then
// takes, in the scene's own population, sampler and clock. Determinism: exact.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/plan/scene.hpp"

namespace splitsim {

/// One place where the model can be cut.
struct CutRow {
  std::string cut;                    ///< the shortest of its names
  std::int64_t macs[2] = {};          ///< multiply-adds of a sample's forward pass, by side
  std::int64_t parameters[2] = {};    ///< by side
  std::int64_t activation_bytes = 0;  ///< per sample, up
  std::int64_t gradient_bytes = 0;    ///< per sample, down
  double step_s = 0.0;                ///< mean virtual time of the first epoch's steps
};

/// In the order of the layers. Empty for modes without a cut.
std::vector<CutRow> cut_table(const Scene& scene);

/// As text of at most 80 columns, with the cut of the shortest step named below.
std::string to_text(const std::vector<CutRow>& rows);

}  // namespace splitsim
