// How images are cut into bands of rows and shared out among threads: host code, and what the kernels read of it.
#pragma once

#include <cstdint>

#include "kernels/device/fast_div.hpp"
#include "kernels/nn/layers/conv/conv2d.hpp"

namespace splitsim::few_channels {

/// Geometry of one direction over bands of rows: results [rows, width, outputs] of planes [channels] of a source.
struct Bands {
  std::int32_t source_height, source_width, channels;  ///< of the source, an image of one slot
  std::int32_t height, width, outputs;                 ///< of the results
  std::int32_t above, left;                            ///< rows and columns of the source that padding puts before it
  std::int32_t kernel_height, kernel_width;
  std::int32_t pixels;  ///< of a thread, neighbours in a row: 2 or 4
  std::int32_t each;    ///< channels of results of a thread: 4, 6 or 8
  std::int32_t shares;  ///< of the source's channels, which threads of their own sum
  std::int32_t rows;    ///< of results in a band; 0: not even one fits into shared memory

  PSL_HD std::int32_t count() const { return (height + rows - 1) / rows; }  ///< bands of an image
  PSL_HD std::int32_t runs() const { return (width + pixels - 1) / pixels; }
  PSL_HD std::int32_t parts() const { return (outputs + each - 1) / each; }
  PSL_HD std::int32_t padded() const { return parts() * each; }
  PSL_HD std::int32_t taps() const { return kernel_height * kernel_width; }
  PSL_HD std::int32_t plane_rows() const { return rows + kernel_height - 1; }
  /// Floats of a plane's row: what a row's last run reads, four at a time.
  PSL_HD std::int32_t pitch() const { return (runs() * pixels + kernel_width - 1 + 3) / 4 * 4; }
  /// From a plane to the next: such that neighbouring planes begin four banks apart.
  PSL_HD std::int32_t plane() const { return spread(plane_rows() * pitch()); }
  PSL_HD std::int32_t share() const { return (channels + shares - 1) / shares; }
  PSL_HD std::int32_t planes() const { return channels * plane(); }
  PSL_HD std::int32_t result_plane() const { return spread(rows * runs() * pixels); }

  PSL_HD static std::int32_t spread(std::int32_t floats) { return (floats + 27) / 32 * 32 + 4; }
};

/// Threads of a block, at most.
constexpr std::int32_t kThreads = 256;

/// How a launch of forward pass or input gradient is made.
struct ImagePlan {
  Bands bands;
  std::int32_t threads;
  std::int64_t shared_bytes;
};
/// And one of the weight gradient.
struct WeightPlan {
  Bands bands;          ///< of the forward pass, four pixels a thread
  std::int32_t units;   ///< threads that share a pixel: one for each row of the kernel, plane and part; then the bias's
  std::int32_t groups;  ///< that take turns with the pixels
  std::int32_t threads;
  std::int64_t shared_bytes;
};

/// Divisors of a kernel's loops, made once.
struct Divisors {
  FastDiv channels, pitch, outputs, width, runs, rows, parts, taps, kernel_height, padded, wide;
  explicit Divisors(const Bands& b)
      : channels(b.channels),
        pitch(b.pitch()),
        outputs(b.outputs),
        width(b.width),
        runs(b.runs()),
        rows(b.rows),
        parts(b.parts()),
        taps(b.taps()),
        kernel_height(b.kernel_height),
        padded(b.padded()),
        wide(b.runs() * b.pixels) {}
};

/// rows == 0 where not even one row of a band fits into what a block may have.
ImagePlan image_plan(const ConvShape& shape, std::int32_t slots, bool gradient);
WeightPlan weight_plan(const ConvShape& shape);

}  // namespace splitsim::few_channels
