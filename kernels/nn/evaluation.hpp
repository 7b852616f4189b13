// The first and the last kernel of a forward pass that tests replicas. Ring R1. Determinism: exact.
#pragma once

#include <cstdint>

#include "kernels/device/view.hpp"
#include "kernels/nn/support/grouped.hpp"

namespace splitsim {

/// What is tested: R replicas, each on the same samples. A pass takes up to `together` replicas with up to `batch` samples
/// each, so a replica's samples need ceil(samples / batch) passes in a row.
struct EvalRequest {
  std::int32_t first_sample = 0, samples = 0;  ///< of a list of samples
  std::int32_t replicas = 1;                   ///< R
  std::int32_t batch = 1, together = 1;
  PSL_HD std::int32_t parts() const { return (samples + batch - 1) / batch; }
  PSL_HD std::int32_t passes() const { return (replicas + together - 1) / together * parts(); }
};

/// Slots of one pass. What is asked for is read from the device, so that all passes of all requests are the same launches.
struct EvalTables {
  View<EvalRequest> request;  // [1]
  View<std::int32_t> tested;  // [most R] place in the request -> replica
  View<std::int32_t> pass;    // [1] which pass comes next
  View<std::int32_t> slots;   // [1] valid slots of this pass
  View<std::int32_t> sample;  // [S] id, -1 for empty slots; S >= batch * together
  View<std::int32_t> label;   // [S]
  RankTable whole, replicas;  // all slots on replica 0; a rank per replica tested in this pass
};

/// What the tests find: of replica r of the request confusion[r] ([classes, classes], row = label, column = prediction), and
/// the sums of its losses, loss_sums[pass, place in the pass].
struct EvalResults {
  View<std::int32_t> confusion;  // [R, classes, classes], added to
  View<double> loss_sums;        // [passes, together]
};

/// Fills the tables for the next pass. ids: the list of samples; labels: of the whole data set.
template <class Context>
void begin_eval(Context& ctx, View<const std::int32_t> ids, View<const std::int32_t> labels, const EvalTables& tables);

/// Adds the pass to the results and moves on to the next.
template <class Context>
void end_eval(Context& ctx, std::int32_t classes, View<const float> loss, View<const std::int32_t> predicted,
              const EvalTables& tables, const EvalResults& results);

}  // namespace splitsim
