#include "runtime/data/image_file.hpp"

#include <fmt/format.h>
#include <png.h>
#include <turbojpeg.h>

#include <algorithm>
#include <array>
#include <memory>
#include <type_traits>

#include "base/error.hpp"
#include "base/files.hpp"

namespace splitsim {

namespace {

constexpr std::int32_t kMaxSide = 4096;
constexpr std::array<std::uint8_t, 4> kPng = {0x89, 'P', 'N', 'G'};
constexpr std::array<std::uint8_t, 3> kJpeg = {0xff, 0xd8, 0xff};

/// libpng's handle of a file in memory.
struct Png {
  png_image image{};
  Png() { image.version = PNG_IMAGE_VERSION; }
  ~Png() { png_image_free(&image); }
  Png(const Png&) = delete;
  Png& operator=(const Png&) = delete;
};

struct FreeTurbo {
  void operator()(void* handle) const { tjDestroy(handle); }
};
using Turbo = std::unique_ptr<void, FreeTurbo>;

template <std::size_t n>
bool begins_with(const std::vector<std::uint8_t>& bytes, const std::array<std::uint8_t, n>& magic) {
  return bytes.size() >= n && std::equal(magic.begin(), magic.end(), bytes.begin());
}

[[noreturn]] void fail(const std::string& path, const char* what) {
  throw InputError(fmt::format("'{}' is damaged: {}", path, what));
}

}  // namespace

ImageFile::ImageFile(const std::string& path) : path_(path) {
  const std::string text = read_text_file(path);
  bytes_.assign(text.begin(), text.end());
  png_ = begins_with(bytes_, kPng);
  if (png_) {
    Png png;
    if (png_image_begin_read_from_memory(&png.image, bytes_.data(), bytes_.size()) == 0) fail(path, png.image.message);
    colour_ = (png.image.format & PNG_FORMAT_FLAG_COLOR) != 0;
    height_ = static_cast<std::int32_t>(std::min<std::uint32_t>(png.image.height, kMaxSide + 1));
    width_ = static_cast<std::int32_t>(std::min<std::uint32_t>(png.image.width, kMaxSide + 1));
  } else if (begins_with(bytes_, kJpeg)) {
    const Turbo turbo(tjInitDecompress());
    int subsampling = 0, space = 0;
    if (tjDecompressHeader3(turbo.get(), bytes_.data(), bytes_.size(), &width_, &height_, &subsampling, &space) != 0) {
      fail(path, tjGetErrorStr2(turbo.get()));
    }
    if (space == TJCS_CMYK || space == TJCS_YCCK) {
      throw InputError(fmt::format("'{}' is a picture in CMYK; allowed: grey or RGB", path));
    }
    colour_ = space != TJCS_GRAY;
  } else {
    throw InputError(fmt::format("'{}' is neither PNG nor JPEG", path));
  }
  if (height_ < 1 || width_ < 1 || height_ > kMaxSide || width_ > kMaxSide) {
    throw InputError(fmt::format("'{}' is larger than {} x {} pixels", path, kMaxSide, kMaxSide));
  }
}

void ImageFile::decode(std::int32_t channels, std::uint8_t* image) const {
  const auto plane = static_cast<std::size_t>(height_) * static_cast<std::size_t>(width_);
  std::vector<std::uint8_t> pixels(plane * static_cast<std::size_t>(channels));
  if (png_) {
    Png png;
    const png_color black{0, 0, 0};
    if (png_image_begin_read_from_memory(&png.image, bytes_.data(), bytes_.size()) == 0) fail(path_, png.image.message);
    png.image.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
    if (png_image_finish_read(&png.image, &black, pixels.data(), 0, nullptr) == 0) fail(path_, png.image.message);
  } else {
    const Turbo turbo(tjInitDecompress());
    // A warning, as of a file that is cut off, is a failure, too.
    if (tjDecompress2(turbo.get(), bytes_.data(), bytes_.size(), pixels.data(), width_, 0, height_,
                      channels == 1 ? TJPF_GRAY : TJPF_RGB, TJFLAG_ACCURATEDCT) != 0) {
      fail(path_, tjGetErrorStr2(turbo.get()));
    }
  }
  for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c) {
    for (std::size_t i = 0; i < plane; ++i) image[c * plane + i] = pixels[i * static_cast<std::size_t>(channels) + c];
  }
}

}  // namespace splitsim
