// Arrays in NumPy's .npy format (versions 1 to 3). Any byte order, C and Fortran order are read; what is written is
// little-endian, in C order. Determinism: exact.
// Errors: InputError naming the file and what is wrong with it.
#pragma once

#include <cstdint>
#include <functional>
#include <istream>
#include <memory>
#include <string>
#include <vector>

#include "base/npy_header.hpp"

namespace splitsim {

template <class T>
struct NpyArray {
  std::vector<std::int64_t> shape;  ///< empty for a single number
  std::vector<T> values;            ///< product of the shape, last index fastest
};

/// What integers are allowed; `meaning` is for the message, as in "0 to 7 (partition.clients = 8)".
struct IntegerRange {
  std::int64_t low, high;  ///< inclusive
  std::string meaning;
};

/// An open file. Its header is read and its length checked against it at once; values are only read, and memory for
/// them only taken, when asked for.
class NpyFile {
 public:
  /// Errors: a file that is missing, is no .npy, or is shorter or longer than its header says.
  explicit NpyFile(const std::string& path);
  /// A file that is in memory already; `path` is for messages.
  NpyFile(const std::string& path, std::string bytes);

  const std::string& path() const { return path_; }
  const std::vector<std::int64_t>& shape() const { return header_.shape; }
  std::string shape_text() const;  ///< as Python writes a tuple
  const NpyType& type() const { return header_.type; }
  std::int64_t size() const { return size_; }  ///< number of values

  /// All values in C order, from an integer type of any width, sign and byte order, or bool. T is uint8_t, int32_t or
  /// int64_t; `range` lies within it. Errors: another type; a value out of range, with its place in C order.
  template <class T>
  std::vector<T> integers(const IntegerRange& range);

  /// Passes float32 or float64 values on, piece by piece, in the order of the file. Errors: another type.
  void for_each_real(const std::function<void(const std::vector<double>& piece, std::int64_t first)>& visit);

  /// Values in the order of the file, put into C order.
  template <class T>
  std::vector<T> in_c_order(std::vector<T> values) const;

  /// The place in C order of the value at `index` in the order of the file.
  std::int64_t c_index(std::int64_t index) const;

 private:
  void read_header(std::uint64_t file_bytes);
  template <class Raw, class Visit>
  void for_each_piece(Visit visit);

  std::string path_;
  std::unique_ptr<std::istream> file_;
  NpyHeader header_;
  std::uint64_t values_at_ = 0;
  std::int64_t size_ = 0;
};

/// Whether a shape is that of a list of `count` values: [count], or [count, 1], as a column of a table is saved.
bool is_list_of(std::int64_t count, const std::vector<std::int64_t>& shape);

/// NpyFile::integers() and the shape.
template <class T>
NpyArray<T> read_npy_integers(const std::string& path, const IntegerRange& range);

/// Reads an array whose element type is exactly T: uint8_t, int32_t, int64_t, float or double.
template <class T>
NpyArray<T> read_npy(const std::string& path);

/// Writes beside `path` and renames, durably, so that `path` is never half-written. The number of values must be the
/// product of the shape. T as for read_npy().
template <class T>
void write_npy(const std::string& path, const NpyArray<T>& array);

}  // namespace splitsim
