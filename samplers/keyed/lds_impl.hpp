#pragma once

#include <optional>

#include "kernels/device/math.hpp"
#include "kernels/device/profile_range.hpp"
#include "kernels/primitives/gamma.hpp"
#include "samplers/keyed/keyed.hpp"
#include "samplers/keyed/keyed_steps.hpp"
#include "samplers/keyed/lds.hpp"
#include "samplers/keyed/lds_em.hpp"
#include "samplers/keyed/lds_labels.hpp"

namespace splitsim {

namespace detail {

constexpr double kSmallestWeight = 1e-280;  // for mode's zeros: drawn last, still in random order
constexpr double kSmallestRate = 0x1p-1012;  // a key over it is still finite
// Newton's method needs pseudo-counts above 0: mode's zeros get this share of the labels, dealt by size. The objective's
// maximum moves by less than that.
constexpr double kLeastPseudoCounts = 0x1p-30;
constexpr EmSettings kNewtonSettings{1e-10, 100};

struct LdsPrior {
  View<const std::int32_t> size;
  View<const double> boost;
  double samples, precision, concentration;
  bool mode;
  double least;  // pseudo-counts of all clients in mode, if they are less
  View<double> alpha;
  View<double> pseudo_count;

  PSL_HD void operator()(std::int64_t k) const {
    const double share = size[k] / samples;
    alpha[k] = concentration * share * precision * boost[k];
    const double less = alpha[k] > 1.0 ? alpha[k] - 1.0 : 0.0;
    pseudo_count[k] = !mode ? alpha[k] : less > least * share ? less : least * share;
  }
};

/// Rates for one sort: odds per sample or weights per client.
struct LdsRates {
  View<const std::int32_t> size;
  View<const double> weight;  // pi, or empty: r exp(delta z) tilt
  View<const double> tilt;    // of the prior mean's weights, or empty: 1
  View<const double> boost;
  double samples;
  bool odds;
  View<double> rate;

  PSL_HD void operator()(std::int64_t k) const {
    const double share = size[k] / samples;
    if (!(share > 0.0)) {
      rate[k] = 1.0;  // never used
    } else if (weight.empty()) {
      rate[k] = odds ? boost[k] : share * boost[k];
      if (tilt.empty()) return;
      // The urn's odds with what the labels say: the same bits where they say nothing.
      rate[k] *= tilt[k];
      if (!(rate[k] > kSmallestRate)) rate[k] = kSmallestRate;
    } else {
      const double pi = weight[k] > kSmallestWeight ? weight[k] : kSmallestWeight;
      rate[k] = odds ? pi / share : pi;
    }
  }
};

/// The logarithms of the same, from a point estimate of the weights.
struct LogRates {
  View<const double> rate;
  View<double> log_rate;

  PSL_HD void operator()(std::int64_t k) const { log_rate[k] = exact_log(rate[k]); }
};

/// ... and from a Dirichlet draw of them; its normalisation is the same for all clients and left out.
struct DrawnLogRates {
  std::uint64_t seed;
  std::uint32_t epoch;
  std::uint32_t step;
  View<const double> shape;
  View<const std::int32_t> size;
  bool odds;
  View<double> log_rate;

  PSL_HD void operator()(std::int64_t k) const {
    if (size[k] == 0) {
      log_rate[k] = 0.0;  // never used
      return;
    }
    const Address at{Purpose::kLdsDraw, static_cast<std::uint32_t>(k), step, epoch, 0};
    log_rate[k] = draw_log_gamma(shape[k], seed, at) - (odds ? exact_log(size[k]) : 0.0);
  }
};

template <class Context>
class LdsSampler final : public Sampler<Context> {
 public:
  LdsSampler(Context& ctx, const Population& population, const DevicePopulation<Context>& device_population,
             const SamplerSettings& settings, const std::vector<double>& boosts)
      : ctx_(&ctx),
        population_(&population),
        settings_(settings),
        rule_(settings.depletion),
        chunks_(make_chunks(population.samples(), settings)),
        clients_(population.clients),
        components_(ctx, population),
        boost_(ctx, boosts),
        rate_(ctx, clients_) {
    const bool drawn = settings.estimate == LdsEstimate::kDraw, fixed = settings.estimate == LdsEstimate::kPrior;
    // The prior's odds do not change when samples leave; its weights, and every estimate, do.
    const bool stepped = drawn || (settings.reestimate != Reestimate::kNever && !(fixed && rule_ == DepletionRule::kOdds));
    if (!fixed) {
      labels_.emplace(ctx, device_population, lds_observed(chunks_.samples, settings));
      alpha_ = Buffer<double, Context>(ctx, clients_);
      pseudo_count_ = Buffer<double, Context>(ctx, clients_);
      if (settings.em == EmRule::kConverged) newton_.emplace(ctx, clients_, population.classes);
    }
    if (drawn) shape_ = Buffer<double, Context>(ctx, clients_);
    if (stepped || rule_ == DepletionRule::kRenormalise) {
      thresholds_.emplace(ctx, population, device_population, rule_);
    }
    if (!stepped) {
      keyed_.emplace(ctx, device_population, chunks_);
      return;
    }
    pairs_.emplace(ctx, chunks_.samples);
    stepped_.emplace(ctx, device_population, chunks_);
    estimated_size_ = Buffer<std::int32_t, Context>(ctx, clients_);
    log_rate_ = Buffer<double, Context>(ctx, clients_);
  }

  ScheduleBounds bounds() const override { return keyed_bounds(chunks_, clients_); }

