#include "runtime/data/embedded.hpp"

#include <algorithm>
#include <array>

#include "kernels/device/math.hpp"
#include "runtime/data/draws.hpp"
#include "runtime/data/loaders.hpp"

namespace splitsim {

namespace {

constexpr std::uint64_t kOfClasses = 0;  // in place of the seed

// ---- gestures: how hard they are ----
constexpr float kMorph = .45f;                             // greatest share of the way to the partner
constexpr float kTempoLow = .03f, kTempoHigh = .12f;       // tan of half the angle from one reading to the next
constexpr float kTempoSpread = .15f, kWear = .35f;         // each way: of a sample's tempo; of a sensor's axes
constexpr float kStrengthLow = .5f, kStrengthHigh = 1.3f;  // of a sample's motion
constexpr float kGestureNoise = .8f;
constexpr int kHarmonics = 3;

struct Motion {
  float tempo;
  std::array<float, 3> gravity;
  std::array<std::array<std::array<float, 2>, kHarmonics>, kGestureSensors> wave;
};

Motion motion_of(std::int32_t label) {
  Draws draw(kOfClasses, static_cast<std::uint32_t>(label), DrawnPart::kGestureClass);
  Motion motion;
  motion.tempo = draw(kTempoLow, kTempoHigh);
  for (float& g : motion.gravity) g = draw(-1.f, 1.f);
  for (auto& sensor : motion.wave) {
    for (int h = 0; h < kHarmonics; ++h) {
      for (float& part : sensor[static_cast<std::size_t>(h)]) part = draw(-1.f, 1.f) / static_cast<float>(h + 1);
    }
  }
  return motion;
}

float mix(float a, float b, float t) { return a + (b - a) * t; }

// ---- assays ----
constexpr int kHidden = 6, kClouds = 3;
constexpr float kSpread = .75f, kAssayNoise = .6f, kOffset = .35f;  // of a cloud; of a column; of a lab's columns

// ---- phrases ----
constexpr std::int32_t kTopicWords = 60, kFavourites = 10, kShortest = 12;
constexpr float kOfTopic = .25f, kOfPartner = .2f, kOfAuthor = .2f;

/// A rank in [0, n), r with a chance of about 1 / (r + 1).
std::int32_t zipf(Draws& draw, double log_of_n, std::int32_t n) {
  const auto rank = static_cast<std::int32_t>(exact_exp(static_cast<double>(draw(0.f, 1.f)) * log_of_n)) - 1;
  return std::clamp(rank, 0, n - 1);
}

}  // namespace

std::int32_t embedded_label(std::int64_t id, std::int32_t classes) {
  const std::int64_t train = std::int64_t{kEmbeddedClients} * kSamplesOfEach;
  if (id >= train) return static_cast<std::int32_t>((id - train) / kEmbeddedTestClients % classes);
  const std::int64_t client = id % kEmbeddedClients, of_client = id / kEmbeddedClients, half = of_client / 2;
  if (of_client % 2 == 0) return static_cast<std::int32_t>(half % classes);
  return static_cast<std::int32_t>((client + (half % 2 == 0 ? 0 : 1 + client / classes)) % classes);
}

void draw_gesture(std::uint64_t seed, std::int64_t id, float* window) {
  const std::int32_t label = embedded_label(id, kGestureClasses);
  const Motion own = motion_of(label), partner = motion_of(label ^ 1);
  Draws person(seed, static_cast<std::uint32_t>(embedded_client(id)), DrawnPart::kGesturePerson);
  Draws draw(seed, static_cast<std::uint32_t>(id), DrawnPart::kGesture);

  const float share = draw(0.f, kMorph);
  const float habit = person(.8f, 1.25f), strength = person(.7f, 1.3f) * draw(kStrengthLow, kStrengthHigh);
  const float tempo = mix(own.tempo, partner.tempo, share) * habit * draw(1.f - kTempoSpread, 1.f + kTempoSpread);
  // Angles by the tangent of their half, which needs no sine.
  const auto circle = [](float t) -> std::array<float, 2> {
    return {(1.f - t * t) / (1.f + t * t), 2.f * t / (1.f + t * t)};
  };
  const std::array<float, 2> turn = circle(tempo);
  std::array<float, 2> now = circle(draw(-1.f, 1.f));
  if (draw(0.f, 1.f) < .5f) now = {-now[0], -now[1]};
  std::array<float, 3> worn, gravity;
  for (float& w : worn) w = person(-kWear, kWear);
  for (std::size_t a = 0; a < 3; ++a) gravity[a] = mix(own.gravity[a], partner.gravity[a], share) + .15f * draw.normal();
  const float swell = draw(-.4f, .4f);

  for (std::int32_t t = 0; t < kGestureReadings; ++t) {
    std::array<float, kGestureSensors> value{};
    const float envelope = strength * (1.f + swell * (static_cast<float>(t) / (.5f * kGestureReadings) - 1.f));
    std::array<float, 2> power = now;
    for (std::size_t h = 0; h < kHarmonics; ++h) {
      for (std::size_t s = 0; s < kGestureSensors; ++s) {
        for (std::size_t i = 0; i < 2; ++i) {
          value[s] += envelope * mix(own.wave[s][h][i], partner.wave[s][h][i], share) * power[i];
        }
      }
      power = {power[0] * now[0] - power[1] * now[1], power[0] * now[1] + power[1] * now[0]};
    }
    now = {now[0] * turn[0] - now[1] * turn[1], now[0] * turn[1] + now[1] * turn[0]};
    for (std::size_t a = 0; a < 3; ++a) value[a] += gravity[a];
    for (std::size_t s = 0; s < kGestureSensors; ++s) {
      const std::size_t first = s / 3 * 3, y = first + (s + 1) % 3, z = first + (s + 2) % 3;  // of its three axes
      const float seen = value[s] + worn[(s + 2) % 3] * value[y] - worn[(s + 1) % 3] * value[z];
      window[s * kGestureReadings + static_cast<std::size_t>(t)] = seen + kGestureNoise * draw.normal();
    }
  }
}

void draw_assay(std::uint64_t seed, std::int64_t id, float* row) {
  const std::int32_t label = embedded_label(id, kAssayClasses);
  Draws draw(seed, static_cast<std::uint32_t>(id), DrawnPart::kAssay);
  Draws lab(seed, static_cast<std::uint32_t>(embedded_client(id)), DrawnPart::kAssayLab);
  Draws clouds(kOfClasses, static_cast<std::uint32_t>(label), DrawnPart::kAssayClass);
  std::array<std::array<float, kHidden>, kClouds> centre;
  for (auto& cloud : centre) {
    for (float& at : cloud) at = clouds(-2.f, 2.f);
  }
  const auto& at = centre[static_cast<std::size_t>(draw.below(kClouds))];
  std::array<float, kHidden> hidden;
  for (std::size_t h = 0; h < kHidden; ++h) hidden[h] = at[h] + kSpread * draw.normal();
  for (std::int32_t d = 0; d < kAssayColumns; ++d) {
    Draws column(kOfClasses, static_cast<std::uint32_t>(d), DrawnPart::kAssayColumn);
    const auto scale = static_cast<float>(exact_exp(static_cast<double>(column(-4.f, 6.f))));
    const float base = column(0.f, 5.f);
    float value = kOffset * lab.normal() + kAssayNoise * draw.normal();
    for (const float h : hidden) value += column(-1.f, 1.f) * h;
    row[d] = scale * (base + value);
  }
}

void draw_phrase(std::uint64_t seed, std::int64_t id, float* tokens) {
  constexpr double kLogCommon = 5.556828061699537, kLogTopic = 4.0943445622221;  // ln 259, ln 60
  constexpr std::int32_t kFirstCommon = 1 + kPhraseClasses * kTopicWords;  // words below it have a topic
  constexpr std::int32_t kCommon = kPhraseVocabulary - kFirstCommon;
  static_assert(kCommon == 259 && kTopicWords == 60);
  const std::int32_t label = embedded_label(id, kPhraseClasses);
  Draws draw(seed, static_cast<std::uint32_t>(id), DrawnPart::kPhrase);
  Draws author(seed, static_cast<std::uint32_t>(embedded_client(id)), DrawnPart::kPhraseAuthor);
  std::array<std::int32_t, kFavourites> favourites;
  for (std::int32_t& word : favourites) word = kFirstCommon + author.below(kCommon);
  const std::int32_t length = kShortest + draw.below(kPhraseWords - kShortest + 1);
  for (std::int32_t i = 0; i < kPhraseWords; ++i) {
    std::int32_t word = 0;
    if (i < length) {
      if (draw(0.f, 1.f) < kOfTopic) {
        const std::int32_t topic = draw(0.f, 1.f) < kOfPartner ? label ^ 1 : label;
        word = 1 + topic * kTopicWords + zipf(draw, kLogTopic, kTopicWords);
      } else if (draw(0.f, 1.f) < kOfAuthor) {
        word = favourites[static_cast<std::size_t>(draw.below(kFavourites))];
      } else {
        word = kFirstCommon + zipf(draw, kLogCommon, kCommon);
      }
    }
    tokens[i] = static_cast<float>(word);
  }
}

namespace {

Dataset embedded(const char* name, SampleKind kind, std::array<std::int32_t, 3> shape, std::int32_t classes,
                 void (*draw)(std::uint64_t, std::int64_t, float*), std::uint64_t seed) {
  Dataset set;
  set.name = name;
  set.kind = kind;
  set.type = FeatureType::kFloat32;
  set.channels = shape[0];
  set.height = shape[1];
  set.width = shape[2];
  set.classes = classes;
  const std::int64_t size = set.sample_size(), train = std::int64_t{kEmbeddedClients} * kSamplesOfEach;
  const auto fill = [&](std::int64_t first, std::int64_t count, std::vector<std::uint8_t>& features,
                        std::vector<std::int32_t>& labels) {
    std::vector<float> values(static_cast<std::size_t>(count * size));
    labels.resize(static_cast<std::size_t>(count));
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < count; ++i) {
      draw(seed, first + i, values.data() + i * size);
      labels[static_cast<std::size_t>(i)] = embedded_label(first + i, classes);
    }
    features = bytes_of(values);
  };
  fill(0, train, set.train_features, set.train_labels);
  fill(train, std::int64_t{kEmbeddedTestClients} * kSamplesOfEach, set.test_features, set.test_labels);
  set.natural_clients = kEmbeddedClients;
  for (std::int64_t i = 0; i < train; ++i) set.train_clients.push_back(embedded_client(i));
  return set;
}

}  // namespace

