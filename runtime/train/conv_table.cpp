#include "runtime/train/conv_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "base/error.hpp"
#include "base/files.hpp"
#include "runtime/model/layer_kind.hpp"
#include "runtime/model/layers/conv_shape.hpp"

namespace splitsim {

namespace {

using nlohmann::json;

constexpr ConvPass kPasses[] = {ConvPass::kForward, ConvPass::kInputGradient, ConvPass::kWeightGradient};

json pair_of(const Size2& size) { return {size.height, size.width}; }

std::int32_t positive(const json& value, std::int32_t least = 1) {
  if (!value.is_number_integer() || value < least || value > (1 << 24))
    throw std::runtime_error("a size is out of range");
  return value.get<std::int32_t>();
}
Size2 size_in(const json& pair, std::int32_t least) {
  return {positive(pair.at(0), least), positive(pair.at(1), least)};
}
double time_in(const json& value) {
  if (!value.is_number() || !(value.get<double>() >= 0.0)) throw std::runtime_error("a time is not a number");
  return value.get<double>();
}

json to_json(const MeasuredConv& row) {
  const ConvShape& s = row.shape;
  json entry = {{"in", {s.in_channels, s.in_height, s.in_width}},
                {"out", s.out_channels},
                {"kernel", pair_of(s.kernel)},
                {"stride", pair_of(s.stride)},
                {"padding", pair_of(s.padding)},
                {"groups", s.groups},
                {"precision", name_of(s.precision)},
                {"slots", row.slots}};
  for (const ConvPass pass : kPasses) {
    const auto p = static_cast<std::size_t>(pass);
    json& times = entry["microseconds"][name_of(pass)];
    times["own"] = row.own_us[p];
    if (row.cudnn_us[p]) times["cudnn"] = *row.cudnn_us[p];
  }
  return entry;
}

MeasuredConv row_in(const json& entry) {
  MeasuredConv row;
  ConvShape& s = row.shape;
  s.in_channels = positive(entry.at("in").at(0));
  s.in_height = positive(entry.at("in").at(1));
  s.in_width = positive(entry.at("in").at(2));
  s.out_channels = positive(entry.at("out"));
  s.kernel = size_in(entry.at("kernel"), 1);
  s.stride = size_in(entry.at("stride"), 1);
  s.padding = size_in(entry.at("padding"), 0);
  s.groups = positive(entry.at("groups"));
  s.layout = Layout::kChannelsLast;
  s.precision = value_named<Precision>("precision", entry.at("precision").get<std::string>());
  row.slots = positive(entry.at("slots"));
  for (const ConvPass pass : kPasses) {
    const auto p = static_cast<std::size_t>(pass);
    const json& times = entry.at("microseconds").at(name_of(pass));
    row.own_us[p] = time_in(times.at("own"));
    if (times.contains("cudnn")) row.cudnn_us[p] = time_in(times.at("cudnn"));
  }
  return row;
}

}  // namespace

ConvTable read_conv_table(const std::string& path) {
  const std::string text = read_text_file(path);
  try {
    const json table = json::parse(text);
    ConvTable result;
    result.device = table.at("device").get<std::string>();
    for (const json& entry : table.at("convolutions")) result.rows.push_back(row_in(entry));
    return result;
  } catch (const std::exception& error) {
    throw InputError(fmt::format("{}: not a table of splitsim-bench --tune ({})", path, error.what()));
  }
}

void write_conv_table(const std::string& path, const ConvTable& table) {
  json out = {{"device", table.device}, {"convolutions", json::array()}};
  for (const MeasuredConv& row : table.rows) out["convolutions"].push_back(to_json(row));
  write_file_atomically(path, {out.dump(1), "\n"});
}

ConvChoices choices_of(const ConvTable& table) {
  ConvChoices choices;
  for (const MeasuredConv& row : table.rows) {
    for (const ConvPass pass : kPasses) {
      const auto p = static_cast<std::size_t>(pass);
      if (row.cudnn_us[p]) choices.set(row.shape, row.slots, pass, *row.cudnn_us[p] <= row.own_us[p]);
    }
  }
  return choices;
}

std::vector<ConvShape> convolutions_of(const Network& network, Precision precision) {
  std::vector<ConvShape> shapes;
  for (const Layer& layer : network.layers) {
    if (layer.spec.kind->name != "conv") continue;
    const ConvShape shape = layers::conv_shape(layer, Layout::kChannelsLast, precision);
    if (std::find(shapes.begin(), shapes.end(), shape) == shapes.end()) shapes.push_back(shape);
  }
  return shapes;
}

}  // namespace splitsim
