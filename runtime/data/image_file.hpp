// Pictures in PNG (libpng) and JPEG (libjpeg-turbo) files: the decoders that nearly everything else uses, kept by their
// projects and by Debian. Determinism: exact for PNG; JPEG decodes with the accurate integer transform, to bits that may
// differ between versions of the library.
// Errors: InputError naming the file and what is wrong with it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace splitsim {

class ImageFile {
 public:
  /// Reads the file and its header. Errors: neither PNG nor JPEG, damaged, of more than 4096 x 4096 pixels.
  explicit ImageFile(const std::string& path);

  std::int32_t height() const { return height_; }
  std::int32_t width() const { return width_; }
  bool has_colour() const { return colour_; }

  /// [C, H, W] with 1 or 3 channels: grey ones in colour have three alike. What is transparent is laid on black. Errors:
  /// damaged pixels.
  void decode(std::int32_t channels, std::uint8_t* image) const;

 private:
  std::string path_;
  std::vector<std::uint8_t> bytes_;
  bool png_ = false, colour_ = false;
  std::int32_t height_ = 0, width_ = 0;
};

}  // namespace splitsim
