// Traces against the timelines they picture.
#include "runtime/study/timeline_trace.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "runtime/config/config.hpp"
#include "runtime/plan/epoch_plan.hpp"
#include "samplers/registry.hpp"
#include "tests/contexts.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

/// One epoch of ugs on 400 samples of 12 clients, 16 steps.
struct Epoch {
  explicit Epoch(std::vector<std::string> overrides, std::int64_t round_steps = 0) {
    overrides.insert(overrides.begin(), {"sampler.batch=25", "partition.clients=12", "partition.kind=dirichlet",
                                         "clock.jitter={kind=\"lognormal\",mean=1.0,cv=0.4}"});
    config = parse_config("", "test", overrides);
    mode = clock_mode_of(config, mode_map(config.train));
    mode.round_steps = round_steps;
    std::vector<std::int32_t> labels;
    for (int i = 0; i < 400; ++i) labels.push_back(i % 4);
    const Population population = make_partition(labels, 4, config.partition, config.seed);
    profile = make_profile(population.clients, config.clock, {4704, 4704, 4, 20000}, config.seed);
    CpuContext ctx(1);
    const DevicePopulation<CpuContext> device_population(ctx, population);
    const Timing timing{config.clock, config.seed, profile, mode};
    EpochPlanner<CpuContext> planner(ctx, population, device_population, config, profile, timing);
    planner.start();
    plan = planner.plan(0);
  }
  TimelineTrace trace(const TraceLimits& limits = {}) const {
    return trace_timeline("t", plan.schedule, plan.timeline, profile, config.clock, mode, config.seed, limits);
  }
  std::int64_t server_ns(std::size_t t) const {
    const std::int64_t batch = plan.schedule.step_first[t + 1] - plan.schedule.step_first[t];
    return profile.server_fixed_ns + batch * profile.server_per_sample_ns;
  }

  Config config;
  ClockMode mode;
  Profile profile;
  EpochPlan plan;
};

bool goes_up(const TraceSpan& span) {
  const std::string name = span.name;
  return name == "forward" || name == "activations";
}

// Nothing does two things at a time, and time is never negative.
void expect_lanes_in_order(const TimelineTrace& trace) {
  std::map<std::pair<std::int32_t, Lane>, std::vector<TraceSpan>> lanes;
  for (const TraceSpan& span : trace.spans) {
    EXPECT_LE(span.start_ns, span.end_ns);
    if (span.lane != Lane::kSteps) lanes[{span.client, span.lane}].push_back(span);
  }
  for (auto& [lane, spans] : lanes) {
    std::sort(spans.begin(), spans.end(),
              [](const TraceSpan& a, const TraceSpan& b) { return a.start_ns < b.start_ns; });
    for (std::size_t i = 1; i < spans.size(); ++i) EXPECT_LE(spans[i - 1].end_ns, spans[i].start_ns);
  }
}

TEST(TimelineTrace, TwoBarriersMeetAtTheServer) {
  for (const char* sync : {"none", "step"}) {
    const Epoch epoch({std::string("clock.model_sync=") + sync});
    const TimelineTrace trace = epoch.trace();
    ASSERT_EQ(trace.steps_shown, 16);
    EXPECT_EQ(trace.clients_shown.size(), 12u);
    expect_lanes_in_order(trace);
    std::size_t steps = 0;
    for (const TraceSpan& server : trace.spans) {
      if (server.lane != Lane::kServer) continue;
      const auto t = static_cast<std::size_t>(server.step);
      ++steps;
      EXPECT_EQ(server.end_ns - server.start_ns, epoch.server_ns(t));
      // The server's interval in the timeline: from the last client's arrival to the step's end less the slowest
      // backward pass. All clients are shown, so both are in the trace.
      std::int64_t last_arrival = 0, first_return = INT64_MAX, last_end = 0;
      std::int32_t last_client = -1;
      for (const TraceSpan& span : trace.spans) {
        if (span.client < 0 || span.step != server.step) continue;
        if (goes_up(span) && span.end_ns > last_arrival) {
          last_arrival = span.end_ns;
          last_client = span.client;
        }
        if (std::string(span.name) == "gradients") first_return = std::min(first_return, span.start_ns);
        last_end = std::max(last_end, span.end_ns);
      }
      EXPECT_EQ(server.start_ns, last_arrival);
      EXPECT_EQ(server.end_ns, first_return);
      EXPECT_EQ(last_end, epoch.plan.timeline.end_ns[t]);
      EXPECT_EQ(last_client, epoch.plan.timeline.critical_forward[t]);
    }
    EXPECT_EQ(steps, 16u);
  }
}

