#include "kernels/nn/layers/conv/im2col_cpu.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/nn/support/simd.hpp"

namespace splitsim {

namespace {

[[gnu::always_inline]] inline void copy_over(float* to, const float* from, std::int32_t n) {
  for (std::int32_t i = 0; i < n; i += kSimd) store8(to + i, load8(from + i));
}

void pad_image(const ConvShape& s, const float* image, float* padded) {
  const std::int32_t width = s.in_width + 2 * s.padding.width, height = s.in_height + 2 * s.padding.height;
  std::memset(padded, 0, static_cast<std::size_t>(s.in_channels) * width * height * sizeof(float));
  for (std::int32_t c = 0; c < s.in_channels; ++c) {
    for (std::int32_t y = 0; y < s.in_height; ++y) {
      std::memcpy(padded + (std::int64_t{c} * height + y + s.padding.height) * width + s.padding.width,
                  image + (std::int64_t{c} * s.in_height + y) * s.in_width, s.in_width * sizeof(float));
    }
  }
}

// Stride 1: an image row is the sum of shifted patch rows. What a shifted row reads beyond its ends is masked away (by
// bits, not by a product: it may be NaN).
void gather_rows(const ConvShape& s, const float* patches, std::int64_t row_size, float* image) {
  const std::int32_t out_width = s.out_width(), out_height = s.out_height();
  const Size2 kernel = s.kernel;
  Int8 lane = {0, 1, 2, 3, 4, 5, 6, 7};
  for (std::int32_t x0 = 0; x0 < s.in_width; x0 += kSimd) {
    for (std::int32_t c = 0; c < s.in_channels; ++c) {
      for (std::int32_t y = 0; y < s.in_height; ++y) {
        Float8 sum = {};
        const std::int32_t i_first = std::max(0, y + s.padding.height - out_height + 1);
        const std::int32_t i_last = std::min(kernel.height - 1, y + s.padding.height);
        for (std::int32_t j = 0; j < kernel.width; ++j) {
          const std::int32_t from_x = x0 + s.padding.width - j;
          if (from_x + kSimd <= 0 || from_x >= out_width) continue;
          const Int8 mask = (lane + from_x >= 0) & (lane + from_x < out_width);
          for (std::int32_t i = i_first; i <= i_last; ++i) {
            const float* from = patches + ((std::int64_t{c} * kernel.height + i) * kernel.width + j) * row_size +
                                std::int64_t{y + s.padding.height - i} * out_width + from_x;
            sum += reinterpret_cast<Float8>(reinterpret_cast<Int8>(load8(from)) & mask);
          }
        }
        float* to = image + (std::int64_t{c} * s.in_height + y) * s.in_width + x0;
        if (x0 + kSimd <= s.in_width) {
          store8(to, sum);
        } else {
          std::memcpy(to, &sum, static_cast<std::size_t>(s.in_width - x0) * sizeof(float));
        }
      }
    }
  }
}

void scatter_rows(const ConvShape& s, const float* patches, std::int64_t row_size, float* image) {
  std::memset(image, 0, static_cast<std::size_t>(s.in_size()) * sizeof(float));
  const std::int32_t out_width = s.out_width(), out_height = s.out_height();
  for (std::int32_t c = 0; c < s.in_channels; ++c) {
    for (std::int32_t i = 0; i < s.kernel.height; ++i) {
      for (std::int32_t j = 0; j < s.kernel.width; ++j, patches += row_size) {
        const float* from = patches;
        for (std::int32_t y = 0; y < out_height; ++y, from += out_width) {
          const std::int32_t to_y = y * s.stride.height + i - s.padding.height;
          if (to_y < 0 || to_y >= s.in_height) continue;
          float* to = image + (std::int64_t{c} * s.in_height + to_y) * s.in_width;
          for (std::int32_t x = 0; x < out_width; ++x) {
            const std::int32_t to_x = x * s.stride.width + j - s.padding.width;
            if (to_x >= 0 && to_x < s.in_width) to[to_x] += from[x];
          }
        }
      }
    }
  }
}

}  // namespace

std::int64_t padded_size(const ConvShape& s) {
  const std::int64_t floats =
      std::int64_t{s.in_channels} * (s.in_width + 2 * s.padding.width) * (s.in_height + 2 * s.padding.height) + kSimd;
  return (floats + 15) / 16 * 16;
}

std::int64_t patches_size(const ConvShape& s, std::int32_t images) {
  return (s.taps() * s.out_height() * s.out_width() * images + 2 * kPatchSlack + 15) / 16 * 16;
}

void images_to_patches(const ConvShape& s, const float* images, std::int32_t count, float* padded, float* patches) {
  const std::int64_t padded_stride = padded_size(s);
  for (std::int32_t n = 0; n < count; ++n) pad_image(s, images + n * s.in_size(), padded + n * padded_stride);
  const std::int32_t width = s.in_width + 2 * s.padding.width, height = s.in_height + 2 * s.padding.height;
  const std::int32_t out_width = s.out_width(), out_height = s.out_height();
  float* to = patches;  // written strictly forwards: a row may run over into the next
  for (std::int32_t c = 0; c < s.in_channels; ++c) {
    for (std::int32_t i = 0; i < s.kernel.height; ++i) {
      for (std::int32_t j = 0; j < s.kernel.width; ++j) {
        for (std::int32_t n = 0; n < count; ++n) {
          const float* from = padded + n * padded_stride + (std::int64_t{c} * height + i) * width + j;
          for (std::int32_t y = 0; y < out_height; ++y, to += out_width, from += s.stride.height * width) {
            if (s.stride.width == 1) {
              copy_over(to, from, out_width);
            } else {
              for (std::int32_t x = 0; x < out_width; ++x) to[x] = from[x * s.stride.width];
            }
          }
        }
      }
    }
  }
}

void patches_to_images(const ConvShape& s, const float* patches, std::int32_t count, float* images) {
  const std::int64_t pixels = std::int64_t{s.out_height()} * s.out_width(), row_size = pixels * count;
  for (std::int32_t n = 0; n < count; ++n, patches += pixels, images += s.in_size()) {
    if (s.stride == 1) {
      gather_rows(s, patches, row_size, images);
    } else {
      scatter_rows(s, patches, row_size, images);
    }
  }
}

}  // namespace splitsim
