#include <algorithm>
#include <functional>
#include <queue>

#include "samplers/balance/load_balance.hpp"
#include "samplers/balance/supply_flow.hpp"

namespace splitsim {

namespace {

/// Makes the flows lexicographically largest (links are sorted by client, then class) without changing how many samples
/// any client or any class gives: one flow after another is raised along cycles of the later ones. The result does not
/// depend on the flow it starts from.
class Canonical {
 public:
  Canonical(std::vector<SupplyLink>& links, std::int32_t classes)
      : links_(links), reached_(static_cast<std::size_t>(classes)), later_(static_cast<std::size_t>(classes), 0) {
    for (std::size_t i = 0; i < links.size();) {
      std::size_t end = i;
      bool gives = false;
      for (; end < links.size() && links[end].client == links[i].client; ++end) {
        gives |= links[end].flow > 0;
        later_[links[end].label] += links[end].flow;
      }
      if (gives) rows_.push_back({i, end});  // the others have nothing to exchange
      i = end;
    }
  }

  void raise_all() {
    for (std::size_t row = 0; row < rows_.size(); ++row) {
      for (std::size_t i = rows_[row].first; i < rows_[row].end; ++i) later_[links_[i].label] -= links_[i].flow;
      for (std::size_t i = rows_[row].first; i < rows_[row].end; ++i) {
        while (links_[i].flow < links_[i].capacity && later_[links_[i].label] > 0 && raise(row, i)) {
        }
      }
    }
  }

 private:
  static constexpr std::size_t kNone = ~std::size_t{0};

  struct Row {
    std::size_t first, end;  // one client's links
  };
  /// How a class can be given less elsewhere: a later client gives less of it on link `less` and more of another class
  /// on link `more`; that class was reached before. more == kNone: the raised client itself gives less.
  struct Exchange {
    std::size_t less = kNone, more = kNone;
  };

  /// Raises link i of `row` along one cycle; false if there is none.
  bool raise(std::size_t row, std::size_t i) {
    std::fill(reached_.begin(), reached_.end(), Exchange{});
    bool any = false;
    for (std::size_t j = i + 1; j < rows_[row].end; ++j) {
      if (links_[j].flow == 0) continue;
      reached_[links_[j].label].less = j;
      any = true;
    }
    if (!any) return false;
    const std::int32_t target = links_[i].label;
    used_.assign(rows_.size(), false);
    for (bool grown = true; grown && reached_[target].less == kNone;) {
      grown = false;
      for (std::size_t other = row + 1; other < rows_.size() && reached_[target].less == kNone; ++other) {
        if (!used_[other] && extend(rows_[other])) used_[other] = grown = true;
      }
    }
    if (reached_[target].less == kNone) return false;

    std::int32_t amount = links_[i].capacity - links_[i].flow;
    walk(target, [&](SupplyLink* more, SupplyLink& less) {
      amount = std::min(amount, less.flow);
      if (more != nullptr) amount = std::min(amount, more->capacity - more->flow);
    });
    walk(target, [&](SupplyLink* more, SupplyLink& less) {
      less.flow -= amount;
      if (more != nullptr) {
        more->flow += amount;
      } else {
        later_[less.label] += amount;
      }
    });
    links_[i].flow += amount;
    later_[target] -= amount;
    return true;
  }

  /// Whether this client can give more of a class reached so far; then the classes it gives are reached, too.
  bool extend(const Row& row) {
    std::size_t more = row.first;
    while (more < row.end &&
           (reached_[links_[more].label].less == kNone || links_[more].flow == links_[more].capacity)) {
      ++more;
    }
    if (more == row.end) return false;
    for (std::size_t less = row.first; less < row.end; ++less) {
      Exchange& exchange = reached_[links_[less].label];
      if (links_[less].flow > 0 && exchange.less == kNone) exchange = {less, more};
    }
    return true;
  }

  template <class Visit>
  void walk(std::int32_t label, Visit visit) {
    for (;;) {
      const Exchange exchange = reached_[label];
      SupplyLink* more = exchange.more == kNone ? nullptr : &links_[exchange.more];
      visit(more, links_[exchange.less]);
      if (more == nullptr) return;
      label = more->label;
    }
  }

  std::vector<SupplyLink>& links_;
  std::vector<Row> rows_;
  std::vector<Exchange> reached_;    // [C]
  std::vector<std::int64_t> later_;  // [C] what the rows behind the current one give
  std::vector<bool> used_;           // [rows]
};

std::vector<SupplyLink> links_of(const Population& population) {
  std::vector<SupplyLink> links;
  for (std::int32_t k = 0; k < population.clients; ++k) {
    for (std::int32_t c = 0; c < population.classes; ++c) {
      const std::int32_t held = population.histogram[static_cast<std::size_t>(k) * population.classes + c];
      if (held > 0) links.push_back({k, c, held, 0});
    }
  }
  return links;
}

class FlowDealer final : public StepDealer {
 public:
  FlowDealer(const Population& population, const ClientTimes& times)
      : times_(times),
        classes_(population.classes),
        flow_(population.clients, population.classes, links_of(population)),
        left_(static_cast<std::size_t>(population.clients)) {
    for (std::int32_t k = 0; k < population.clients; ++k) {
      left_[k] = population.size(k);
      if (left_[k] > 0) first_.emplace_back(times.finish_ns(k, 1), k);
    }
    std::sort(first_.begin(), first_.end());
  }

  void deal(const std::vector<std::int32_t>& labels, ClassStock& stock, std::vector<Supply>& supplies) override {
    std::vector<std::int32_t> demand(static_cast<std::size_t>(classes_), 0);
    for (const std::int32_t c : labels) demand[c] += 1;
    flow_.start(demand);
    // (completion time of its next sample, client). A sorted list is a heap.
    std::priority_queue next(std::greater<>(), first_);
    for (std::size_t added = 0; added < labels.size();) {
      const auto [time_ns, client] = next.top();
      next.pop();
      if (!flow_.add(client)) continue;  // in a matroid it stays impossible
      added += 1;
      next.emplace(time_ns + times_.per_sample_ns[client], client);
    }
    std::vector<SupplyLink> links = flow_.links();
    Canonical(links, classes_).raise_all();
    flow_.consume(links);
    bool depleted = false;
    for (const SupplyLink& link : links) {
      if (link.flow == 0) continue;
      left_[link.client] -= link.flow;
      depleted = depleted || left_[link.client] == 0;
      for (std::int32_t i = 0; i < link.flow; ++i)
        supplies.emplace_back(link.client, stock.take(link.client, link.label));
    }
    if (depleted) std::erase_if(first_, [&](const auto& entry) { return left_[entry.second] == 0; });
  }

 private:
  const ClientTimes& times_;
  std::int32_t classes_;
  SupplyFlow flow_;
  std::vector<std::int64_t> left_;                            // [K]
  std::vector<std::pair<std::int64_t, std::int32_t>> first_;  // clients with data left, by first completion
};

}  // namespace

std::unique_ptr<StepDealer> make_flow_dealer(const Population& population, const ClientTimes& times) {
  return std::make_unique<FlowDealer>(population, times);
}

}  // namespace splitsim
