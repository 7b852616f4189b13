// Where the values of a replica lie in a backend's memory. Everything outside of training (files, hashes, initial
// weights, whoever asks an engine) knows one order: a network's, which is PyTorch's. Channels first, that is also how a
// replica lies. Channels last, what an output channel has of each input channel lies side by side, so that a patch of
// an image is a run of memory, and every tensor begins at a multiple of 128 bytes, so that those runs can be copied
// sixteen bytes at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/nn/support/layout.hpp"
#include "runtime/model/network.hpp"

namespace splitsim {

class Placement {
 public:
  Placement(const Network& network, Layout layout);

  /// Floats of a side's replica: P and what it takes to align them; with running statistics behind them.
  std::int64_t trained(int side) const { return trained_[side]; }
  std::int64_t size(int side) const { return size_[side]; }
  /// Of a layer's tensor within its side's replica.
  std::int64_t offset(std::size_t layer, std::size_t tensor) const { return offsets_[layer][tensor]; }

  /// Rows of `trained` floats (with_statistics: of `size`) from rows in the network's order, [n, P] or
  /// [n, replica_size]; between tensors lie zeros. And back.
  std::vector<float> placed(int side, bool with_statistics, std::vector<float> rows) const;
  std::vector<float> in_order(int side, bool with_statistics, std::vector<float> rows) const;

 private:
  struct Move {
    std::int64_t from, to;  ///< in the network's order; in memory
    std::int64_t rows, channels, pixels;
  };
  std::vector<float> moved(int side, bool with_statistics, std::vector<float> rows, bool to_memory) const;

  bool same_ = false;  ///< memory has the network's order
  std::int64_t trained_[2] = {}, size_[2] = {}, trained_in_order_[2], size_in_order_[2];
  std::vector<std::vector<std::int64_t>> offsets_;
  std::vector<Move> moves_[2];  ///< trained tensors first
};

}  // namespace splitsim
