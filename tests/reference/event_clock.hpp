// Oracle for the virtual clocks: a discrete-event simulation of clients, links and one server, written from the
// protocols and not from the formulas. It shares nothing with the product but the durations of single activities.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <queue>
#include <set>
#include <vector>

namespace splitsim::reference {

using Ns = std::int64_t;

/// Things that happen at points in time; simultaneous ones in the order in which they were posted.
class EventQueue {
 public:
  Ns now() const { return now_; }
  void after(Ns delay, std::function<void()> action) { queue_.push({now_ + delay, posted_++, std::move(action)}); }
  void run() {
    while (!queue_.empty()) {
      const Event event = queue_.top();
      queue_.pop();
      now_ = event.at;
      event.action();
    }
  }

 private:
  struct Event {
    Ns at;
    std::uint64_t id;
    std::function<void()> action;
    bool operator<(const Event& other) const { return at != other.at ? at > other.at : id > other.id; }
  };
  std::priority_queue<Event> queue_;
  std::uint64_t posted_ = 0;
  Ns now_ = 0;
};

/// One client in one step, with the durations of what it does. `server` is for its samples alone (chain, relay).
struct Visit {
  std::int32_t client;
  Ns forward, backward, server;
};
/// Visits in service order. `server` is for the whole batch.
struct Step {
  std::vector<Visit> visits;
  Ns server;
  bool ends_round = false;  ///< with model_sync = round: at the end of this step
  bool begins_epoch = false;
};
struct ClientLinks {
  Ns model_up, model_down;
};

struct Result {
  std::vector<Ns> start, end;
  std::vector<std::int32_t> critical_forward, critical_backward;
  std::map<std::int32_t, Ns> waiting, total;
  /// By client: idle and whole time of each step it took part in, in their order.
  std::map<std::int32_t, std::vector<std::pair<Ns, Ns>>> visits;
};

/// Keeps who came last, the lowest id among simultaneous ones. Events come in time order.
struct LastOne {
  Ns at = -1;
  std::int32_t client = -1;
  void see(Ns now, std::int32_t k) {
    if (now > at || k < client) client = k;
    at = now;
  }
};

/// What the simulations share: the run so far, and rounds that end with everybody returning and fetching models.
class Simulation {
 public:
  Simulation(std::vector<Step> steps, std::vector<ClientLinks> links)
      : steps_(std::move(steps)), links_(std::move(links)) {
    result_.start.assign(steps_.size(), -1);
    result_.end.assign(steps_.size(), -1);
    result_.critical_forward.assign(steps_.size(), -1);
    result_.critical_backward.assign(steps_.size(), -1);
  }
  virtual ~Simulation() = default;

 protected:
  void account(std::int32_t k, Ns idle, Ns whole) {
    result_.waiting[k] += idle;
    result_.total[k] += whole;
    result_.visits[k].emplace_back(idle, whole);
  }
  /// Clients that stepped since the last round end, up to and including step t.
  std::set<std::int32_t> round_of(std::size_t t) const {
    std::set<std::int32_t> members;
    for (std::size_t s = t + 1; s-- > 0 && (s == t || !steps_[s].ends_round);) {
      for (const Visit& visit : steps_[s].visits) members.insert(visit.client);
    }
    return members;
  }

  EventQueue events_;
  std::vector<Step> steps_;
  std::vector<ClientLinks> links_;
  Result result_;
};

/// Kinds in which a step starts when the last one has ended. Subclasses run one step and call step_over().
class Lockstep : public Simulation {
 public:
  using Simulation::Simulation;
  Result run() {
    begin(0);
    events_.run();
    return result_;
  }

 protected:
  virtual void run_step(std::size_t t) = 0;

  void step_over(std::size_t t) {
    result_.end[t] = events_.now();
    for (const auto& [client, busy] : busy_) {
      const Ns whole = events_.now() - result_.start[t];
      account(client, whole - busy, whole);
    }
    if (!steps_[t].ends_round) return begin(t + 1);
    // The round's clients return their models, and get the average once all are in.
    const std::set<std::int32_t> members = round_of(t);
    if (members.empty()) return begin(t + 1);
    pending_ = members.size();
    for (const std::int32_t k : members) {
      events_.after(links_[k].model_up, [=, this] {
        if (--pending_ > 0) return;
        pending_ = members.size();
        for (const std::int32_t j : members) {
          events_.after(links_[j].model_down, [=, this] {
            if (--pending_ > 0) return;
            result_.end[t] = events_.now();
            begin(t + 1);
          });
        }
      });
    }
  }

  void busy(std::int32_t k, Ns ns) { busy_[k] = ns; }
  std::size_t pending_ = 0;

