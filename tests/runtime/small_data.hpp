// A small data set on disk that a few steps learn.
#pragma once

#include <string>
#include <vector>

#include "base/npy.hpp"
#include "kernels/device/philox.hpp"
#include "runtime/config/config.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim::test {

/// A net of two small linear layers, cut between them, in place of the model that a run would have: for tests of what
/// happens around a net. (An emulated GPU takes ten times as long for lenet.)
inline std::vector<std::string> small_net(std::vector<std::string> more = {}) {
  more.insert(more.end(), {"model.name=layers", "model.cut=relu1",
                           "model.layers=[{kind='linear', out=16}, {kind='relu'}, {kind='linear'}]"});
  return more;
}

/// Images of side x side whose bright corner tells the class.
class SmallData {
 public:
  explicit SmallData(std::int64_t train = 600, std::int64_t test = 100, std::int64_t side = 16) : side_(side) {
    write("x", "y", train, 1);
    write("x_test", "y_test", test, 2);
  }
  Config config(std::vector<std::string> overrides = {}) const {
    return parse_config("data = { name = 'npy', dir = '" + dir_.path() +
                            "' }\npartition = { kind = 'dirichlet', clients = 6, alpha = 1.0 }\nsampler.batch = 40\n"
                            "train.epochs = 3\n",
                        "test", overrides);
  }

 private:
  void write(const std::string& x, const std::string& y, std::int64_t count, std::uint32_t step) {
    const std::int64_t pixels = side_ * side_;
    NpyArray<std::uint8_t> images{{count, side_, side_},
                                  std::vector<std::uint8_t>(static_cast<std::size_t>(count * pixels))};
    NpyArray<std::int32_t> labels{{count}, {}};
    for (std::int64_t s = 0; s < count; ++s) {
      const auto label = static_cast<std::int32_t>(s % 4);
      labels.values.push_back(label);
      for (std::int64_t p = 0; p < pixels; ++p) {
        const bool bright = (p % side_) / (side_ / 2) + 2 * (p / (pixels / 2)) == label;
        const std::uint32_t noise =
            random_bits(5, {Purpose::kTest, static_cast<std::uint32_t>(s * pixels + p), step}).x;
        images.values[static_cast<std::size_t>(s * pixels + p)] =
            static_cast<std::uint8_t>(noise % 200 + (bright ? 55 : 0));
      }
    }
    write_npy(dir_ / (x + ".npy"), images);
    write_npy(dir_ / (y + ".npy"), labels);
  }

  TempDir dir_;
  std::int64_t side_;
};

}  // namespace splitsim::test
