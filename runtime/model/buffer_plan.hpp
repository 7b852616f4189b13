// Which buffers a network's activations and activation gradients use: a pure function of the layers. Layers that can
// work in place do; what feeds two layers gets its gradient summed; without training a buffer is used again as soon as
// nobody reads it any more.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/model/network.hpp"

namespace splitsim {

/// One thing to do in the backward pass. Gradient buffers have the size of a layer's output.
struct BackwardOp {
  enum class Kind : std::uint8_t {
    kLayer,       ///< gradient of the layer's output in `from` -> of its input in `to` (-1: nobody needs it)
    kCutScale,    ///< `from`, the gradient of the layer's output, is the cut gradient and complete: scale it now
    kAccumulate,  ///< to += from, both of the size of the layer's output
    kCopy,        ///< to = from, the same
  };
  Kind kind;
  std::int32_t layer;
  std::int32_t from = -1, to = -1;
  bool second = false;  ///< kLayer: `to` is the gradient of the layer's second input

  friend bool operator==(const BackwardOp&, const BackwardOp&) = default;
};

struct BufferPlan {
  std::vector<std::int32_t> activation;  ///< [layers] buffer of the layer's output, -1: the network's input, in place
  std::vector<std::int64_t> activation_floats;  ///< [buffers] per slot
  // Training only:
  std::vector<std::int64_t> gradient_floats;  ///< [gradient buffers] per slot
  std::int32_t output_gradient = -1;          ///< where the loss writes
  std::int32_t auxiliary_gradient = -1;       ///< and that of the auxiliary head, which then is the client half's
  std::vector<BackwardOp> backward;           ///< in order
};

/// first_trained: the lowest layer with parameters; below it nobody needs gradients.
BufferPlan plan_buffers(const Network& network, bool training, std::size_t first_trained);

}  // namespace splitsim
