#include "base/safetensors.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "base/error.hpp"
#include "base/files.hpp"

namespace splitsim {
namespace {

static_assert(std::endian::native == std::endian::little, "values are read and written as they lie in memory");

using Json = nlohmann::ordered_json;

constexpr const char* kMetadata = "__metadata__";
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit

[[noreturn]] void fail(const std::string& path, const std::string& reason) {
  throw InputError(fmt::format("'{}' is not a valid safetensors file: {}", path, reason));
}

/// Number of values of a shape, or -1 if it has a negative extent or too many values.
std::int64_t count_values(const std::vector<std::int64_t>& shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count)) return -1;
  }
  return count > (std::int64_t{1} << 60) ? -1 : count;
}

/// Parses the header; repeated names are an error, which a plain parse would hide.
Json parse_header(const std::string& path, const std::string& text) {
  std::set<std::string> names;
  std::string repeated;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::key && depth == 1) {
      if (!names.insert(value.get<std::string>()).second) repeated = value.get<std::string>();
    }
    return true;
  };
  Json header;
  try {
    header = Json::parse(text, watch);
  } catch (const Json::exception&) {
    fail(path, "its header is not JSON");
  }
  if (!header.is_object()) fail(path, "its header is not a JSON object");
  if (!repeated.empty()) fail(path, fmt::format("the name '{}' occurs twice", repeated));
  return header;
}

struct Entry {
  std::string name;
  std::vector<std::int64_t> shape;
  std::uint64_t begin, end;
  bool skipped;
};

Entry parse_entry(const std::string& path, const std::string& name, const Json& value, bool skipped) {
  const auto bad = [&](const std::string& what) { fail(path, fmt::format("tensor '{}' has {}", name, what)); };
  if (!value.is_object() || !value.contains("dtype") || !value.contains("shape") || !value.contains("data_offsets")) {
    bad("no dtype, shape and data_offsets");
  }
  if (!skipped && value["dtype"] != "F32") bad(fmt::format("the type {}; allowed: \"F32\"", value["dtype"].dump()));
  Entry entry{name, {}, 0, 0, skipped};
  if (!value["shape"].is_array()) bad("a shape that is no list");
  for (const Json& extent : value["shape"]) {
    if (!extent.is_number_unsigned() || extent.get<std::uint64_t>() > (std::uint64_t{1} << 60)) {
      bad(fmt::format("the extent {} in its shape", extent.dump()));
    }
    entry.shape.push_back(extent.get<std::int64_t>());
  }
  const Json& offsets = value["data_offsets"];
  if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
      !offsets[1].is_number_unsigned()) {
    bad("data_offsets that are not two whole numbers");
  }
  entry.begin = offsets[0].get<std::uint64_t>();
  entry.end = offsets[1].get<std::uint64_t>();
  const std::int64_t count = count_values(entry.shape);
  if (count < 0 || entry.end < entry.begin ||
      (!skipped && entry.end - entry.begin != static_cast<std::uint64_t>(count) * sizeof(float))) {
    bad(fmt::format("data_offsets [{}, {}] that do not fit its shape [{}]", entry.begin, entry.end,
                    fmt::join(entry.shape, ", ")));
  }
  return entry;
}

}  // namespace

const Tensor& TensorFile::at(const std::string& name, const std::vector<std::int64_t>& shape) const {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const Tensor& t) { return t.name == name; });
  if (found == tensors.end()) throw InputError(fmt::format("'{}' has no tensor '{}'", path, name));
  if (found->shape != shape) {
    throw InputError(fmt::format("'{}': tensor '{}' has the shape [{}]; expected: [{}]", path, name,
                                 fmt::join(found->shape, ", "), fmt::join(shape, ", ")));
  }
  return *found;
}

