#include "samplers/pack/dealing_law.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <optional>

namespace splitsim {

namespace {

/// What is to be dealt of each class by some position: whole samples and the fraction above.
struct Wanted {
  std::vector<std::int64_t> whole;
  std::vector<double> fraction;
};
using WantedAt = std::function<Wanted(std::int64_t position, std::int32_t level)>;

// Whole numbers that sum to `position`, none below `before` or the wanted whole, the rest to the largest fractions.
std::optional<std::vector<std::int64_t>> round_to(const Wanted& wanted, const std::int64_t* before,
                                                  const std::vector<std::int64_t>& most, std::int64_t position) {
  const std::size_t classes = most.size();
  std::vector<std::int64_t> dealt(classes);
  std::vector<double> lack(classes);
  for (std::size_t c = 0; c < classes; ++c) {
    dealt[c] = std::min(most[c], std::max(wanted.whole[c], before == nullptr ? 0 : before[c]));
    lack[c] = static_cast<double>(wanted.whole[c] - dealt[c]) + wanted.fraction[c];
  }
  std::int64_t left = position - std::accumulate(dealt.begin(), dealt.end(), std::int64_t{0});
  if (left < 0) return std::nullopt;
  std::vector<std::size_t> order(classes);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return lack[a] > lack[b]; });
  while (left > 0) {
    for (const std::size_t c : order) {
      if (left == 0) break;
      if (dealt[c] == most[c]) continue;
      dealt[c] += 1;
      left -= 1;
    }
  }
  return dealt;
}

// needed: [J] M_j, the position by which a level must have been dealt.
DealingLaw make_law(const LevelStock& stock, const Chunks& chunks, const std::vector<std::int64_t>& needed,
                    const WantedAt& wanted) {
  DealingLaw law;
  law.classes = stock.classes;
  std::int64_t now = 0;
  for (std::int32_t j = 0; j < stock.levels(); ++j) {
    std::int64_t t = std::max(now, step_at(chunks, needed[j]));
    if (j + 1 == stock.levels()) t = chunks.steps();
    // With the position of the last block everything that this level needs has been dealt.
    for (; t > now; ++t) {
      const std::int64_t position = chunks.first(t);
      const std::int64_t* before =
          law.dealt.empty() ? nullptr : &law.dealt[law.dealt.size() - stock.class_total.size()];
      const auto dealt = round_to(wanted(position, j), before, stock.class_total, position);
      if (!dealt) continue;  // a step more; at the end all classes are whole numbers
      law.position.push_back(position);
      law.dealt.insert(law.dealt.end(), dealt->begin(), dealt->end());
      now = t;
      break;
    }
    law.level_end.push_back(now);
  }
  return law;
}

}  // namespace

std::int64_t step_at(const Chunks& chunks, std::int64_t position) {
  std::int64_t low = 0, high = chunks.steps();
  while (low < high) {
    const std::int64_t middle = (low + high) / 2;
    if (chunks.first(middle) >= position) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

DealingLaw balanced_law(const LevelStock& stock, const Chunks& chunks) {
  const std::int64_t samples = stock.samples;
  std::vector<std::int64_t> needed;
  for (std::int32_t j = 0; j < stock.levels(); ++j) {
    std::int64_t position = 0;
    for (std::int32_t c = 0; c < stock.classes; ++c) {
      const std::int64_t total = stock.class_total[c];
      if (total > 0) position = std::max(position, (stock.held_to(j)[c] * samples + total - 1) / total);
    }
    needed.push_back(position);
  }
  return make_law(stock, chunks, needed, [&](std::int64_t position, std::int32_t) {
    Wanted wanted;
    for (const std::int64_t total : stock.class_total) {
      wanted.whole.push_back(total * position / samples);  // below 2^62
      wanted.fraction.push_back(static_cast<double>(total * position % samples) / static_cast<double>(samples));
    }
    return wanted;
  });
}

DealingLaw rounded_law(const RealLaw& law, const LevelStock& stock, const Chunks& chunks) {
  const auto classes = static_cast<std::size_t>(stock.classes);
  constexpr double kRounding = 1e-6;  // of a sample: what a solver leaves
  std::vector<std::int64_t> needed;
  for (std::int32_t j = 0; j < stock.levels(); ++j) {
    const auto position = static_cast<std::int64_t>(std::ceil(law.position[j] - kRounding));
    needed.push_back(std::clamp(position, stock.held_samples(j), stock.samples));
  }
  return make_law(stock, chunks, needed, [&](std::int64_t position, std::int32_t level) {
    const auto x = static_cast<double>(position);
    std::size_t j = 0;
    while (j + 1 < law.position.size() && law.position[j] < x) ++j;
    const double from = j == 0 ? 0.0 : law.position[j - 1], width = law.position[j] - from;
    const double part = width > 0.0 ? std::clamp((x - from) / width, 0.0, 1.0) : 1.0;
    Wanted wanted;
    for (std::size_t c = 0; c < classes; ++c) {
      const double low = j == 0 ? 0.0 : law.dealt[(j - 1) * classes + c];
      const double dealt = low + (law.dealt[j * classes + c] - low) * part;
      const double whole = std::floor(dealt + kRounding);
      wanted.whole.push_back(
          std::clamp(static_cast<std::int64_t>(whole), stock.held_to(level)[c], stock.class_total[c]));
      wanted.fraction.push_back(std::max(0.0, dealt - static_cast<double>(wanted.whole.back())));
    }
    return wanted;
  });
}

double law_step_ns(const DealingLaw& law, const LevelStock& stock, double rest_ns) {
  double total = 0.0;
  std::int64_t before = 0;
  for (std::size_t j = 0; j < law.level_end.size(); ++j) {
    total += static_cast<double>(stock.delay_ns[j]) * static_cast<double>(law.level_end[j] - before);
    before = law.level_end[j];
  }
  return total / static_cast<double>(before) + rest_ns;
}

double law_deviation(const DealingLaw& law, const LevelStock& stock) {
  const auto samples = static_cast<double>(stock.samples);
  double total = 0.0;
  for (std::int64_t b = 0; b < law.blocks(); ++b) {
    const auto size = static_cast<double>(law.position[b] - (b == 0 ? 0 : law.position[b - 1]));
    for (std::int32_t c = 0; c < law.classes; ++c) {
      const auto at = static_cast<std::size_t>(b) * law.classes + c;
      const auto dealt = static_cast<double>(law.dealt[at] - (b == 0 ? 0 : law.dealt[at - law.classes]));
      total += std::abs(dealt - static_cast<double>(stock.class_total[c]) / samples * size);
    }
  }
  return total / samples;
}

double rounding_deviation(const std::vector<std::int64_t>& class_total, const Chunks& chunks) {
  const std::int64_t steps = chunks.steps();
  double total = 0.0;
  std::int64_t last_size = 0;
  double last = 0.0;
  for (std::int64_t t = 0; t < steps; ++t) {
    const std::int64_t size = chunks.first(t + 1) - chunks.first(t);
    if (size != last_size) {
      last = 0.0;
      for (const std::int64_t count : class_total) {
        const double f = static_cast<double>(count * size % chunks.samples) / static_cast<double>(chunks.samples);
        last += 2.0 * f * (1.0 - f) / static_cast<double>(size);
      }
      last_size = size;
    }
    total += last;
  }
  return total / static_cast<double>(steps);
}

}  // namespace splitsim
