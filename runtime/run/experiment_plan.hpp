// What a run will do and need, known before it starts. Determinism: exact, but for the memory that is available.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kernels/device/buffer.hpp"
#include "runtime/plan/scene.hpp"

namespace splitsim {

struct ExperimentPlan {
  std::string dataset;
  std::int64_t train_samples = 0, test_samples = 0, validation_samples = 0;
  SampleKind samples = SampleKind::kImages;
  std::vector<double> pixel_mean, pixel_std;  ///< per channel of the training samples, of pixels scaled to 0..1
  std::int32_t classes = 0, clients = 0;
  std::int64_t smallest_client = 0, largest_client = 0;  ///< samples
  std::int64_t steps_per_epoch = 0;
  std::int64_t slots_per_step = 0;                            ///< S: capacity of a step
  std::int64_t client_parameters = 0, server_parameters = 0;  ///< of one replica
  std::int64_t client_replicas = 1, server_replicas = 1;
  std::int64_t cut_bytes = 0;  ///< activations of one sample at the cut
  std::string partition_sha256, config_sha256;
  std::map<std::string, std::string> inputs;  ///< content of what is read, see Summary::inputs
  std::vector<MemoryItem> memory;             ///< device memory by purpose
  std::uint64_t memory_bytes = 0;             ///< their sum
  std::uint64_t available_bytes = 0;
  std::vector<std::string> silent;  ///< settings that come to nothing, a sentence each
};

/// Content of what a run reads, name -> SHA-256: images, labels, partition; schedule, trace, groups, availability,
/// conv_table, model_file where there are any. What the weights of model_file are in this run (initial_model) only the
/// device's side knows. Errors: InputError for a file that cannot be read.
std::map<std::string, std::string> input_hashes(const Scene& scene);

/// All but what only a device knows: memory, and hashes of what is not in the scene.
ExperimentPlan describe(const Scene& scene, const ScheduleBounds& bounds);

/// Errors: OutOfMemory if the plan needs more than is available, naming its largest part. backend: "cpu" or "cuda".
void check_memory(const ExperimentPlan& plan, const char* backend);

/// SHA-256 of the weights of both sides.
std::string model_sha256(const std::vector<float> (&sides)[2]);

}  // namespace splitsim