namespace datasets {

DatasetInfo gestures() {
  return {"gestures", "embedded: 8000 + 2000 windows of 128 readings of 6 sensors in 6 classes, of 32 people",
          [](const DataSettings&, std::uint64_t seed) {
            return embedded("gestures", SampleKind::kWindows, {kGestureSensors, 1, kGestureReadings}, kGestureClasses,
                            draw_gesture, seed);
          },
          false};
}

DatasetInfo assays() {
  return {"assays", "embedded: 8000 + 2000 rows of 24 numbers in 5 classes, of 32 laboratories",
          [](const DataSettings&, std::uint64_t seed) {
            return embedded("assays", SampleKind::kRows, {kAssayColumns, 1, 1}, kAssayClasses, draw_assay, seed);
          },
          false};
}

DatasetInfo phrases() {
  return {"phrases", "embedded: 8000 + 2000 sentences of up to 32 of 500 words in 4 classes, of 32 authors",
          [](const DataSettings&, std::uint64_t seed) {
            Dataset set = embedded("phrases", SampleKind::kTokens, {1, 1, kPhraseWords}, kPhraseClasses, draw_phrase, seed);
            set.vocabulary = kPhraseVocabulary;
            return set;
          },
          false};
}

}  // namespace datasets

}  // namespace splitsim
