#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <limits>
#include <string_view>
#include <tuple>

#include "base/error.hpp"
#include "base/files.hpp"
#include "runtime/record/ordinal.hpp"
#include "runtime/record/records.hpp"

namespace splitsim {
namespace {

constexpr std::string_view kStepColumns =
    "epoch,step,train_loss,samples,active_clients,batch_deviation,train_correct,client_lr,server_lr,start_ns,end_ns,"
    "critical_forward,critical_backward,bytes_up,bytes_down,model_bytes_up,model_bytes_down\n";
constexpr std::string_view kClientColumns =
    "client,samples,steps,waiting_ns,active_ns,bytes_up,bytes_down,model_bytes_up,model_bytes_down\n";
constexpr std::string_view kClientTestColumns = "epoch,client,test_loss,test_accuracy\n";
constexpr std::string_view kWaitingColumns = "epoch,step,client,waiting_ns,active_ns\n";

// The fields in the order of the columns, for the writer and the reader.
template <class Record>
auto columns(Record& r) requires std::is_same_v<std::remove_const_t<Record>, StepRecord> {
  return std::tuple_cat(
      std::tuple(ordinal(r.epoch), ordinal(r.step)),
      std::tie(r.train_loss, r.samples, r.active_clients, r.batch_deviation, r.train_correct, r.client_lr, r.server_lr,
               r.start_ns, r.end_ns, r.critical_forward, r.critical_backward, r.bytes_up, r.bytes_down,
               r.model_bytes_up, r.model_bytes_down));
}
template <class Record>
auto columns(Record& r) requires std::is_same_v<std::remove_const_t<Record>, ClientRecord> {
  return std::tie(r.client, r.samples, r.steps, r.waiting_ns, r.active_ns, r.bytes_up, r.bytes_down, r.model_bytes_up,
                  r.model_bytes_down);
}
template <class Record>
auto columns(Record& r) requires std::is_same_v<std::remove_const_t<Record>, ClientTest> {
  return std::tuple_cat(std::tuple(ordinal(r.epoch)), std::tie(r.client, r.test_loss, r.test_accuracy));
}
template <class Record>
auto columns(Record& r) requires std::is_same_v<std::remove_const_t<Record>, WaitingRecord> {
  return std::tuple_cat(std::tuple(ordinal(r.epoch), ordinal(r.step)), std::tie(r.client, r.waiting_ns, r.active_ns));
}

template <class T>
const T& printed(const T& value) {
  return value;
}
template <class T>
std::int64_t printed(const Ordinal<T>& number) {
  return std::int64_t{number.value} + 1;
}

template <class Record>
std::string rows_of(const std::vector<Record>& records) {
  std::string text;
  for (const Record& record : records) {
    std::apply(
        [&](const auto& first, const auto&... rest) {
          fmt::format_to(std::back_inserter(text), "{}", printed(first));
          (fmt::format_to(std::back_inserter(text), ",{}", printed(rest)), ...);
        },
        columns(record));
    text += '\n';
  }
  return text;
}

/// Takes one value and the ',' behind it, or nothing behind the last.
template <class T>
bool take(std::string_view& line, T& value) requires std::is_arithmetic_v<T> {
  const std::string_view field = line.substr(0, line.find(','));
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc() || end != field.data() + field.size()) return false;
  const bool last = field.size() == line.size();
  line.remove_prefix(last ? field.size() : field.size() + 1);
  return true;
}

template <class T>
bool take(std::string_view& line, const Ordinal<T>& number) {
  std::int64_t value = 0;
  if (!take(line, value) || value < 1 || value - 1 > std::numeric_limits<T>::max()) return false;
  number.value = static_cast<T>(value - 1);
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
    const bool complete = std::apply([&](auto&&... field) { return (take(line, field) && ...); }, columns(record));
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
std::string client_tests_csv_header() { return std::string(kClientTestColumns); }
std::string waiting_csv_header() { return std::string(kWaitingColumns); }
std::string to_csv(const std::vector<ClientTest>& tests) { return rows_of(tests); }
std::string to_csv(const std::vector<WaitingRecord>& waits) { return rows_of(waits); }
std::vector<StepRecord> read_steps(const std::string& path) { return read_csv<StepRecord>(path, kStepColumns); }
std::vector<ClientRecord> read_clients(const std::string& path) { return read_csv<ClientRecord>(path, kClientColumns); }
std::vector<ClientTest> read_client_tests(const std::string& path) {
  return read_csv<ClientTest>(path, kClientTestColumns);
}
std::vector<WaitingRecord> read_waiting(const std::string& path) {
  return read_csv<WaitingRecord>(path, kWaitingColumns);
}

}  // namespace splitsim
