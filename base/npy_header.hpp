// The header of a .npy file: a Python dictionary literal that names element type, order and shape.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace splitsim {

/// An element type as NumPy spells it ("<i4": byte order, kind, bytes).
struct NpyType {
  std::string code;
  char kind = '?';  ///< u, i, b (bool), f; ? for anything else (complex numbers, texts, records, Python objects)
  int bytes = 0;    ///< per element; 0 for kind ?
  bool big_endian = false;

  bool is_integer() const { return kind == 'u' || kind == 'i' || kind == 'b'; }
  bool is_real() const { return kind == 'f' && bytes >= 4; }
};

NpyType npy_type(const std::string& code);

struct NpyHeader {
  NpyType type;
  bool fortran_order = false;  ///< first index fastest
  std::vector<std::int64_t> shape;
};

/// The keys descr, fortran_order and shape, each once, in any order. None if the text is anything else.
std::optional<NpyHeader> parse_npy_header(std::string_view text);

/// Product of the shape times the element size, if it fits.
std::optional<std::uint64_t> byte_count(const std::vector<std::int64_t>& shape, std::uint64_t element_bytes);

/// As Python writes a tuple.
std::string tuple_text(const std::vector<std::int64_t>& shape);

}  // namespace splitsim
