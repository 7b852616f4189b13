#include "base/npy_header.hpp"

#include <charconv>
#include <cstddef>
#include <utility>

namespace splitsim {
namespace {

class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  std::optional<NpyHeader> parse() {
    NpyHeader header;
    std::string code;
    bool has_descr = false, has_order = false, has_shape = false;
    if (!take('{')) return std::nullopt;
    while (!take('}')) {
      std::string key;
      if (!quoted(key) || !take(':')) return std::nullopt;
      if (key == "descr" && !has_descr) {
        has_descr = quoted(code) || bracketed(code);
      } else if (key == "fortran_order" && !has_order) {
        has_order = boolean(header.fortran_order);
      } else if (key == "shape" && !has_shape) {
        has_shape = tuple(header.shape);
      } else {
        return std::nullopt;
      }
      if (!take(',') && peek() != '}') return std::nullopt;
    }
    if (!has_descr || !has_order || !has_shape || peek() != '\0') return std::nullopt;
    header.type = npy_type(code);
    return header;
  }

 private:
  char peek() {
    const std::size_t at = text_.find_first_not_of(" \t\r\n");
    text_.remove_prefix(at == std::string_view::npos ? text_.size() : at);
    return text_.empty() ? '\0' : text_.front();
  }
  bool take(char wanted) {
    if (text_.empty() || peek() != wanted) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool word(std::string_view wanted) {
    peek();
    if (!text_.starts_with(wanted)) return false;
    text_.remove_prefix(wanted.size());
    return true;
  }
  bool quoted(std::string& value) {
    const char quote = peek();
    if (quote != '\'' && quote != '"') return false;
    const std::size_t end = text_.find(quote, 1);
    if (end == std::string_view::npos) return false;
    value = text_.substr(1, end - 1);
    text_.remove_prefix(end + 1);
    return true;
  }
  /// A list of fields, [('a', '<i4'), ...], taken as it is: no type that anything here reads.
  bool bracketed(std::string& value) {
    if (peek() != '[') return false;
    std::size_t depth = 0;
    for (std::size_t at = 0; at < text_.size(); ++at) {
      if (text_[at] == '[') ++depth;
      if (text_[at] == ']' && --depth == 0) {
        value = text_.substr(0, at + 1);
        text_.remove_prefix(at + 1);
        return true;
      }
    }
    return false;
  }
  bool boolean(bool& value) {
    if (word("True")) {
      value = true;
      return true;
    }
    value = false;
    return word("False");
  }
  bool tuple(std::vector<std::int64_t>& values) {
    if (!take('(')) return false;
    while (!take(')')) {
      peek();
      std::int64_t value = 0;
      const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
      if (error != std::errc() || value < 0) return false;
      text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
      if (text_.starts_with('L')) text_.remove_prefix(1);  // Python 2 marked long integers
      values.push_back(value);
      if (!take(',') && peek() != ')') return false;
    }
    return true;
  }

  std::string_view text_;
};

}  // namespace

NpyType npy_type(const std::string& code) {
  NpyType type;
  type.code = code;
  if (code.size() != 3) return type;
  const char order = code[0], kind = code[1], digit = code[2];
  const int bytes = digit - '0';
  const bool known_size = kind == 'b'   ? bytes == 1
                          : kind == 'f' ? bytes == 2 || bytes == 4 || bytes == 8
                                        : bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
  const bool known_order = order == '<' || order == '>' || (order == '|' && bytes == 1);
  if ((kind != 'u' && kind != 'i' && kind != 'b' && kind != 'f') || !known_size || !known_order) return type;
  type.kind = kind;
  type.bytes = bytes;
  type.big_endian = order == '>';
  return type;
}

std::optional<NpyHeader> parse_npy_header(std::string_view text) { return HeaderParser(text).parse(); }

std::optional<std::uint64_t> byte_count(const std::vector<std::int64_t>& shape, std::uint64_t element_bytes) {
  std::uint64_t bytes = element_bytes;
  for (const std::int64_t extent : shape) {
    if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(extent), &bytes)) return std::nullopt;
  }
  return bytes;
}

std::string tuple_text(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t extent : shape) text += (text.empty() ? "" : ", ") + std::to_string(extent);
  return "(" + text + (shape.size() == 1 ? ",)" : ")");
}

}  // namespace splitsim