 private:
  void begin(std::size_t t) {
    if (t == steps_.size()) return;
    busy_.clear();
    result_.start[t] = events_.now();
    run_step(t);
  }
  std::map<std::int32_t, Ns> busy_;
};

/// PSL: everybody's forward, the server, everybody's backward.
class TwoBarriers : public Lockstep {
 public:
  using Lockstep::Lockstep;

 protected:
  void run_step(std::size_t t) override {
    const Step& step = steps_[t];
    pending_ = step.visits.size();
    last_ = {};
    if (step.visits.empty()) return events_.after(step.server, [=, this] { step_over(t); });
    for (const Visit& visit : step.visits) {
      busy(visit.client, visit.forward + step.server + visit.backward);
      events_.after(visit.forward, [=, this] {
        last_.see(events_.now(), visit.client);
        if (--pending_ > 0) return;
        result_.critical_forward[t] = last_.client;
        events_.after(steps_[t].server, [=, this] { backward(t); });
      });
    }
  }

 private:
  void backward(std::size_t t) {
    pending_ = steps_[t].visits.size();
    last_ = {};
    for (const Visit& visit : steps_[t].visits) {
      events_.after(visit.backward, [=, this] {
        last_.see(events_.now(), visit.client);
        if (--pending_ > 0) return;
        result_.critical_backward[t] = last_.client;
        step_over(t);
      });
    }
  }
  LastOne last_;
};

/// Every client's forward and backward are a chain of their own; one barrier, and the server's time on top.
class OneBarrier : public Lockstep {
 public:
  using Lockstep::Lockstep;

 protected:
  void run_step(std::size_t t) override {
    const Step& step = steps_[t];
    pending_ = step.visits.size();
    last_ = {};
    if (step.visits.empty()) return events_.after(step.server, [=, this] { step_over(t); });
    for (const Visit& visit : step.visits) {
      busy(visit.client, visit.forward + visit.backward + step.server);
      events_.after(visit.forward, [=, this] {
        events_.after(visit.backward, [=, this] {
          last_.see(events_.now(), visit.client);
          if (--pending_ > 0) return;
          result_.critical_forward[t] = result_.critical_backward[t] = last_.client;
          events_.after(steps_[t].server, [=, this] { step_over(t); });
        });
      });
    }
  }

 private:
  LastOne last_;
};

/// sflv2: the server serves the visits one by one in service order, each as soon as it has arrived and the server is
/// free.
class Chain : public Lockstep {
 public:
  using Lockstep::Lockstep;

 protected:
  void run_step(std::size_t t) override {
    const Step& step = steps_[t];
    if (step.visits.empty()) return events_.after(step.server, [=, this] { step_over(t); });
    arrived_.assign(step.visits.size(), false);
    opener_.clear();
    next_ = 0;
    free_since_ = 0;
    free_ = true;
    pending_ = step.visits.size();
    last_ = {};
    for (std::size_t i = 0; i < step.visits.size(); ++i) {
      busy(step.visits[i].client, step.visits[i].forward + step.visits[i].server + step.visits[i].backward);
      events_.after(step.visits[i].forward, [=, this] {
        arrived_[i] = true;
        serve(t);
      });
    }
  }

 private:
  void serve(std::size_t t) {
    if (!free_ || next_ == arrived_.size() || !arrived_[next_]) return;
    const Visit visit = steps_[t].visits[next_];
    if (next_ == 0 || free_since_ < events_.now()) busy_opener_ = visit.client;
    opener_[visit.client] = busy_opener_;
    free_ = false;
    ++next_;
    events_.after(visit.server, [=, this] {
      free_ = true;
      free_since_ = events_.now();
      events_.after(visit.backward, [=, this] {
        last_.see(events_.now(), visit.client);
        if (--pending_ > 0) return;
        result_.critical_backward[t] = last_.client;
        result_.critical_forward[t] = opener_[last_.client];
        step_over(t);
      });
      serve(t);
    });
  }
  std::vector<bool> arrived_;
  std::map<std::int32_t, std::int32_t> opener_;
  std::size_t next_ = 0;
  Ns free_since_ = 0;
  bool free_ = true;
  std::int32_t busy_opener_ = -1;
  LastOne last_;
};

/// sl: one client after another does everything; whoever takes over gets the model and later returns it.
class Relay : public Lockstep {
 public:
  using Lockstep::Lockstep;

 protected:
  void run_step(std::size_t t) override {
    if (steps_[t].begins_epoch) holder_ = -1;
    if (steps_[t].visits.empty()) return events_.after(steps_[t].server, [=, this] { step_over(t); });
    longest_ = {};
    turn(t, 0);
  }

