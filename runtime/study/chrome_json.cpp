#include <fmt/format.h>

#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "runtime/study/timeline_trace.hpp"

namespace splitsim {

namespace {

constexpr int kLanesPerClient = 3;

// Nanoseconds as microseconds, all digits.
std::string microseconds(std::int64_t ns) { return fmt::format("{}.{:03}", ns / 1000, ns % 1000); }

class Writer {
 public:
  std::string finish() {
    return "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n" + fmt::to_string(events_) + "\n]}\n";
  }

  void add(int process, const TimelineTrace& trace) {
    const std::string title = fmt::format("{} (first {} of {} steps, {} of {} clients)", trace.name, trace.steps_shown,
                                          trace.steps, trace.clients_shown.size(), trace.clients);
    name("process_name", process, 0, title);
    lane(process, 0, "server");
    std::map<std::int32_t, int> first_lane;
    for (const std::int32_t client : trace.clients_shown) {
      const int first = 1 + kLanesPerClient * static_cast<int>(first_lane.size());
      first_lane[client] = first;
      lane(process, first, fmt::format("client {} compute", client));
      lane(process, first + 1, fmt::format("client {} uplink", client));
      lane(process, first + 2, fmt::format("client {} downlink", client));
    }
    for (const TraceSpan& span : trace.spans) {
      const std::int64_t duration = span.end_ns - span.start_ns;
      const std::string args = fmt::format(R"({{"step":{},"samples":{},"start_ns":{},"duration_ns":{}}})",
                                           span.step + 1, span.samples, span.start_ns, duration);
      if (span.lane == Lane::kSteps) {  // asynchronous events, since steps overlap when clients run ahead
        event(R"({{"ph":"b","cat":"step","id":{},"pid":{},"tid":0,"name":"step","ts":{},"args":{}}})", span.step,
              process, microseconds(span.start_ns), args);
        event(R"({{"ph":"e","cat":"step","id":{},"pid":{},"tid":0,"name":"step","ts":{}}})", span.step, process,
              microseconds(span.end_ns));
        continue;
      }
      const int thread =
          span.client < 0 ? 0
                          : first_lane.at(span.client) + static_cast<int>(span.lane) - static_cast<int>(Lane::kCompute);
      event(R"({{"ph":"X","pid":{},"tid":{},"name":"{}","ts":{},"dur":{},"args":{}}})", process, thread, span.name,
            microseconds(span.start_ns), microseconds(duration), args);
    }
  }

 private:
  void lane(int process, int thread, const std::string& title) {
    name("thread_name", process, thread, title);
    event(R"({{"ph":"M","pid":{},"tid":{},"name":"thread_sort_index","args":{{"sort_index":{}}}}})", process, thread,
          thread);
  }
  void name(const char* kind, int process, int thread, const std::string& title) {
    event(R"({{"ph":"M","pid":{},"tid":{},"name":"{}","args":{{"name":{}}}}})", process, thread, kind,
          nlohmann::json(title).dump());
  }
  template <class... Args>
  void event(fmt::format_string<Args...> format, Args&&... args) {
    if (events_.size() > 0) fmt::format_to(std::back_inserter(events_), ",\n");
    fmt::format_to(std::back_inserter(events_), format, std::forward<Args>(args)...);
  }

  fmt::memory_buffer events_;
};

}  // namespace

std::string to_chrome_json(const std::vector<TimelineTrace>& traces) {
  Writer writer;
  int process = 0;
  for (const TimelineTrace& trace : traces) writer.add(++process, trace);
  return writer.finish();
}

}  // namespace splitsim
