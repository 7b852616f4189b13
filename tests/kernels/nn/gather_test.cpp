#include "kernels/nn/gather.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "tests/kernels/nn/nn_support.hpp"

namespace splitsim::test {
namespace {

GatherShape plain_shape(Layout layout) {
  GatherShape shape{3, 5, 7};
  shape.layout = layout;
  return shape;
}

/// Two ways to normalise, as experiments that are trained together have.
constexpr GatherSource kHow[2] = {{nullptr, {0.25f, 0.5f, 0.0f}, {2.0f, 4.0f, 1.0f}, 42},
                                  {nullptr, {0.5f, 0.125f, 1.0f}, {1.0f, 2.0f, 4.0f}, 43}};

std::vector<std::uint8_t> random_images(std::int64_t count, const GatherShape& shape) {
  std::mt19937 bits(7);
  std::vector<std::uint8_t> images(count * shape.size());
  for (auto& v : images) v = static_cast<std::uint8_t>(bits());
  return images;
}

template <class Context>
std::vector<float> gather(Context& ctx, const GatherShape& shape, const std::vector<std::uint8_t>& images,
                          const std::vector<std::int32_t>& samples, std::int32_t count, std::int32_t epoch,
                          const std::vector<GatherSource>& how = {kHow[0]},
                          const std::vector<std::int32_t>& source_of = {}) {
  const Buffer<std::int32_t, Context> slots(ctx, std::vector<std::int32_t>{count}), sample(ctx, samples);
  const Buffer<std::int32_t, Context> epochs(ctx, std::vector<std::int32_t>(samples.size(), epoch));
  const Buffer<std::int32_t, Context> source(ctx, source_of);
  const Buffer<std::uint8_t, Context> data(ctx, images);
  const auto max_slots = static_cast<std::int32_t>(samples.size());
  Floats<Context> x(ctx, std::vector<float>(max_slots * shape.size(), kJunk));
  std::vector<GatherSource> with_images = how;
  for (GatherSource& of : with_images) of.images = data.data();
  const Buffer<GatherSource, Context> sources(ctx, with_images);
  {
    const Quiet<Context> quiet(ctx);
    gather_images(ctx, Slots{slots.data(), max_slots}, shape, sources.view(),
                  {sample.data(), source_of.empty() ? nullptr : source.data(), epochs.data()}, x.view());
  }
  return in_order(shape.layout, x.download(), shape.channels, shape.height * shape.width);
}

double normalised(double pixel, const GatherSource& how, int channel) {
  return (pixel / 255.0 - how.mean[channel]) * how.inverse_std[channel];
}

/// Whether `out` is the image cropped at (shift_y, shift_x) of its zero-padded self, mirrored if asked.
bool is_crop(const float* out, const std::uint8_t* image, const GatherShape& s, int shift_y, int shift_x, bool mirror,
             const GatherSource& how = kHow[0]) {
  for (int c = 0; c < s.channels; ++c)
    for (int y = 0; y < s.height; ++y)
      for (int x = 0; x < s.width; ++x) {
        const int from_y = y + shift_y, from_x = (mirror ? s.width - 1 - x : x) + shift_x;
        const bool inside = from_y >= 0 && from_y < s.height && from_x >= 0 && from_x < s.width;
        const double pixel = inside ? image[(c * s.height + from_y) * s.width + from_x] : 0.0;
        // Three roundings of values below 4.
        if (std::abs(out[(c * s.height + y) * s.width + x] - normalised(pixel, how, c)) > 4.0 * 4.0 * 0x1p-24)
          return false;
      }
  return true;
}

template <class B>
class Gather : public OnBackend<B> {};
TYPED_TEST_SUITE(Gather, Backends);

TYPED_TEST(Gather, NormalisesAndZeroesEmptySlots) {
  const GatherShape shape = plain_shape(TypeParam::kLayout);
  const auto images = random_images(9, shape);
  const std::vector<std::int32_t> samples{8, 0, 3, 3, 1 << 30, -1};  // the last two are empty: junk
  const auto x = gather(this->ctx(), shape, images, samples, 4, 0);
  for (int slot = 0; slot < 4; ++slot) {
    EXPECT_TRUE(is_crop(&x[slot * shape.size()], &images[samples[slot] * shape.size()], shape, 0, 0, false));
  }
  for (std::size_t i = 4 * shape.size(); i < x.size(); ++i) ASSERT_EQ(x[i], 0.0f);
}

TYPED_TEST(Gather, EveryCropAndFlipOccursAsOftenAsItShould) {
  GatherShape shape = plain_shape(TypeParam::kLayout);
  shape.crop_pad = 2;
  shape.flip = true;
  constexpr std::int32_t kImages = 2000;
  const auto images = random_images(kImages, shape);
  std::vector<std::int32_t> samples(kImages);
  for (std::int32_t i = 0; i < kImages; ++i) samples[i] = (i * 7) % kImages;
  const auto x = gather(this->ctx(), shape, images, samples, kImages, 3);
  std::map<int, int> seen;
  for (std::int32_t slot = 0; slot < kImages; ++slot) {
    int matches = 0;
    for (int code = 0; code < 50; ++code) {
      if (!is_crop(&x[slot * shape.size()], &images[samples[slot] * shape.size()], shape, code / 10 - 2,
                   code / 2 % 5 - 2, code % 2 != 0)) {
        continue;
      }
      ++matches;
      ++seen[code];
    }
    ASSERT_EQ(matches, 1);  // random pixels: exactly one of the 50 outcomes fits
  }
  // Chi-square with 49 degrees of freedom: P(> 99) < 4e-5; the seed is fixed.
  double chi_square = 0.0;
  for (int code = 0; code < 50; ++code) chi_square += std::pow(seen[code] - kImages / 50.0, 2) / (kImages / 50.0);
  EXPECT_LT(chi_square, 99.0);
}

TYPED_TEST(Gather, AugmentationFollowsTheSampleNotTheSlot) {
  GatherShape shape = plain_shape(TypeParam::kLayout);
  shape.crop_pad = 3;
  shape.flip = true;
  const auto images = random_images(40, shape);
  std::vector<std::int32_t> samples(40);
  for (std::int32_t i = 0; i < 40; ++i) samples[i] = i;
  const auto x = gather(this->ctx(), shape, images, samples, 40, 5);
  std::reverse(samples.begin(), samples.end());
  const auto reversed = gather(this->ctx(), shape, images, samples, 40, 5);
  for (std::int32_t slot = 0; slot < 40; ++slot) {
    ASSERT_TRUE(std::equal(x.begin() + slot * shape.size(), x.begin() + (slot + 1) * shape.size(),
                           reversed.begin() + (39 - slot) * shape.size()));
  }
  std::reverse(samples.begin(), samples.end());
  EXPECT_NE(gather(this->ctx(), shape, images, samples, 40, 6), x);  // another epoch, other crops
  GatherSource other = kHow[0];
  other.seed += 1;
  EXPECT_NE(gather(this->ctx(), shape, images, samples, 40, 5, {other}), x);  // another seed, other crops
}

TYPED_TEST(Gather, SlotsComeFromTheSourcesThatTheyName) {
  GatherShape shape = plain_shape(TypeParam::kLayout);
  shape.crop_pad = 3;
  const auto images = random_images(40, shape);
  std::vector<std::int32_t> samples(40), source(40);
  for (std::int32_t i = 0; i < 40; ++i) {
    samples[i] = i;
    source[i] = i % 3 == 0 ? 1 : 0;
  }
  const auto first = gather(this->ctx(), shape, images, samples, 40, 5, {kHow[0]});
  const auto second = gather(this->ctx(), shape, images, samples, 40, 5, {kHow[1]});
  const auto both = gather(this->ctx(), shape, images, samples, 40, 5, {kHow[0], kHow[1]}, source);
  for (std::int32_t slot = 0; slot < 40; ++slot) {
    const auto& from = source[slot] == 1 ? second : first;
    ASSERT_TRUE(std::equal(both.begin() + slot * shape.size(), both.begin() + (slot + 1) * shape.size(),
                           from.begin() + slot * shape.size()));
  }
}

// ---- floats: more channels than pixels may have, taken as they are ----

GatherShape float_shape(Layout layout) {
  GatherShape shape{7, 3, 4};
  shape.layout = layout;
  shape.floats = true;
  return shape;
}

template <class Context>
std::vector<float> gather_floats(Context& ctx, const GatherShape& shape, const std::vector<float>& values,
                                 const std::vector<std::int32_t>& samples, std::int32_t count,
                                 const std::vector<float>& other = {}) {
  const Buffer<std::int32_t, Context> slots(ctx, std::vector<std::int32_t>{count}), sample(ctx, samples);
  const Buffer<std::int32_t, Context> epochs(ctx, std::vector<std::int32_t>(samples.size(), 4));
  std::vector<std::int32_t> from(samples.size());  // the second half from the other, if there is one
  for (std::size_t i = from.size() / 2; i < from.size(); ++i) from[i] = other.empty() ? 0 : 1;
  const Buffer<std::int32_t, Context> source(ctx, from);
  const Buffer<float, Context> data(ctx, values), more(ctx, other);
  const auto max_slots = static_cast<std::int32_t>(samples.size());
  Floats<Context> x(ctx, std::vector<float>(max_slots * shape.size(), kJunk));
  std::vector<GatherSource> how(2);
  how[0].values = data.data();
  how[1].values = more.data();
  how[0].seed = how[1].seed = 42;
  const Buffer<GatherSource, Context> sources(ctx, how);
  {
    const Quiet<Context> quiet(ctx);
    gather_images(ctx, Slots{slots.data(), max_slots}, shape, sources.view(),
                  {sample.data(), source.data(), epochs.data()}, x.view());
  }
  return in_order(shape.layout, x.download(), shape.channels, shape.height * shape.width);
}

TYPED_TEST(Gather, FloatsAreCopiedAndEmptySlotsZeroed) {
  const GatherShape shape = float_shape(TypeParam::kLayout);
  const std::vector<float> values = reals(9 * shape.size(), 1), other = reals(9 * shape.size(), 2);
  const std::vector<std::int32_t> samples{8, 0, 3, 3, 5, 1, 1 << 30, -1};  // the last two are empty: junk
  const auto x = gather_floats(this->ctx(), shape, values, samples, 6, other);
  for (int slot = 0; slot < 6; ++slot) {
    const std::vector<float>& from = slot < 4 ? values : other;
    for (std::int64_t i = 0; i < shape.size(); ++i) {
      ASSERT_EQ(x[slot * shape.size() + i], from[samples[slot] * shape.size() + i]) << slot << " " << i;
    }
  }
  for (std::size_t i = 6 * shape.size(); i < x.size(); ++i) ASSERT_EQ(x[i], 0.0f);
}

// The crops and flips of floats are those of pixels with the same seed, sample and epoch.
TYPED_TEST(Gather, FloatsAreAugmentedAsPixelsAre) {
  GatherShape shape{3, 5, 7};
  shape.layout = TypeParam::kLayout;
  shape.crop_pad = 2;
  shape.flip = true;
  const std::vector<std::uint8_t> images = random_images(40, shape);
  std::vector<std::int32_t> samples(40);
  for (std::int32_t i = 0; i < 40; ++i) samples[i] = i;
  GatherSource plain;  // pixels as they are
  plain.seed = 42;
  for (int c = 0; c < 3; ++c) plain.inverse_std[c] = 255.0f;
  const auto pixels = gather(this->ctx(), shape, images, samples, 40, 4, {plain});
  shape.floats = true;
  const auto x = gather_floats(this->ctx(), shape, {images.begin(), images.end()}, samples, 40);
  int moved = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    ASSERT_NEAR(x[i], pixels[i], 1e-4) << i;  // 255 (p / 255), rounded twice
    moved += x[i] != images[i];
  }
  EXPECT_GT(moved, 40 * 50);
}

}  // namespace
}  // namespace splitsim::test
