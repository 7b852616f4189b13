// One experiment, end to end: dataset -> partition -> schedule -> training and timeline -> records. One direction: each
// part is a value that the next one reads.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernels/device/buffer.hpp"
#include "kernels/device/context.hpp"
#include "runtime/config/config.hpp"
#include "runtime/record/records.hpp"
#include "runtime/run/progress.hpp"

namespace splitsim {

/// What a run will do and need, known before it starts.
struct ExperimentPlan {
  std::string dataset;
  std::int64_t train_samples = 0, test_samples = 0, validation_samples = 0;
  std::vector<double> pixel_mean, pixel_std;  ///< per channel of the training images, scaled to 0..1
  std::int32_t classes = 0, clients = 0;
  std::int64_t smallest_client = 0, largest_client = 0;  ///< samples
  std::int64_t steps_per_epoch = 0;
  std::int64_t slots_per_step = 0;                            ///< S: capacity of a step
  std::int64_t client_parameters = 0, server_parameters = 0;  ///< of one replica
  std::int64_t client_replicas = 1, server_replicas = 1;
  std::int64_t cut_bytes = 0;  ///< activations of one sample at the cut
  std::string partition_sha256, config_sha256;
  std::map<std::string, std::string> inputs;  ///< content of what is read, see Summary::inputs
  std::vector<MemoryItem> memory;  ///< device memory by purpose
  std::uint64_t memory_bytes = 0;  ///< their sum
  std::uint64_t available_bytes = 0;
  std::vector<std::string> silent;  ///< settings that come to nothing, a sentence each
};

struct RunOptions {
  std::string out_dir = {};                                    ///< prepared run directory; empty: write nothing
  /// Continue from out_dir's checkpoint, or from the start if there is none. A run that is finished is left alone, its
  /// summary returned.
  bool resume = false;
  const std::atomic<bool>* interrupt = nullptr;                ///< becomes true: stop at the next step
  std::function<void(const ProgressState&)> on_progress = {};  ///< called now and then from the host loop
  std::function<void(const EpochRecord&)> on_epoch = {};       ///< called after each epoch
};

template <class Context>
class Experiment {
 public:
  /// Loads the data, partitions it, draws the profile and plans. Errors: InputError.
  Experiment(Context& ctx, const Config& config);
  ~Experiment();

  const ExperimentPlan& plan() const;
  /// Errors: OutOfMemory if the plan needs more than is available, naming its largest part.
  void check_memory() const;
  /// Heat map of the partition.
  std::string partition_text() const;

  /// Whether nothing is left to do for the run in a directory. Errors: InputError if its inputs had other content.
  bool finished(const std::string& out_dir) const;
  /// Trains. The summary's status is "completed", "diverged" or "interrupted"; files are complete in all three cases.
  /// Errors: check_memory()'s; InputError for a checkpoint that does not fit or is of
  /// inputs with other content, before anything is written.
  Summary run(const RunOptions& options);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace splitsim
