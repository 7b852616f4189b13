// Progress of long work on stderr: one line that rewrites itself on a terminal, plain lines now and then otherwise.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>

namespace splitsim {

/// Where a run is. Epochs count from 0; `step` counts finished steps.
struct ProgressState {
  std::int32_t epoch = 0, epochs = 0;
  std::int64_t step = 0, steps = 0;  ///< within the epoch
  double loss = 0.0;                 ///< mean over the epoch so far
  double accuracy = 0.0;             ///< train accuracy over the epoch so far, 0..1
  std::int64_t samples = 0;          ///< trained since the reporter was made
  std::int64_t samples_total = 0;    ///< to be trained from then to the end; gives the ETA
};

/// Whether stderr is a terminal on which lines can rewrite themselves, and its width; 0: unknown.
bool stderr_is_live();
int stderr_columns();

class ProgressReporter {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;
  static constexpr std::chrono::milliseconds kLiveInterval{100};
  static constexpr std::chrono::milliseconds kPlainInterval{10'000};

  /// To stderr; live if that is a terminal that can rewrite a line (TERM is neither unset nor "dumb").
  ProgressReporter();
  /// columns: the terminal's width now, 0 if unknown; a live line is cut to it, since a wrapped one cannot be
  /// rewritten.
  ProgressReporter(std::ostream& out, bool live, Clock clock, std::function<int()> columns);
  ProgressReporter(const ProgressReporter&) = delete;
  ProgressReporter& operator=(const ProgressReporter&) = delete;
  ~ProgressReporter();

  /// Shows `state` unless something was shown less than an interval ago. Cheap otherwise: call it every step.
  void update(const ProgressState& state);
  /// A line that stays, such as an epoch's result, whatever the interval.
  void line(const std::string& text);
  /// Ends the live line.
  void finish();

 private:
  void clear_live_line();

  std::ostream& out_;
  bool live_;
  Clock clock_;
  std::function<int()> columns_;
  std::chrono::steady_clock::time_point start_, last_;
  bool shown_ = false;    // last_ holds a time
  bool on_line_ = false;  // a live line is on the screen
};

/// "epoch 2/5 step 100/157 loss 0.4321 acc 0.8765 12345 samples/s ETA 0:42". seconds: since `samples` was 0.
std::string progress_text(const ProgressState& state, double seconds);

/// "0:05", "12:34", "3:01:09", or "2 d 3:01:09"; rounded up, so that 0:00 means done.
std::string duration_text(double seconds);

}  // namespace splitsim
