#include "runtime/run/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <utility>

namespace splitsim {
bool stderr_is_live() {
  const char* term = std::getenv("TERM");
  return isatty(STDERR_FILENO) == 1 && term != nullptr && *term != '\0' && std::string_view(term) != "dumb";
}

int stderr_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

std::string duration_text(double seconds) {
  if (!(seconds >= 0.0) || seconds > 1e9) return "--:--";
  const auto total = static_cast<std::int64_t>(std::ceil(seconds));
  const std::int64_t s = total % 60, m = total / 60 % 60, h = total / 3600 % 24, d = total / 86400;
  if (d > 0) return fmt::format("{} d {}:{:02}:{:02}", d, h, m, s);
  if (h > 0) return fmt::format("{}:{:02}:{:02}", h, m, s);
  return fmt::format("{}:{:02}", m, s);
}

std::string progress_text(const ProgressState& state, double seconds) {
  const double rate = seconds > 0.0 ? static_cast<double>(state.samples) / seconds : 0.0;
  const auto left = static_cast<double>(state.samples_total - state.samples);
  const double eta = rate > 0.0 ? left / rate : -1.0;
  return fmt::format("epoch {}/{} step {}/{} loss {:.4f} acc {:.4f} {:.0f} samples/s ETA {}", state.epoch + 1,
                     state.epochs, state.step, state.steps, state.loss, state.accuracy, rate, duration_text(eta));
}

ProgressReporter::ProgressReporter()
    : ProgressReporter(
          std::cerr, stderr_is_live(), [] { return std::chrono::steady_clock::now(); }, stderr_columns) {}

ProgressReporter::ProgressReporter(std::ostream& out, bool live, Clock clock, std::function<int()> columns)
    : out_(out), live_(live), clock_(std::move(clock)), columns_(std::move(columns)), start_(clock_()), last_(start_) {}

ProgressReporter::~ProgressReporter() { finish(); }

void ProgressReporter::update(const ProgressState& state) {
  const auto now = clock_();
  // A live line comes at once; plain lines only once there is something to wait for.
  const bool due = live_ ? !shown_ || now - last_ >= kLiveInterval : now - last_ >= kPlainInterval;
  if (!due) return;
  last_ = now;
  shown_ = true;
  std::string text = progress_text(state, std::chrono::duration<double>(now - start_).count());
  if (live_) {
    const int columns = columns_();
    if (columns > 1) text.resize(std::min(text.size(), static_cast<std::size_t>(columns) - 1));
    out_ << "\r" << text << "\x1b[K" << std::flush;  // [K: erase what a longer line has left behind
    on_line_ = true;
  } else {
    out_ << text << "\n" << std::flush;
  }
}

void ProgressReporter::clear_live_line() {
  if (on_line_) out_ << "\r\x1b[K";
  on_line_ = false;
}

void ProgressReporter::line(const std::string& text) {
  clear_live_line();
  out_ << text << "\n" << std::flush;
}

void ProgressReporter::finish() {
  if (!on_line_) return;
  clear_live_line();
  out_ << std::flush;
}

}  // namespace splitsim