  void build(std::uint64_t seed, std::uint32_t epoch, ScheduleBuffer<Context>& out) override {
    if (stepped_) {
      build_stepped(seed, epoch, out);
      return;
    }
    estimate(seed, epoch, chunks_.samples);
    compute_rates(components_.size(), chunks_.samples);
    if (rule_ == DepletionRule::kOdds) {
      keyed_->build(rate_.view(), seed, epoch, out);
    } else {
      thresholds_->build(keyed_->workspace(), seed, epoch);
      keyed_->build(*thresholds_, rate_.view(), out);
    }
  }

 private:
  /// Estimates the weights, or the shapes of their posterior, from what remains. False: too little for that.
  bool estimate(std::uint64_t seed, std::uint32_t epoch, std::int64_t remaining) {
    if (!labels_) return true;
    const std::int64_t observed = lds_observed(remaining, settings_);
    if (observed < 2) return false;
    labels_->draw(seed, epoch, stepped_ ? stepped_->taken() : View<const std::uint8_t>(), remaining, observed);
    for_each_index(
        *ctx_, clients_,
        LdsPrior{components_.size(), boost_.view(), static_cast<double>(remaining), lds_precision(remaining, observed),
                 settings_.concentration, settings_.prior == PriorRule::kMode,
                 newton_ ? kLeastPseudoCounts * static_cast<double>(observed) : 0.0, alpha_.view(),
                 pseudo_count_.view()});
    maximise(remaining);
    if (shape_.size() > 0) components_.add_responsibilities(alpha_.view(), shape_.view());
    return true;
  }

  void maximise(std::int64_t remaining) {
    EmStop stop;
    if (newton_) {
      components_.run(*newton_, labels_->counts(), pseudo_count_.view(), kNewtonSettings);
      stop = {newton_->iterations(), newton_->residual(), kNewtonSettings.tolerance};
    } else {
      const EmSettings published;
      components_.run(labels_->counts(), pseudo_count_.view(), remaining, published);
      stop = {components_.iterations(), components_.change(), published.tolerance};
    }
    if (stop.residual <= stop.wanted || warned_) return;
    warn_unfinished(settings_.em, stop);
    warned_ = true;
  }

  void compute_rates(View<const std::int32_t> size, std::int64_t samples) {
    const bool tilted = newton_ && settings_.prior == PriorRule::kMean;
    for_each_index(*ctx_, clients_,
                   LdsRates{size, labels_ && !tilted ? components_.weights() : View<const double>(),
                            tilted ? newton_->tilt() : View<const double>(), boost_.view(),
                            static_cast<double>(samples), rule_ == DepletionRule::kOdds, rate_.view()});
  }

  void build_stepped(std::uint64_t seed, std::uint32_t epoch, ScheduleBuffer<Context>& out) {
    const bool again = settings_.reestimate != Reestimate::kNever, always = settings_.reestimate == Reestimate::kEveryStep;
    thresholds_->build(*pairs_, seed, epoch);
    stepped_->start(*thresholds_, out);
    if (again) components_.reset(*population_);
    std::int64_t depleted = 0;
    for (std::int64_t t = 0; t < out.steps; ++t) {
      bool due = t == 0 || always;
      if (again && !always && t > 0) {
        const std::int64_t now = stepped_->depleted();
        due = now > depleted;
        depleted = now;
      }
      const std::int64_t remaining = chunks_.samples - chunks_.first(t);
      const bool fresh = due && estimate(seed, epoch, remaining);
      if (fresh) ctx_->copy(estimated_size_.data(), components_.size().data(), estimated_size_.bytes());
      if (shape_.size() > 0) {
        for_each_index(*ctx_, clients_,
                       DrawnLogRates{seed, epoch, static_cast<std::uint32_t>(t), shape_.view(), estimated_size_.view(),
                                     rule_ == DepletionRule::kOdds, log_rate_.view()});
      } else if (fresh) {
        compute_rates(estimated_size_.view(), remaining);
        for_each_index(*ctx_, clients_, LogRates{rate_.view(), log_rate_.view()});
      }
      stepped_->step(t, log_rate_.view(), again ? components_.histogram() : View<std::int32_t>(),
                     again ? components_.size() : View<std::int32_t>(), out);
    }
    stepped_->finish(out);
  }

  Context* ctx_;
  const Population* population_;
  SamplerSettings settings_;
  DepletionRule rule_;
  Chunks chunks_;
  std::int32_t clients_;
  MixtureEm<Context> components_;
  Buffer<double, Context> boost_;                 // [K] exp(delta z_k)
  Buffer<double, Context> rate_;                  // [K]
  Buffer<double, Context> alpha_;                 // [K] the prior; not with estimate = prior
  Buffer<double, Context> pseudo_count_;          // [K]
  Buffer<double, Context> shape_;                 // [K] the posterior; estimate = draw
  Buffer<double, Context> log_rate_;              // [K] stepped
  Buffer<std::int32_t, Context> estimated_size_;  // [K] stepped: samples per client at the last estimate
  bool warned_ = false;                           // of an estimate that was stopped
  std::optional<ObservedLabels<Context>> labels_;
  std::optional<MixtureNewton<Context>> newton_;
  std::optional<ClientThresholds<Context>> thresholds_;
  std::optional<KeyedSchedule<Context>> keyed_;
  std::optional<PairSort<Context>> pairs_;
  std::optional<SteppedSchedule<Context>> stepped_;
};

}  // namespace detail

template <class Context>
std::unique_ptr<Sampler<Context>> make_lds_sampler(Context& ctx, const Population& population,
                                                   const DevicePopulation<Context>& device_population,
                                                   const Profile& profile, const SamplerSettings& settings) {
  return std::make_unique<detail::LdsSampler<Context>>(ctx, population, device_population, settings,
                                                       detail::lds_boosts(population, profile, settings));
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                   \
  template std::unique_ptr<Sampler<C>> make_lds_sampler(C&, const Population&, const DevicePopulation<C>&, \
      const Profile&, const SamplerSettings&);
