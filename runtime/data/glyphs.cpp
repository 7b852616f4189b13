#include "runtime/data/glyphs.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/device/philox.hpp"
#include "runtime/data/draws.hpp"

namespace splitsim {
namespace {

struct Point {
  float x, y;
};

/// A quadratic Bezier curve: polynomial, so arcs need no sine. Units: half the glyph's height; y points down.
struct Stroke {
  Point p0, p1, p2;
};

constexpr Stroke line(float x0, float y0, float x1, float y1) {
  return {{x0, y0}, {(x0 + x1) / 2, (y0 + y1) / 2}, {x1, y1}};
}

constexpr int kMaxStrokes = 4;
struct Shape {
  int strokes;
  Stroke stroke[kMaxStrokes];
};

// Partners (2i, 2i + 1) have the same number of strokes, so that one can be moved towards the other.
constexpr std::array<Shape, kGlyphClasses> kShapes = {{
    // ring, open ring
    {4,
     {{{0.f, -.8f}, {.7f, -.8f}, {.75f, 0.f}},
      {{.75f, 0.f}, {.7f, .8f}, {0.f, .8f}},
      {{0.f, .8f}, {-.7f, .8f}, {-.75f, 0.f}},
      {{-.75f, 0.f}, {-.7f, -.8f}, {0.f, -.8f}}}},
    {4,
     {{{0.f, -.8f}, {.4f, -.85f}, {.7f, -.5f}},
      {{.7f, .5f}, {.4f, .85f}, {0.f, .8f}},
      {{0.f, .8f}, {-.7f, .8f}, {-.75f, 0.f}},
      {{-.75f, 0.f}, {-.7f, -.8f}, {0.f, -.8f}}}},
    // Z, 2
    {3, {line(-.75f, -.8f, .75f, -.8f), line(.75f, -.8f, -.75f, .8f), line(-.75f, .8f, .75f, .8f)}},
    {3,
     {{{-.7f, -.45f}, {-.2f, -1.25f}, {.6f, -.6f}},
      {{.6f, -.6f}, {.7f, .1f}, {-.75f, .8f}},
      line(-.75f, .8f, .75f, .8f)}},
    // T, +
    {2, {line(-.75f, -.75f, .75f, -.75f), line(0.f, -.8f, 0.f, .8f)}},
    {2, {line(-.75f, .0f, .75f, .0f), line(0.f, -.8f, 0.f, .8f)}},
    // U, V
    {2, {{{-.7f, -.8f}, {-.85f, .75f}, {0.f, .8f}}, {{0.f, .8f}, {.85f, .75f}, {.7f, -.8f}}}},
    {2, {line(-.7f, -.8f, 0.f, .8f), line(0.f, .8f, .7f, -.8f)}},
    // H, N
    {3, {line(-.65f, -.8f, -.65f, .8f), line(-.65f, 0.f, .65f, 0.f), line(.65f, -.8f, .65f, .8f)}},
    {3, {line(-.65f, -.8f, -.65f, .8f), line(-.65f, -.8f, .65f, .8f), line(.65f, -.8f, .65f, .8f)}},
}};

// How hard the set is. At these values lenet, trained centrally for 5 epochs (batch 128, lr 0.05, momentum 0.9,
// cosine), is right on 9 of 10 test images; nearly all of its mistakes are between partners.
constexpr float kMorph = .4f;                         // greatest share of the way to the partner's shape
constexpr float kShake = .11f;                        // of every control point, each way
constexpr float kTurn = .2f;                          // tan of half the greatest rotation (22.6 degrees)
constexpr float kShear = .25f;                        // each way
constexpr float kScaleLow = 6.f, kScaleHigh = 10.5f;  // pixels per unit, drawn for each axis
constexpr float kShift = 2.5f;                        // pixels, each way
constexpr float kWidthLow = .5f, kWidthHigh = 1.3f;   // half the lines' width, pixels
constexpr float kInkLow = .35f;                       // faintest lines, of 255
constexpr int kStrays = 3;                            // strokes that belong to no class
constexpr float kStrayInkLow = .3f;                   // of the glyph's ink
constexpr float kStrayReach = 8.f;                    // control points of a stray around its centre, pixels each way
constexpr float kNoiseLow = .3f, kNoise = 45.f;       // standard deviation of the pixel noise: of kNoise, and of 255

constexpr int kPieces = 8;  // line segments per curve
constexpr int kPixels = kGlyphSide * kGlyphSide;

Point mix(Point a, Point b, float t) { return {a.x + (b.x - a.x) * t, a.y + (b.y - a.y) * t}; }
Point on_curve(const Stroke& s, float t) { return mix(mix(s.p0, s.p1, t), mix(s.p1, s.p2, t), t); }

/// Lowers distance2[pixel] to the squared distance to the segment, near the segment only.
void draw_segment(Point a, Point b, float reach, std::array<float, kPixels>& distance2) {
  const auto clip = [](float v) { return static_cast<int>(std::clamp(v, 0.f, static_cast<float>(kGlyphSide - 1))); };
  const int x0 = clip(std::min(a.x, b.x) - reach), x1 = clip(std::max(a.x, b.x) + reach + 1.f);
  const int y0 = clip(std::min(a.y, b.y) - reach), y1 = clip(std::max(a.y, b.y) + reach + 1.f);
  const float dx = b.x - a.x, dy = b.y - a.y;
  const float inverse = 1.f / (dx * dx + dy * dy + 1e-12f);
  for (int y = y0; y <= y1; ++y) {
    for (int x = x0; x <= x1; ++x) {
      const float px = static_cast<float>(x) - a.x, py = static_cast<float>(y) - a.y;
      const float t = std::clamp((px * dx + py * dy) * inverse, 0.f, 1.f);
      const float ex = px - t * dx, ey = py - t * dy;
      float& d2 = distance2[static_cast<std::size_t>(y) * kGlyphSide + static_cast<std::size_t>(x)];
      d2 = std::min(d2, ex * ex + ey * ey);
    }
  }
}

void draw_stroke(const Stroke& stroke, float reach, std::array<float, kPixels>& distance2) {
  Point from = stroke.p0;
  for (int i = 1; i <= kPieces; ++i) {
    const Point to = on_curve(stroke, static_cast<float>(i) / kPieces);
    draw_segment(from, to, reach, distance2);
    from = to;
  }
}

/// How much of a pixel at this distance a line of this half width covers.
float coverage(float distance2, float half_width) {
  return std::clamp(half_width + .5f - std::sqrt(distance2), 0.f, 1.f);
}

}  // namespace

void draw_glyph(std::uint64_t seed, std::int64_t id, std::uint8_t* image) {
  const auto element = static_cast<std::uint32_t>(id);
  Draws draw(seed, element, DrawnPart::kGlyphGeometry);
  const std::size_t label = static_cast<std::size_t>(glyph_label(id));
  const Shape& own = kShapes[label];
  const Shape& partner = kShapes[label ^ 1];

  const float turn = draw(-kTurn, kTurn);
  const float cosine = (1.f - turn * turn) / (1.f + turn * turn), sine = 2.f * turn / (1.f + turn * turn);
  const float scale_x = draw(kScaleLow, kScaleHigh), scale_y = draw(kScaleLow, kScaleHigh);
  const float shear = draw(-kShear, kShear);
  const float centre = .5f * (kGlyphSide - 1);
  const float shift_x = centre + draw(-kShift, kShift), shift_y = centre + draw(-kShift, kShift);
  const auto place = [&](Point p) -> Point {
    const float x = (p.x + shear * p.y) * scale_x, y = p.y * scale_y;
    return {cosine * x - sine * y + shift_x, sine * x + cosine * y + shift_y};
  };

  const float half_width = draw(kWidthLow, kWidthHigh);
  const float reach = half_width + 1.f;
  const float ink = 255.f * draw(kInkLow, 1.f);
  const float morph = draw(0.f, kMorph);
  std::array<float, kPixels> distance2;
  distance2.fill(1e6f);
  for (int s = 0; s < own.strokes; ++s) {
    const auto point = [&](Point a, Point b) -> Point {
      Point p = mix(a, b, morph);
      p.x += draw(-kShake, kShake);
      p.y += draw(-kShake, kShake);
      return place(p);
    };
    const Stroke &a = own.stroke[s], &b = partner.stroke[s];
    const Point p0 = point(a.p0, b.p0), p1 = point(a.p1, b.p1), p2 = point(a.p2, b.p2);
    draw_stroke({p0, p1, p2}, reach, distance2);
  }

  std::array<float, kPixels> value;
  for (std::size_t i = 0; i < kPixels; ++i) value[i] = ink * coverage(distance2[i], half_width);

  for (int s = 0; s < kStrays; ++s) {
    const float stray_ink = ink * draw(kStrayInkLow, 1.f);
    const float x = draw(2.f, kGlyphSide - 3.f), y = draw(2.f, kGlyphSide - 3.f);
    const auto near = [&]() -> Point {
      const float to_x = x + draw(-kStrayReach, kStrayReach);
      return {to_x, y + draw(-kStrayReach, kStrayReach)};
    };
    const Point p0 = near(), p1 = near(), p2 = near();
    distance2.fill(1e6f);
    draw_stroke({p0, p1, p2}, reach, distance2);
    for (std::size_t i = 0; i < kPixels; ++i) {
      value[i] = std::max(value[i], stray_ink * coverage(distance2[i], half_width));
    }
  }

  // Noise: the sum of four bytes is near enough normal; its standard deviation is sqrt(4 (256^2 - 1) / 12) = 147.8.
  const float amplitude = draw(kNoiseLow, 1.f) * kNoise / 147.8f;
  for (std::uint32_t block = 0; block < kPixels / 4; ++block) {
    const Bits128 bits = random_bits(seed, {Purpose::kGlyphs, element, static_cast<std::uint32_t>(DrawnPart::kGlyphPixels), 0, block});
    const std::array<std::uint32_t, 4> words = {bits.x, bits.y, bits.z, bits.w};
    for (std::size_t i = 0; i < 4; ++i) {
      const std::size_t pixel = std::size_t{block} * 4 + i;
      const std::uint32_t w = words[i];
      const int sum = static_cast<int>((w & 255) + ((w >> 8) & 255) + ((w >> 16) & 255) + (w >> 24)) - 510;
      const float v = value[pixel] + amplitude * static_cast<float>(sum);
      image[pixel] = static_cast<std::uint8_t>(std::floor(std::clamp(v, 0.f, 255.f) + .5f));
    }
  }
}

Dataset draw_glyphs(std::uint64_t seed) {
  Dataset set;
  set.name = "glyphs";
  set.channels = 1;
  set.height = set.width = kGlyphSide;
  set.classes = kGlyphClasses;
  const auto fill = [seed](std::int64_t first, std::int64_t count, std::vector<std::uint8_t>& images,
                           std::vector<std::int32_t>& labels) {
    images.resize(static_cast<std::size_t>(count * kPixels));
    labels.resize(static_cast<std::size_t>(count));
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < count; ++i) {
      draw_glyph(seed, first + i, images.data() + i * kPixels);
      labels[static_cast<std::size_t>(i)] = glyph_label(first + i);
    }
  };
  fill(0, kGlyphTrainImages, set.train_features, set.train_labels);
  fill(kGlyphTrainImages, kGlyphTestImages, set.test_features, set.test_labels);
  return set;
}

namespace datasets {

DatasetInfo glyphs() {
  return {"glyphs", "embedded: 20000 + 4000 stroke glyphs of 28x28 in 10 classes, drawn from the seed",
          [](const DataSettings&, std::uint64_t seed) { return draw_glyphs(seed); }, false};
}

}  // namespace datasets

}  // namespace splitsim
