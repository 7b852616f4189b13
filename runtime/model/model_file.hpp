// A model's weights as named tensors: the names in our files, and what a file's names mean for a network.
//
// Our names are <side>.<layer>.<what>: "client.conv1.weight", "server.layer4.1.norm2.running_var". A file may leave the
// side out or name another (another cut), and may use torchvision's names for the layers (docs/pytorch.md):
//   ResNets   bn1, bn2 -> norm1, norm2     downsample.0, downsample.1 -> down.conv, down.norm
//   VGGs      features.<n> -> the n-th layer, from 0     classifier (one linear layer) -> fc
//   *.num_batches_tracked: ignored
// A name that is one of this model's own is never translated.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/model/network.hpp"

namespace splitsim {

/// Where a tensor lies in a replica of its side.
struct ModelTensor {
  std::string name;  ///< with its side
  int side;
  std::int64_t offset, size;
  std::vector<std::int64_t> shape;  ///< as torch.nn has it
};

/// In the order of the layers: weight, bias, running_mean, running_var.
std::vector<ModelTensor> model_tensor_list(const Network& network);

/// Weights and running statistics of both sides, [replicas, replica_size].
struct ModelWeights {
  std::vector<float> side[2];
};

/// Reads a safetensors file (F32). A tensor without a leading dimension of replicas goes to all of them.
/// Errors: InputError naming the file and the first tensor that is missing, unexpected or of another shape.
ModelWeights read_model_file(const std::string& path, const Network& network, const std::int64_t (&replicas)[2]);

}  // namespace splitsim
