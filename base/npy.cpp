#include "base/npy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/error.hpp"
#include "base/files.hpp"

namespace splitsim {
namespace {

static_assert(std::endian::native == std::endian::little, "values are read and written as they lie in memory");

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr std::size_t kAlignment = 64;                       // of the values within the file, as NumPy writes it
constexpr std::uint32_t kMaxHeader = 1u << 20;               // bytes; NumPy itself stops at 10000
constexpr std::int64_t kPieceBytes = std::int64_t{1} << 18;  // small enough to stay in a cache

template <class T>
constexpr const char* code_of() {
  if constexpr (std::is_same_v<T, std::uint8_t>) return "|u1";
  if constexpr (std::is_same_v<T, std::int32_t>) return "<i4";
  if constexpr (std::is_same_v<T, std::int64_t>) return "<i8";
  if constexpr (std::is_same_v<T, float>) return "<f4";
  if constexpr (std::is_same_v<T, double>) return "<f8";
}

[[noreturn]] void refuse_type(const NpyFile& file, const std::string& allowed) {
  throw InputError(fmt::format("{}: holds elements of type '{}'; allowed: {}", file.path(), file.type().code, allowed));
}

/// Calls f with a value of the C++ type that an integer type is.
template <class F>
void with_integer_type(const NpyType& type, F f) {
  const bool is_signed = type.kind == 'i';
  switch (type.bytes) {
    case 1:
      return is_signed ? f(std::int8_t{}) : f(std::uint8_t{});
    case 2:
      return is_signed ? f(std::int16_t{}) : f(std::uint16_t{});
    case 4:
      return is_signed ? f(std::int32_t{}) : f(std::uint32_t{});
    default:
      return is_signed ? f(std::int64_t{}) : f(std::uint64_t{});
  }
}

}  // namespace

NpyFile::NpyFile(const std::string& path) : path_(path) {
  std::error_code no_size;
  const std::uint64_t file_bytes = std::filesystem::file_size(path, no_size);
  if (!no_size) file_ = std::make_unique<std::ifstream>(path, std::ios::binary);  // whatever has no size may block
  if (no_size || !*file_) throw InputError(fmt::format("{}: cannot be read as a file", path));
  read_header(file_bytes);
}

NpyFile::NpyFile(const std::string& path, std::string bytes) : path_(path) {
  const std::uint64_t file_bytes = bytes.size();
  file_ = std::make_unique<std::istringstream>(std::move(bytes));
  read_header(file_bytes);
}

void NpyFile::read_header(std::uint64_t file_bytes) {
  const std::string& path = path_;
  std::istream& file = *file_;
  char start[8] = {};
  if (!file.read(start, sizeof start) || std::string_view(start, kMagic.size()) != kMagic) {
    throw InputError(fmt::format("{}: not a .npy file (it does not begin with \\x93NUMPY)", path));
  }
  const int version = static_cast<unsigned char>(start[6]);
  if (version < 1 || version > 3) {
    throw InputError(fmt::format("{}: .npy format version {} is not supported; allowed are 1 to 3", path, version));
  }
  unsigned char length[4] = {};
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  file.read(reinterpret_cast<char*>(length), static_cast<std::streamsize>(length_bytes));
  std::uint32_t header_bytes = 0;
  std::memcpy(&header_bytes, length, sizeof header_bytes);
  values_at_ = sizeof start + length_bytes + header_bytes;
  if (!file || values_at_ > file_bytes) throw InputError(fmt::format("{}: truncated within its header", path));
  std::string text(std::min(header_bytes, kMaxHeader), '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));

  std::optional<NpyHeader> header = parse_npy_header(text);
  if (!file || !header || header_bytes > kMaxHeader) {
    throw InputError(fmt::format("{}: its .npy header is malformed", path));
  }
  header_ = std::move(*header);
  if (header_.type.kind == '?') refuse_type(*this, "integers and real numbers");
  const std::optional<std::uint64_t> bytes = byte_count(shape(), static_cast<std::uint64_t>(type().bytes));
  if (!bytes || *bytes != file_bytes - values_at_) {
    throw InputError(fmt::format("{}: {}: shape {} of '{}' needs {} bytes of values, the file has {}", path,
                                 bytes && *bytes < file_bytes - values_at_ ? "too long" : "truncated", shape_text(),
                                 type().code, bytes ? fmt::to_string(*bytes) : "more than 2^64",
                                 file_bytes - values_at_));
  }
  size_ = static_cast<std::int64_t>(*bytes / static_cast<std::uint64_t>(type().bytes));
}

std::string NpyFile::shape_text() const { return tuple_text(shape()); }

template <class Raw, class Visit>
void NpyFile::for_each_piece(Visit visit) {
  constexpr std::int64_t kPiece = kPieceBytes / static_cast<std::int64_t>(sizeof(Raw));
  std::vector<Raw> piece(static_cast<std::size_t>(std::min(kPiece, size_)));
  file_->clear();
  file_->seekg(static_cast<std::streamoff>(values_at_));
  for (std::int64_t first = 0; first < size_; first += kPiece) {
    piece.resize(static_cast<std::size_t>(std::min(kPiece, size_ - first)));
    auto* bytes = reinterpret_cast<char*>(piece.data());
    if (!file_->read(bytes, static_cast<std::streamsize>(piece.size() * sizeof(Raw)))) {
      throw InputError(fmt::format("{}: reading its values failed", path_));
    }
    if (type().big_endian) {
      for (std::size_t i = 0; i < piece.size(); ++i)
        std::reverse(bytes + i * sizeof(Raw), bytes + (i + 1) * sizeof(Raw));
    }
    visit(piece, first);
  }
}

template <class T>
std::vector<T> NpyFile::integers(const IntegerRange& range) {
  if (!type().is_integer()) refuse_type(*this, "integers of 8 to 64 bits, bool");
  std::vector<T> values(static_cast<std::size_t>(size_));
  with_integer_type(type(), [&]<class Raw>(Raw) {
    for_each_piece<Raw>([&](const std::vector<Raw>& piece, std::int64_t first) {
      for (std::size_t i = 0; i < piece.size(); ++i) {
        const std::int64_t at = first + static_cast<std::int64_t>(i);
        if (std::cmp_less(piece[i], range.low) || std::cmp_greater(piece[i], range.high)) {
          throw InputError(fmt::format("{}: entry {} is {}; allowed: {} to {} ({})", path_, c_index(at), +piece[i],
                                       range.low, range.high, range.meaning));
        }
        values[static_cast<std::size_t>(at)] = static_cast<T>(piece[i]);
      }
    });
  });
  return in_c_order(std::move(values));
}

void NpyFile::for_each_real(const std::function<void(const std::vector<double>& piece, std::int64_t first)>& visit) {
  if (!type().is_real()) refuse_type(*this, "float32, float64");
  if (type().bytes == 8) return for_each_piece<double>(visit);
  for_each_piece<float>([&](const std::vector<float>& piece, std::int64_t first) {
    visit({piece.begin(), piece.end()}, first);
  });
}

std::int64_t NpyFile::c_index(std::int64_t index) const {
  if (!header_.fortran_order) return index;
  std::int64_t result = 0, stride = size_;
  for (const std::int64_t extent : shape()) {
    stride /= extent;
    result += index % extent * stride;
    index /= extent;
  }
  return result;
}

template <class T>
std::vector<T> NpyFile::in_c_order(std::vector<T> values) const {
  if (!header_.fortran_order || shape().size() < 2 || values.empty()) return values;
  // The first index runs fastest in the file: columns of it are spread with its C stride.
  const std::int64_t column = shape()[0], stride = size_ / column;
  std::vector<T> result(values.size());
#pragma omp parallel for schedule(static)
  for (std::int64_t first = 0; first < size_; first += column) {
    T* to = result.data() + c_index(first);
    for (std::int64_t i = 0; i < column; ++i) to[i * stride] = values[static_cast<std::size_t>(first + i)];
  }
  return result;
}

bool is_list_of(std::int64_t count, const std::vector<std::int64_t>& shape) {
  return !shape.empty() && shape[0] == count && (shape.size() == 1 || (shape.size() == 2 && shape[1] == 1));
}

template <class T>
NpyArray<T> read_npy_integers(const std::string& path, const IntegerRange& range) {
  NpyFile file(path);
  return {file.shape(), file.integers<T>(range)};
}

template <class T>
NpyArray<T> read_npy(const std::string& path) {
  NpyFile file(path);
  if (file.type().code != code_of<T>()) refuse_type(file, code_of<T>());
  if constexpr (std::is_integral_v<T>) {
    return {file.shape(), file.integers<T>({std::numeric_limits<T>::min(), std::numeric_limits<T>::max(), ""})};
  } else {
    std::vector<T> values;
    values.reserve(static_cast<std::size_t>(file.size()));
    file.for_each_real([&](const std::vector<double>& piece, std::int64_t) {
      for (const double value : piece) values.push_back(static_cast<T>(value));
    });
    return {file.shape(), file.in_c_order(std::move(values))};
  }
}

template <class T>
void write_npy(const std::string& path, const NpyArray<T>& array) {
  const std::optional<std::uint64_t> bytes = byte_count(array.shape, sizeof(T));
  if (!bytes || *bytes != array.values.size() * sizeof(T)) {
    throw InputError(
        fmt::format("{}: {} values do not fill the shape {}", path, array.values.size(), tuple_text(array.shape)));
  }
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}", code_of<T>(), tuple_text(array.shape));
  const std::size_t before = kMagic.size() + 4;  // version and length, as in format 1.0
  header.append((kAlignment - (before + header.size() + 1) % kAlignment) % kAlignment, ' ');
  header += '\n';
  if (header.size() > std::numeric_limits<std::uint16_t>::max()) {
    throw InputError(fmt::format("{}: {} dimensions do not fit a .npy header", path, array.shape.size()));
  }
  const auto length = static_cast<std::uint16_t>(header.size());
  write_file_atomically(path, {kMagic,
                               {"\x01\x00", 2},
                               {reinterpret_cast<const char*>(&length), sizeof length},
                               header,
                               {reinterpret_cast<const char*>(array.values.data()), *bytes}});
}

#define SPLITSIM_NPY_INTEGERS(T)                                                   \
  template std::vector<T> NpyFile::integers(const IntegerRange&);                  \
  template NpyArray<T> read_npy_integers(const std::string&, const IntegerRange&)
#define SPLITSIM_NPY(T)                                               \
  template std::vector<T> NpyFile::in_c_order(std::vector<T>) const; \
  template NpyArray<T> read_npy(const std::string&);                  \
  template void write_npy(const std::string&, const NpyArray<T>&)
SPLITSIM_NPY_INTEGERS(std::uint8_t);
SPLITSIM_NPY_INTEGERS(std::int32_t);
SPLITSIM_NPY_INTEGERS(std::int64_t);
SPLITSIM_NPY(std::uint8_t);
SPLITSIM_NPY(std::int32_t);
SPLITSIM_NPY(std::int64_t);
SPLITSIM_NPY(float);
SPLITSIM_NPY(double);

}  // namespace splitsim
