// The next client to finish, by class, without looking at all of them: a class's owners stand sorted by their first
// completion time; those that have given in this step wait in a heap with their next one. Times only rise within a
// step, so an entry that is out of date is found when it comes up.
#include <algorithm>
#include <functional>
#include <numeric>

#include "samplers/balance/load_balance.hpp"

namespace splitsim {

namespace {

/// (when, client): compares by time, then by id.
using Completion = std::pair<std::int64_t, std::int32_t>;

class GreedyDealer final : public StepDealer {
 public:
  GreedyDealer(const Population& population, const ClientTimes& times)
      : times_(times),
        given_(static_cast<std::size_t>(population.clients), 0),
        queues_(static_cast<std::size_t>(population.classes)) {
    for (std::int32_t c = 0; c < population.classes; ++c) {
      Queue& queue = queues_[c];
      for (std::int32_t k = 0; k < population.clients; ++k) {
        if (population.histogram[static_cast<std::size_t>(k) * population.classes + c] > 0) {
          queue.owners.emplace_back(times.finish_ns(k, 1), k);
        }
      }
      std::sort(queue.owners.begin(), queue.owners.end());
      queue.next.resize(queue.owners.size() + 1);
      std::iota(queue.next.begin(), queue.next.end(), std::size_t{0});
    }
  }

  void deal(const std::vector<std::int32_t>& labels, ClassStock& stock, std::vector<Supply>& supplies) override {
    for (const std::int32_t c : labels) {
      queues_[c].cursor = 0;
      queues_[c].begun.clear();
    }
    for (const std::int32_t c : labels) {
      const std::int32_t client = next_client(c, stock);
      given_[client] += 1;
      supplies.emplace_back(client, stock.take(client, c));
    }
    for (const auto& [client, rank] : supplies) given_[client] = 0;
  }

 private:
  struct Queue {
    std::vector<Completion> owners;  // by first completion
    std::vector<std::size_t> next;   // [owners + 1] from here the next that may have data left is here or further on
    std::size_t cursor = 0;          // owners before it were seen in this step
    std::vector<Completion> begun;   // heap of those
  };

  /// The first owner at or behind `at` that has data left; shortens the way for the next search.
  static std::size_t skip_empty(Queue& queue, std::size_t at, std::int32_t label, const ClassStock& stock) {
    for (;;) {
      while (queue.next[at] != at) at = queue.next[at] = queue.next[queue.next[at]];
      if (at == queue.owners.size() || stock.left(queue.owners[at].second, label) > 0) return at;
      queue.next[at] = at + 1;
    }
  }

  std::int32_t next_client(std::int32_t label, const ClassStock& stock) {
    Queue& queue = queues_[label];
    for (;;) {
      queue.cursor = skip_empty(queue, queue.cursor, label, stock);
      const bool fresh = queue.cursor < queue.owners.size() &&
                         (queue.begun.empty() || queue.owners[queue.cursor] < queue.begun.front());
      Completion first;
      if (fresh) {
        first = queue.owners[queue.cursor++];
      } else {
        first = queue.begun.front();
        std::pop_heap(queue.begun.begin(), queue.begun.end(), std::greater<>());
        queue.begun.pop_back();
      }
      const std::int32_t client = first.second;
      if (stock.left(client, label) == 0) continue;
      const std::int64_t now = times_.finish_ns(client, given_[client] + 1);
      const bool taken = now == first.first;
      queue.begun.emplace_back(taken ? now + times_.per_sample_ns[client] : now, client);
      std::push_heap(queue.begun.begin(), queue.begun.end(), std::greater<>());
      if (taken) return client;
    }
  }

  const ClientTimes& times_;
  std::vector<std::int64_t> given_;  // [K] b_k of the step
  std::vector<Queue> queues_;        // [C]
};

}  // namespace

std::unique_ptr<StepDealer> make_greedy_dealer(const Population& population, const ClientTimes& times) {
  return std::make_unique<GreedyDealer>(population, times);
}

}  // namespace splitsim