void write_safetensors(const std::string& path, const std::vector<TensorView>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header[kMetadata] = metadata;
  std::uint64_t offset = 0;
  std::vector<std::string_view> parts(2);
  for (const TensorView& tensor : tensors) {
    if (tensor.name.empty() || tensor.name == kMetadata || header.contains(tensor.name)) {
      throw InputError(
          fmt::format("cannot write '{}': tensor name '{}' is empty, reserved or used twice", path, tensor.name));
    }
    if (static_cast<std::size_t>(count_values(tensor.shape)) != tensor.values.size()) {
      throw InputError(fmt::format("cannot write '{}': tensor '{}' of shape [{}] has {} values", path, tensor.name,
                                   fmt::join(tensor.shape, ", "), tensor.values.size()));
    }
    const std::uint64_t bytes = static_cast<std::uint64_t>(tensor.values.size()) * sizeof(float);
    header[tensor.name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
    parts.emplace_back(reinterpret_cast<const char*>(tensor.values.data()), bytes);
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const Json::exception&) {
    throw InputError(fmt::format("cannot write '{}': a name or a metadata entry is not UTF-8", path));
  }
  text.append((8 - text.size() % 8) % 8, ' ');  // values start 8-byte aligned, as the format asks for
  const std::uint64_t length = text.size();
  parts[0] = {reinterpret_cast<const char*>(&length), sizeof length};
  parts[1] = text;
  write_file_atomically(path, parts);
}

TensorFile read_safetensors(const std::string& path, std::string_view skip) {
  std::error_code error;
  const std::uint64_t file_bytes = std::filesystem::file_size(path, error);
  if (error) throw InputError(fmt::format("cannot read '{}': {}", path, error.message()));
  std::ifstream file(path, std::ios::binary);
  if (!file) throw InputError(fmt::format("cannot read '{}'", path));

  std::uint64_t length = 0;
  if (file_bytes < sizeof length || !file.read(reinterpret_cast<char*>(&length), sizeof length)) {
    fail(path, fmt::format("it has {} bytes, too few for a header", file_bytes));
  }
  if (length > kMaxHeaderBytes || length > file_bytes - sizeof length) {
    fail(path,
         fmt::format("its header of {} bytes does not fit the file of {} bytes (truncated?)", length, file_bytes));
  }
  std::string text(length, '\0');
  if (!file.read(text.data(), static_cast<std::streamsize>(length))) fail(path, "its header cannot be read");

  TensorFile result;
  result.path = path;
  std::vector<Entry> entries;
  const Json header = parse_header(path, text);
  for (const auto& [name, value] : header.items()) {
    if (name != kMetadata) {
      entries.push_back(parse_entry(path, name, value, !skip.empty() && name.ends_with(skip)));
      continue;
    }
    if (!value.is_object()) fail(path, "its metadata is no object");
    for (const auto& [key, entry] : value.items()) {
      if (!entry.is_string()) fail(path, fmt::format("metadata '{}' is not a text", key));
      result.metadata[key] = entry.get<std::string>();
    }
  }
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  std::uint64_t offset = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != offset) {
      fail(path,
           fmt::format("tensor '{}' starts at byte {} of the values, not at {}", entry.name, entry.begin, offset));
    }
    offset = entry.end;
  }
  const std::uint64_t payload = file_bytes - sizeof length - length;
  if (offset != payload) {
    fail(path, fmt::format("its tensors need {} bytes of values, it has {}{}", offset, payload,
                           payload < offset ? " (truncated?)" : ""));
  }
  for (Entry& entry : entries) {
    if (entry.skipped) {
      file.seekg(static_cast<std::streamoff>(entry.end - entry.begin), std::ios::cur);
      continue;
    }
    Tensor tensor{std::move(entry.name), std::move(entry.shape), {}};
    tensor.values.resize((entry.end - entry.begin) / sizeof(float));
    if (!file.read(reinterpret_cast<char*>(tensor.values.data()),
                   static_cast<std::streamsize>(entry.end - entry.begin))) {
      fail(path, fmt::format("the values of tensor '{}' cannot be read", tensor.name));
    }
    result.tensors.push_back(std::move(tensor));
  }
  return result;
}

}  // namespace splitsim
