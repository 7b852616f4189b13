#include "samplers/balance/supply_flow.hpp"

#include <lemon/smart_graph.h>
// Needs a graph's header first.
#include <lemon/edmonds_karp.h>

#include <cstddef>
#include <utility>

namespace splitsim {

struct SupplyFlow::Network {
  using Graph = lemon::SmartDigraph;
  using Map = Graph::ArcMap<std::int32_t>;

  Network(std::int32_t clients, std::int32_t classes, const std::vector<SupplyLink>& links)
      : capacity(graph), flow(graph) {
    graph.reserveNode(clients + classes + 2);
    for (std::int32_t k = 0; k < clients; ++k) client.push_back(graph.addNode());
    for (std::int32_t c = 0; c < classes; ++c) label.push_back(graph.addNode());
    const Graph::Node all = graph.addNode(), sink = graph.addNode();
    for (const SupplyLink& link : links) {
      supply.push_back(graph.addArc(client[link.client], label[link.label]));
      capacity[supply.back()] = link.capacity;
    }
    for (const Graph::Node& node : label) demand.push_back(graph.addArc(node, all));
    total = graph.addArc(all, sink);
    solver = std::make_unique<lemon::EdmondsKarp<Graph, Map>>(graph, capacity, client.front(), sink);
    solver->flowMap(flow).init();
  }

  Graph graph;
  std::vector<Graph::Node> client, label;
  std::vector<Graph::Arc> supply, demand;  // [links], [classes]
  Graph::Arc total;                        // its capacity lets a path carry one unit only
  Map capacity, flow;
  std::unique_ptr<lemon::EdmondsKarp<Graph, Map>> solver;
};

SupplyFlow::SupplyFlow(std::int32_t clients, std::int32_t classes, std::vector<SupplyLink> links)
    : network_(std::make_unique<Network>(clients, classes, links)),
      links_(std::move(links)),
      client_first_(static_cast<std::size_t>(clients) + 1, 0) {
  for (const SupplyLink& link : links_) client_first_[link.client + 1] += 1;
  for (std::int32_t k = 0; k < clients; ++k) client_first_[k + 1] += client_first_[k];
}

SupplyFlow::~SupplyFlow() = default;

void SupplyFlow::start(const std::vector<std::int32_t>& demand) {
  Network& net = *network_;
  for (const auto& arc : net.supply) net.flow[arc] = 0;
  for (std::size_t c = 0; c < demand.size(); ++c) {
    net.capacity[net.demand[c]] = demand[c];
    net.flow[net.demand[c]] = 0;
  }
  net.flow[net.total] = 0;
  closed_.assign(demand.size(), false);
}

bool SupplyFlow::add(std::int32_t client) {
  Network& net = *network_;
  const auto has_room = [&](const auto& arc) { return net.flow[arc] < net.capacity[arc]; };
  net.capacity[net.total] = net.flow[net.total] + 1;
  // Mostly a path of one link exists or none can; the search would begin with a pass over all nodes.
  bool hopeless = true;
  for (std::int64_t i = client_first_[client]; i < client_first_[client + 1]; ++i) {
    const auto demand = net.demand[links_[i].label];
    if (!has_room(net.supply[i])) continue;
    hopeless = hopeless && closed_[links_[i].label];
    if (!has_room(demand)) continue;
    net.flow[net.supply[i]] += 1;
    net.flow[demand] += 1;
    net.flow[net.total] += 1;
    return true;
  }
  if (hopeless) return false;
  if (net.solver->source(net.client[client]).augment()) return true;
  // What the failed search reached cannot reach demand, and no later path can pass through it and change that.
  for (std::size_t c = 0; c < closed_.size(); ++c) closed_[c] = closed_[c] || net.solver->minCut(net.label[c]);
  return false;
}

const std::vector<SupplyLink>& SupplyFlow::links() {
  for (std::size_t i = 0; i < links_.size(); ++i) links_[i].flow = network_->flow[network_->supply[i]];
  return links_;
}

void SupplyFlow::consume(const std::vector<SupplyLink>& given) {
  for (std::size_t i = 0; i < links_.size(); ++i) {
    links_[i].capacity -= given[i].flow;
    network_->capacity[network_->supply[i]] = links_[i].capacity;
  }
}

}  // namespace splitsim