 private:
  void turn(std::size_t t, std::size_t i) {
    if (i == steps_[t].visits.size()) {
      result_.critical_forward[t] = result_.critical_backward[t] = longest_.client;
      return step_over(t);
    }
    const Visit visit = steps_[t].visits[i];
    const Ns fetch = visit.client == holder_ ? 0 : links_[visit.client].model_down;
    const Ns give = visit.client == holder_ ? 0 : links_[visit.client].model_up;
    holder_ = visit.client;
    const Ns begin = events_.now();
    events_.after(fetch, [=, this] {
      events_.after(visit.forward, [=, this] {
        events_.after(visit.server, [=, this] {
          events_.after(visit.backward, [=, this] {
            events_.after(give, [=, this] {
              const Ns own = events_.now() - begin;
              busy(visit.client, own);
              if (own > longest_.at || (own == longest_.at && visit.client < longest_.client))
                longest_ = {own, visit.client};
              turn(t, i + 1);
            });
          });
        });
      });
    });
  }
  std::int32_t holder_ = -1;
  LastOne longest_;
};

/// psl_local: every client goes through its own steps as fast as it can; the server takes the steps in order.
class RunAhead : public Simulation {
 public:
  using Simulation::Simulation;
  Result run() {
    const std::size_t n = steps_.size();
    arrived_.assign(n, 0);
    done_.assign(n, 0);
    last_forward_.assign(n, {});
    last_backward_.assign(n, {});
    round_.assign(n, 0);
    for (std::size_t t = 1; t < n; ++t) round_[t] = round_[t - 1] + (steps_[t - 1].ends_round ? 1 : 0);
    returned_.assign(n + 1, 0);
    for (std::size_t t = 0; t < n; ++t) {
      for (const Visit& visit : steps_[t].visits) program_[visit.client].push_back({t, visit});
    }
    for (const auto& [client, program] : program_) next(client);
    serve();
    events_.run();
    Ns end = 0;
    for (std::size_t t = 0; t < n; ++t) {
      result_.end[t] = end = std::max(end, done_[t]);
      result_.critical_forward[t] = last_forward_[t].client;
      result_.critical_backward[t] = last_backward_[t].client;
    }
    return result_;
  }

 private:
  void next(std::int32_t k) {
    std::size_t& at = position_[k];
    if (at == program_[k].size()) return;
    const auto [t, visit] = program_[k][at++];
    begun_[k] = events_.now();
    if (result_.start[t] < 0) result_.start[t] = events_.now();
    events_.after(visit.forward, [=, this, step = t, v = visit] {
      arrival_[v.client] = events_.now();
      last_forward_[step].see(events_.now(), v.client);
      ++arrived_[step];
      serve();
    });
  }
  void serve() {
    if (!free_ || serving_ == steps_.size() || arrived_[serving_] < steps_[serving_].visits.size()) return;
    const std::size_t t = serving_++;
    free_ = false;
    if (steps_[t].visits.empty()) result_.start[t] = events_.now();
    const Ns begun = events_.now();
    events_.after(steps_[t].server, [=, this] {
      free_ = true;
      done_[t] = std::max(done_[t], events_.now());
      for (const Visit& visit : steps_[t].visits) {
        const Ns idle = begun - arrival_[visit.client], since = begun_[visit.client];
        events_.after(visit.backward, [=, this] { finish(t, visit.client, idle, since); });
      }
      serve();
    });
  }
  void finish(std::size_t t, std::int32_t k, Ns idle, Ns since) {
    account(k, idle, events_.now() - since);
    done_[t] = std::max(done_[t], events_.now());
    last_backward_[t].see(events_.now(), k);
    std::size_t round_end = t;
    while (round_end < steps_.size() && !steps_[round_end].ends_round) ++round_end;
    const std::size_t at = position_[k];
    const bool last_of_round =
        round_end < steps_.size() && (at == program_[k].size() || round_[program_[k][at].first] != round_[t]);
    if (!last_of_round) return next(k);
    events_.after(links_[k].model_up, [=, this] {
      const std::set<std::int32_t> members = round_of(round_end);
      if (++returned_[round_[t]] < members.size()) return;
      for (const std::int32_t j : members) {
        events_.after(links_[j].model_down, [=, this] {
          done_[round_end] = std::max(done_[round_end], events_.now());
          next(j);
        });
      }
    });
  }

  std::vector<std::size_t> arrived_, round_, returned_;
  std::vector<Ns> done_;
  std::vector<LastOne> last_forward_, last_backward_;
  std::map<std::int32_t, std::vector<std::pair<std::size_t, Visit>>> program_;
  std::map<std::int32_t, std::size_t> position_;
  std::map<std::int32_t, Ns> begun_, arrival_;
  std::size_t serving_ = 0;
  bool free_ = true;
};

}  // namespace splitsim::reference