TEST(TimelineTrace, EveryClockEndsItsStepsAsTheTimelineSays) {
  const std::vector<std::vector<std::string>> clocks = {
      {"clock.barrier=one"},
      {"clock.barrier=one", "clock.model_sync=step"},
      {"clock.barrier=two", "clock.model_sync=round"},
      {"clock.barrier=run_ahead", "train.mode=psl_local"},
      {"clock.barrier=run_ahead", "train.mode=psl_local", "clock.model_sync=step"},
      {"clock.barrier=run_ahead", "train.mode=psl_local", "clock.model_sync=round"},
      {"sampler.kind=fls"}};
  for (std::size_t i = 0; i < 2 * clocks.size(); ++i) {
    const auto& overrides = clocks[i / 2];
    SCOPED_TRACE(overrides.back());
    const Epoch epoch(overrides, i % 2 == 0 ? 0 : 5);  // rounds of the whole epoch, or of 5, 5, 5 and 1 steps
    TimelineTrace trace;
    ASSERT_NO_THROW(trace = epoch.trace());  // it compares the ends of its steps with the timeline's
    expect_lanes_in_order(trace);
    std::int64_t end = 0;
    for (const TraceSpan& span : trace.spans) {
      if (span.lane == Lane::kServer) {
        EXPECT_EQ(span.end_ns - span.start_ns, epoch.server_ns(static_cast<std::size_t>(span.step)));
      }
      if (span.lane != Lane::kSteps) end = std::max(end, span.end_ns);
    }
    EXPECT_EQ(end, epoch.plan.timeline.end_ns[static_cast<std::size_t>(trace.steps_shown - 1)]);
  }
}

TEST(TimelineTrace, RefusesATimelineOfOtherLatencies) {
  Epoch epoch({});
  epoch.plan.timeline.end_ns[3] += 1;
  EXPECT_THROW(epoch.trace(), std::logic_error);
}

TEST(TimelineTrace, ShowsTheFirstStepsAndTheClientsThatHeldThemUp) {
  const Epoch epoch({});
  const TimelineTrace trace = epoch.trace({.steps = 5, .clients = 2});
  EXPECT_EQ(trace.steps, 16);
  EXPECT_EQ(trace.steps_shown, 5);
  EXPECT_EQ(trace.clients, 12);
  ASSERT_EQ(trace.clients_shown.size(), 2u);
  std::map<std::int32_t, int> held_up;
  for (std::size_t t = 0; t < 5; ++t) {
    const std::int32_t forward = epoch.plan.timeline.critical_forward[t];
    const std::int32_t backward = epoch.plan.timeline.critical_backward[t];
    ++held_up[forward];
    if (backward != forward) ++held_up[backward];
  }
  for (const auto& [client, count] : held_up) EXPECT_LE(count, held_up[trace.clients_shown[0]]) << client;
  for (const TraceSpan& span : trace.spans) {
    EXPECT_LT(span.step, 5);
    if (span.client >= 0) {
      EXPECT_TRUE(span.client == trace.clients_shown[0] || span.client == trace.clients_shown[1]);
    }
  }
  test::expect_input_error([&] { epoch.trace({.steps = 0}); }, "0 steps");
}

TEST(ChromeJson, HoldsEverySpanWithAllItsNanoseconds) {
  const Epoch epoch({"clock.model_sync=none"});  // a span named model is in both directions
  TimelineTrace trace = epoch.trace({.steps = 3, .clients = 4});
  trace.name = "a \"quoted\" name";
  const nlohmann::json json = nlohmann::json::parse(to_chrome_json({trace, trace}));
  std::size_t spans = 0, begins = 0, ends = 0, lanes = 0;
  std::map<std::pair<int, int>, std::string> lane_name;
  for (const auto& event : json["traceEvents"]) {
    const std::string kind = event["ph"];
    if (kind == "M" && event["name"] == "thread_name") {
      lane_name[{event["pid"], event["tid"]}] = event["args"]["name"];
      ++lanes;
    }
    if (kind == "M" && event["name"] == "process_name") {
      EXPECT_EQ(event["args"]["name"], "a \"quoted\" name (first 3 of 16 steps, 4 of 12 clients)");
    }
    begins += kind == "b";
    ends += kind == "e";
    if (kind != "X") continue;
    ++spans;
    EXPECT_EQ(std::llround(event["ts"].get<double>() * 1000.0), event["args"]["start_ns"].get<std::int64_t>());
    EXPECT_EQ(std::llround(event["dur"].get<double>() * 1000.0), event["args"]["duration_ns"].get<std::int64_t>());
    const std::string lane = lane_name.at({event["pid"], event["tid"]});
    const std::string name = event["name"];
    const char* expected = name == "server"                          ? "server"
                           : name == "forward" || name == "backward" ? "compute"
                           : name == "activations"                   ? "uplink"
                                                                     : "downlink";
    EXPECT_NE(lane.find(expected), std::string::npos) << name << " in " << lane;
  }
  EXPECT_EQ(lanes, 2u * (1 + 4 * 3));
  EXPECT_EQ(begins, 2u * 3);
  EXPECT_EQ(ends, 2u * 3);
  EXPECT_EQ(spans + begins, 2 * trace.spans.size());
}

}  // namespace
}  // namespace splitsim
