// Patches of a few slots for the CPU's convolution, through a zero-padded copy of each image. Rows are copied eight
// floats at a time and may run over into what is written next, so buffers have kSimd floats of slack.
#pragma once

#include <cstdint>

#include "kernels/nn/layers/conv/conv2d.hpp"

namespace splitsim {

/// A 1x1 convolution needs no patches: the image is the matrix.
inline bool is_pointwise(const ConvShape& s) { return s.kernel == 1 && s.stride == 1 && s.padding == 0; }

/// Floats of a padded image, and of `images` patch matrices [taps, images * pixels] side by side; with slack.
std::int64_t padded_size(const ConvShape& shape);
std::int64_t patches_size(const ConvShape& shape, std::int32_t images);
constexpr std::int64_t kPatchSlack = 16;  ///< a patch matrix starts this many floats into its buffer

/// patches[(c, i, j), (image, y, x)] = image[c, y * stride + i - padding, x * stride + j - padding], 0 outside (each of
/// its own direction).
/// images: contiguous; padded: room for as many padded images.
void images_to_patches(const ConvShape& shape, const float* images, std::int32_t count, float* padded, float* patches);

/// The adjoint: image = sum of the patches over each pixel (overwritten).
void patches_to_images(const ConvShape& shape, const float* patches, std::int32_t count, float* images);

}  // namespace splitsim
