// Embedded data sets that are not pictures, drawn from the seed, so that each kind of sample can be tried without files:
// windows of six sensors, rows of a table, sentences. (ours)
//
// All have 32 natural clients of 250 training samples each, with habits of their own, and 2000 test samples of 8 further
// ones, as a study with people would. What the classes are does not depend on the seed.
// Determinism: exact. Addressed by (seed, sample, client); only IEEE +, -, *, / and exact_exp; the same bits for any
// thread count.
#pragma once

#include <cstdint>

#include "runtime/data/dataset.hpp"

namespace splitsim {

constexpr std::int32_t kEmbeddedClients = 32, kEmbeddedTestClients = 8, kSamplesOfEach = 250;

/// Whom sample `id` comes from; training samples first, round robin, then those of the test clients.
constexpr std::int32_t embedded_client(std::int64_t id) {
  const std::int64_t train = std::int64_t{kEmbeddedClients} * kSamplesOfEach;
  return static_cast<std::int32_t>(id < train ? id % kEmbeddedClients
                                              : kEmbeddedClients + (id - train) % kEmbeddedTestClients);
}
/// Its class: every second training sample is one of two that its client has more of, all others go round.
std::int32_t embedded_label(std::int64_t id, std::int32_t classes);

/// Motions of a hand: windows of 128 readings of 6 sensors (three axes of acceleration with gravity, three of turning).
/// A class is a posture, a tempo and three harmonics for each sensor; its samples are moved some way towards its
/// partner's (2i, 2i + 1), from any moment on. People differ in tempo, strength and how they wear the sensor.
constexpr std::int32_t kGestureClasses = 6, kGestureSensors = 6, kGestureReadings = 128;
void draw_gesture(std::uint64_t seed, std::int64_t id, float* window);

/// Rows of 24 columns of very different scales, which six hidden quantities make up; a class is three clouds of them.
/// Laboratories have offsets of their own on every column.
constexpr std::int32_t kAssayClasses = 5, kAssayColumns = 24;
void draw_assay(std::uint64_t seed, std::int64_t id, float* row);

/// Sentences of 12 to 32 words of a vocabulary of 500 (0: behind the end), frequent ones more often (Zipf), every fourth
/// of the class's topic or, in part, of its partner's. Authors have ten favourite words each.
constexpr std::int32_t kPhraseClasses = 4, kPhraseWords = 32, kPhraseVocabulary = 500;
void draw_phrase(std::uint64_t seed, std::int64_t id, float* tokens);

}  // namespace splitsim
