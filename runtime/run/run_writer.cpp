#include "runtime/run/run_writer.hpp"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <functional>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/npy.hpp"

namespace splitsim {
namespace {

/// The part of a file whose lines belong to epochs [0, epochs). Lines are in the order of their epochs; the first
/// `header_lines` belong to none. epoch_of gives a line's epoch or -1.
std::string_view first_epochs(const std::string& path, std::string_view text, std::int32_t epochs, int header_lines,
                              const std::function<std::int32_t(std::string_view)>& epoch_of) {
  std::size_t kept = 0;
  std::int32_t last = -1;
  for (int line = 1;; ++line) {
    const std::size_t end = text.find('\n', kept);
    if (end == std::string_view::npos) break;
    if (line > header_lines) {
      const std::int32_t epoch = epoch_of(text.substr(kept, end - kept));
      if (epoch < last || epoch > last + 1) {
        if (last == epochs - 1) break;  // whatever it is, it lies beyond what is kept
        throw InputError(fmt::format("'{}' line {}: epoch {} expected", path, line, last < 0 ? 1 : last + 1));
      }
      if (epoch >= epochs) break;
      last = epoch;
    }
    kept = end + 1;
  }
  if (last != epochs - 1) {
    throw InputError(
        fmt::format("'{}' ends after epoch {}, but the checkpoint was taken after epoch {}", path, last + 1, epochs));
  }
  return text.substr(0, kept);
}

void truncate_file(const std::string& path, std::int32_t epochs, int header_lines,
                   const std::function<std::int32_t(std::string_view)>& epoch_of) {
  if (epochs == 0) {
    std::error_code error;
    std::filesystem::remove(path, error);
    if (error) throw InputError(fmt::format("cannot remove '{}': {}", path, error.message()));
    return;
  }
  const std::string text = read_text_file(path);
  const std::string_view kept = first_epochs(path, text, epochs, header_lines, epoch_of);
  if (kept.size() != text.size()) write_file_atomically(path, kept);
}

/// The same for a file that may lack lines of some epochs, or not exist.
void truncate_sparse_file(const std::string& path, std::int32_t epochs, int header_lines,
                          const std::function<std::int32_t(std::string_view)>& epoch_of) {
  if (epochs == 0 || !std::filesystem::exists(path)) {
    std::filesystem::remove(path);
    return;
  }
  const std::string text = read_text_file(path);
  std::size_t kept = 0;
  for (int line = 1;; ++line) {
    const std::size_t end = text.find('\n', kept);
    if (end == std::string::npos) break;
    if (line > header_lines) {
      const std::int32_t epoch = epoch_of(std::string_view(text).substr(kept, end - kept));
      if (epoch < 0) throw InputError(fmt::format("'{}' line {}: an epoch expected", path, line));
      if (epoch >= epochs) break;
    }
    kept = end + 1;
  }
  if (kept != text.size()) write_file_atomically(path, std::string_view(text).substr(0, kept));
}

/// The epoch, from 0, that a line of CSV begins with (from 1), or -1.
std::int32_t leading_number(std::string_view text) {
  std::int32_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end != text.data() + text.size() && *end == ',' && value > 0 ? value - 1 : -1;
}

/// Lines of JSON start with {"epoch":n, since a record's first field is its epoch.
std::int32_t epoch_of_json(std::string_view text) {
  constexpr std::string_view kStart = "{\"epoch\":";
  return text.starts_with(kStart) ? leading_number(text.substr(kStart.size())) : -1;
}

}  // namespace

RunWriter::RunWriter(std::string dir) : dir_(std::move(dir)) {}

std::string RunWriter::path(const std::string& name) const { return (std::filesystem::path(dir_) / name).string(); }

void RunWriter::write_text(const std::string& name, const std::string& text) {
  write_file_atomically(path(name), text);
}

void RunWriter::write_partition(const Population& population) {
  write_npy<std::int32_t>(path("partition.npy"), {{population.samples()}, population.owner});
  std::string text = "client";
  for (std::int32_t c = 0; c < population.classes; ++c) text += fmt::format(",class_{}", c);
  text += '\n';
  auto count = population.histogram.begin();
  for (std::int32_t k = 0; k < population.clients; ++k) {
    fmt::format_to(std::back_inserter(text), "{}", k);
    for (std::int32_t c = 0; c < population.classes; ++c) fmt::format_to(std::back_inserter(text), ",{}", *count++);
    text += '\n';
  }
  write_file_atomically(path("class_counts.csv"), text);
}

void RunWriter::append_rows(const char* name, const std::string& header, const std::string& rows) {
  const std::string file = path(name);
  append_to_file(file, (std::filesystem::exists(file) ? "" : header) + rows);
}

void RunWriter::append_steps(const std::vector<StepRecord>& steps) {
  append_rows("steps.csv", csv_header<StepRecord>(), to_csv(steps));
}
void RunWriter::append_client_tests(const std::vector<ClientTest>& tests) {
  append_rows("client_tests.csv", csv_header<ClientTest>(), to_csv(tests));
}
void RunWriter::append_waiting(const std::vector<WaitingRecord>& waits) {
  append_rows("waiting.csv", csv_header<WaitingRecord>(), to_csv(waits));
}
void RunWriter::append_tests(const std::vector<TestRecord>& tests) {
  std::string lines;
  for (const TestRecord& test : tests) lines += to_json_line(test);
  append_rows("tests.jsonl", "", lines);
}

void RunWriter::append_epoch(const EpochRecord& epoch) { append_to_file(path("epochs.jsonl"), to_json_line(epoch)); }

void RunWriter::truncate(std::int32_t epochs) {
  truncate_file(path("steps.csv"), epochs, 1, leading_number);
  truncate_file(path("epochs.jsonl"), epochs, 0, epoch_of_json);
  truncate_sparse_file(path("tests.jsonl"), epochs, 0, epoch_of_json);
  truncate_sparse_file(path("client_tests.csv"), epochs, 1, leading_number);
  truncate_sparse_file(path("waiting.csv"), epochs, 1, leading_number);
}

void RunWriter::write_clients(const std::vector<ClientRecord>& clients) {
  write_file_atomically(path("clients.csv"), {csv_header<ClientRecord>(), to_csv(clients)});
}

void RunWriter::write_model(const std::string& name, const std::vector<TensorView>& tensors,
                            const std::string& model_sha256) {
  write_safetensors(path(name), tensors, {{"format", "splitsim"}, {"model_sha256", model_sha256}});
}

void RunWriter::write_summary(const Summary& summary) { write_file_atomically(path("summary.json"), to_json(summary)); }

}  // namespace splitsim
