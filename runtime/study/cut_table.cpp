#include "runtime/study/cut_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/model/models.hpp"
#include "runtime/plan/epoch_plan.hpp"

namespace splitsim {

namespace {

double first_epoch_step_s(CpuContext& ctx, const DevicePopulation<CpuContext>& population, const Scene& scene,
                          const CutCosts& costs) {
  Timing timing = scene.timing;
  timing.profile = make_profile(scene.population.clients, timing.latency, costs, timing.seed);
  EpochPlanner<CpuContext> planner(ctx, scene.population, population, scene.config, timing.profile, timing);
  planner.start();
  const EpochPlan plan = planner.plan(0);
  const std::int64_t steps = std::max<std::int64_t>(1, plan.timeline.steps());
  return static_cast<double>(planner.clock().now_ns()) * 1e-9 / static_cast<double>(steps);
}

// "1.23 G" and the like, in seven columns.
std::string short_number(double value) {
  for (const auto& [unit, suffix] : {std::pair{1e9, " G"}, {1e6, " M"}, {1e3, " k"}}) {
    if (value >= unit) return fmt::format("{:.4g}{}", value / unit, suffix);
  }
  return fmt::format("{:.4g}", value);
}

std::string short_seconds(double seconds) {
  for (const auto& [unit, suffix] : {std::pair{1.0, " s"}, {1e-3, " ms"}, {1e-6, " us"}}) {
    if (seconds >= unit) return fmt::format("{:.4g}{}", seconds / unit, suffix);
  }
  return fmt::format("{:.4g} ns", seconds * 1e9);
}

}  // namespace

std::vector<CutRow> cut_table(const Scene& scene) {
  std::vector<CutRow> rows;
  if (!scene.mode.cut_traffic) return rows;
  CpuContext ctx(1);
  const DevicePopulation<CpuContext> population(ctx, scene.population);
  const Dataset& data = scene.dataset;
  const std::vector<LayerSpec> layers = model_layers(scene.config.model, data.classes);
  const NetworkOptions options =
      network_options(scene.config.model, scene.config.cut, scene.mode.local_loss, data.vocabulary);
  std::size_t last = 0;  // layers of the last row's client
  std::vector<std::string> cuts = possible_cuts(layers);
  if (scene.mode.local_loss) cuts.pop_back();  // the server has a layer
  for (const std::string& cut : cuts) {
    const Network network = build_network(layers, cut, {data.channels, data.height, data.width}, data.classes, options);
    if (!rows.empty() && network.client_layers == last) {  // another name of the same place
      if (cut.size() < rows.back().cut.size()) rows.back().cut = cut;
      continue;
    }
    last = network.client_layers;
    const CutCosts costs = cut_costs_of(network, scene.mode);
    CutRow& row = rows.emplace_back();
    row.cut = cut;
    row.macs[kClientSide] = costs.client_macs;
    row.macs[kServerSide] = costs.server_macs;
    for (int side = 0; side < 2; ++side) row.parameters[side] = network.parameters[side];
    row.activation_bytes = costs.activation;
    row.gradient_bytes = costs.gradient;
    row.step_s = first_epoch_step_s(ctx, population, scene, costs);
  }
  return rows;
}

std::string to_text(const std::vector<CutRow>& rows) {
  if (rows.empty()) return {};
  std::string text =
      fmt::format("{:<22}{:>18}{:>20}{:>9}{:>11}\n{:<22}{:>9}{:>9}{:>10}{:>10}{:>9}{:>11}\n", "", "multiply-adds",
                  "parameters", "bytes", "step", "cut", "client", "server", "client", "server", "a sample", "");
  for (const CutRow& row : rows) {
    text += fmt::format("{:<22}{:>9}{:>9}{:>10}{:>10}{:>9}{:>11}\n", row.cut,
                        short_number(static_cast<double>(row.macs[0])), short_number(static_cast<double>(row.macs[1])),
                        short_number(static_cast<double>(row.parameters[0])),
                        short_number(static_cast<double>(row.parameters[1])),
                        short_number(static_cast<double>(row.activation_bytes)), short_seconds(row.step_s));
  }
  const auto best =
      std::min_element(rows.begin(), rows.end(), [](const CutRow& a, const CutRow& b) { return a.step_s < b.step_s; });
  return text + fmt::format("shortest step: model.cut = \"{}\"\n", best->cut);
}

}  // namespace splitsim
