#include <fmt/format.h>

#include <charconv>
#include <string_view>
#include <tuple>

#include "kernels/device/error.hpp"
#include "runtime/record/records.hpp"
#include "samplers/files.hpp"

namespace splitsim {
namespace {

constexpr std::string_view kStepColumns =
    "epoch,step,loss,batch,active,deviation,train_correct,start_ns,end_ns,critical_forward,critical_backward,"
    "bytes_up,bytes_down,model_bytes_up,model_bytes_down\n";
constexpr std::string_view kClientColumns =
    "client,samples,steps,bytes_up,bytes_down,model_bytes_up,model_bytes_down\n";

// The fields in the order of the columns, for the writer and the reader.
template <class Record>
auto columns(Record& r) requires std::is_same_v<std::remove_const_t<Record>, StepRecord> {
  return std::tie(r.epoch, r.step, r.loss, r.batch, r.active, r.deviation, r.train_correct, r.start_ns, r.end_ns,
                  r.critical_forward, r.critical_backward, r.bytes_up, r.bytes_down, r.model_bytes_up,
                  r.model_bytes_down);
}
template <class Record>
auto columns(Record& r) requires std::is_same_v<std::remove_const_t<Record>, ClientRecord> {
  return std::tie(r.client, r.samples, r.steps, r.bytes_up, r.bytes_down, r.model_bytes_up, r.model_bytes_down);
}

template <class Record>
std::string rows_of(const std::vector<Record>& records) {
  std::string text;
  for (const Record& record : records) {
    std::apply(
        [&](const auto& first, const auto&... rest) {
          fmt::format_to(std::back_inserter(text), "{}", first);
          (fmt::format_to(std::back_inserter(text), ",{}", rest), ...);
        },
        columns(record));
    text += '\n';
  }
  return text;
}

/// Takes one value and the ',' behind it, or nothing behind the last.
template <class T>
bool take(std::string_view& line, T& value) {
  const std::string_view field = line.substr(0, line.find(','));
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc() || end != field.data() + field.size()) return false;
  const bool last = field.size() == line.size();
  line.remove_prefix(last ? field.size() : field.size() + 1);
  return true;
}

template <class Record>
std::vector<Record> read_csv(const std::string& path, std::string_view header) {
  const std::string text = read_text_file(path);
  if (!std::string_view(text).starts_with(header)) {
    throw InputError(fmt::format("'{}' line 1: the columns must be {}", path, header.substr(0, header.size() - 1)));
  }
  std::vector<Record> records;
  std::size_t at = header.size();
  for (std::size_t end = text.find('\n', at); end != std::string::npos; end = text.find('\n', at)) {
    std::string_view line = std::string_view(text).substr(at, end - at);
    const std::string_view whole = line;
    Record& record = records.emplace_back();
    const bool complete = std::apply([&](auto&... field) { return (take(line, field) && ...); }, columns(record));
    if (!complete || !line.empty() || whole.back() == ',') {
      throw InputError(fmt::format("'{}' line {}: '{}' does not fit the columns {}", path, records.size() + 1, whole,
                                   header.substr(0, header.size() - 1)));
    }
    at = end + 1;
  }
  return records;
}

}  // namespace

std::string steps_csv_header() { return std::string(kStepColumns); }
std::string clients_csv_header() { return std::string(kClientColumns); }
std::string to_csv(const std::vector<StepRecord>& steps) { return rows_of(steps); }
std::string to_csv(const std::vector<ClientRecord>& clients) { return rows_of(clients); }
std::vector<StepRecord> read_steps(const std::string& path) { return read_csv<StepRecord>(path, kStepColumns); }
std::vector<ClientRecord> read_clients(const std::string& path) { return read_csv<ClientRecord>(path, kClientColumns); }

}  // namespace splitsim
