// Measured convolutions of one GPU: what splitsim-bench --tune writes and train.conv_table names.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernels/nn/layers/conv/choice.hpp"
#include "runtime/model/network.hpp"

namespace splitsim {

/// Of one layer with one replica over `slots` slots, by ConvPass. cudnn empty: it cannot, or was not at hand.
struct MeasuredConv {
  ConvShape shape;
  std::int32_t slots = 0;
  std::array<double, 3> own_us = {};
  std::array<std::optional<double>, 3> cudnn_us = {};
};

struct ConvTable {
  std::string device;  ///< CudaContext::device_name()
  std::vector<MeasuredConv> rows;
};

/// JSON. Errors: InputError naming the file and what is wrong with it.
ConvTable read_conv_table(const std::string& path);
void write_conv_table(const std::string& path, const ConvTable& table);

/// The faster of the two wherever both were measured.
ConvChoices choices_of(const ConvTable& table);

/// The convolutions of a network, once each, as a GPU trains them.
std::vector<ConvShape> convolutions_of(const Network& network, Precision precision);

}  // namespace splitsim
