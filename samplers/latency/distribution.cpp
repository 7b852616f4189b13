#include "samplers/latency/distribution.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/error.hpp"
#include "kernels/device/math.hpp"
#include "samplers/latency/distribution_draw.hpp"

namespace splitsim {

namespace {

// Beyond these, 1 / cv^2 or exp(sigma z) leave the range where the draws mean anything.
constexpr double kMaxCv = 1e6;
constexpr double kMinGammaCv = 1e-6;
// u^(-1/alpha) of the smallest u, 2^-54, is still finite at this alpha.
constexpr double kMinAlpha = 0.1;
constexpr double kMaxShape = 1e6;

/// Complains about single parameters of one distribution, by their config names.
class Checker {
 public:
  Checker(const Distribution& distribution, const std::string& key)
      : info_(distribution_info(distribution.kind)),
        values_{distribution.a, distribution.b, distribution.c},
        key_(key) {}

  void positive(int i) const { require(i, values_[i] > 0.0, "a finite number > 0"); }
  void non_negative(int i) const { require(i, values_[i] >= 0.0, "a finite number >= 0"); }
  void positive_or_zero(int i, bool allow_zero) const { allow_zero ? non_negative(i) : positive(i); }
  void within(int i, double low, double high) const {
    require(i, values_[i] >= low && values_[i] <= high, fmt::format("a number in [{:g}, {:g}]", low, high));
  }
  void at_least(int i, double low, const char* named = nullptr) const {
    require(i, values_[i] >= low,
            named == nullptr ? fmt::format("a finite number >= {:g}", low)
                             : fmt::format("a finite number >= {} = {:g}", named, low));
  }

 private:
  void require(int i, bool ok, const std::string& allowed) const {
    if (ok && std::isfinite(values_[i])) return;
    throw InputError(fmt::format("{}.{} = {:g}: must be {} (kind = {})", key_, info_.parameters[static_cast<size_t>(i)],
                                 values_[i], allowed, info_.name));
  }

  const DistributionInfo& info_;
  double values_[3];
  const std::string& key_;
};

}  // namespace

const std::vector<DistributionInfo>& distribution_infos() {
  using enum DistributionKind;
  static const std::vector<DistributionInfo> infos = {
      {kConstant, "constant", {"value"}, "always value", true},
      {kUniform, "uniform", {"low", "high"}, "uniform in [low, high]", true},
      {kExponential, "exponential", {"mean"}, "exponential", true},
      {kShiftedExponential, "shifted_exponential", {"shift", "mean"}, "shift + an exponential of this mean", true},
      {kLognormal, "lognormal", {"mean", "cv"}, "log-normal of this mean and coefficient of variation", true},
      {kPareto, "pareto", {"scale", "alpha", "cap"}, "min(cap, scale u^(-1/alpha)), u uniform in (0, 1)", true},
      {kLomax, "lomax", {"scale", "alpha", "cap"}, "min(cap, scale (u^(-1/alpha) - 1)), u uniform in (0, 1)", true},
      {kGamma,
       "gamma",
       {"mean", "cv"},
       "gamma of this mean and cv; as jitter the mean of one such draw per sample of the local batch",
       true},
      {kTwoSpeed,
       "two_speed",
       {"base", "share", "slowdown"},
       "exactly round(share K) clients are slow: base x slowdown for times, base / slowdown for link speeds; as jitter "
       "base x slowdown with probability share",
       true},
      {kZipf,
       "zipf",
       {"base", "exponent"},
       "base / r^exponent, r a random ranking 1..K of the clients; as jitter r uniform in 1..K",
       true},
      {kTrace, "trace", {}, "the quantity's column of clock.trace_file, one row per client", false},
  };
  return infos;
}

const DistributionInfo& distribution_info(DistributionKind kind) {
  return distribution_infos()[static_cast<std::size_t>(kind)];
}

void check_distribution(const Distribution& distribution, const std::string& key, bool allow_zero) {
  const Checker check(distribution, key);
  switch (distribution.kind) {
    case DistributionKind::kConstant:
      check.positive_or_zero(0, allow_zero);
      break;
    case DistributionKind::kUniform:
      check.positive_or_zero(0, allow_zero);
      check.at_least(1, distribution.a, "low");
      break;
    case DistributionKind::kExponential:
      check.positive(0);
      break;
    case DistributionKind::kShiftedExponential:
      check.positive_or_zero(0, allow_zero);
      check.positive(1);
      break;
    case DistributionKind::kLognormal:
      check.positive(0);
      check.within(1, 0.0, kMaxCv);
      break;
    case DistributionKind::kPareto:
      check.positive(0);
      check.within(1, kMinAlpha, kMaxShape);
      check.at_least(2, distribution.a, "scale");
      break;
    case DistributionKind::kLomax:
      check.positive(0);
      check.within(1, kMinAlpha, kMaxShape);
      check.positive(2);
      break;
    case DistributionKind::kGamma:
      check.positive(0);
      check.within(1, kMinGammaCv, kMaxCv);
      break;
    case DistributionKind::kTwoSpeed:
      check.positive_or_zero(0, allow_zero);
      check.within(1, 0.0, 1.0);
      check.at_least(2, 1.0);
      break;
    case DistributionKind::kZipf:
      check.positive_or_zero(0, allow_zero);
      check.within(1, 0.0, 100.0);
      break;
    case DistributionKind::kTrace:
      break;
  }
}

Drawer make_drawer(const Distribution& distribution) {
  Drawer drawer{distribution.kind, distribution.a, distribution.b, distribution.c};
  switch (distribution.kind) {
    case DistributionKind::kLognormal: {
      const double variance = exact_log(1.0 + distribution.b * distribution.b);
      drawer.a = exact_log(distribution.a) - 0.5 * variance;
      drawer.b = std::sqrt(variance);
      break;
    }
    case DistributionKind::kPareto:
    case DistributionKind::kLomax:
      drawer.b = 1.0 / distribution.b;
      break;
    case DistributionKind::kGamma:
      drawer.b = 1.0 / (distribution.b * distribution.b);
      break;
    default:
      break;
  }
  return drawer;
}

}  // namespace splitsim
