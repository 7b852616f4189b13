// Weights of a categorical mixture with known components, by EM. Client k is a component: its class distribution
// beta_kc = h_kc / m_k comes from its (remaining) samples. Given counts n_c of observed labels, EM maximises
//
//   sum_c n_c ln(sum_k pi_k beta_kc) + sum_k a_k ln pi_k     over the simplex,
//
//   E:  gamma_kc = pi_k beta_kc / sum_j pi_j beta_jc
//   M:  pi_k proportional to sum_c n_c gamma_kc + a_k
//
// from pi_k = m_k / sum m, until max_k |pi' - pi| / pi <= tolerance or max_iterations (paper's code: 1e-5, 1000).
// Concave for a >= 0, so the maximum is global, and no iteration decreases the objective. Clients without samples keep
// weight 0 and take no part. With a weak prior EM is far from the maximum at its cap; Newton's method is not
// (lds_newton.hpp). Memory: 4 K C + 28 K bytes and a little; time O(K C) an iteration.
//
// Determinism: exact; every sum has a fixed order, whatever the backend and the number of threads.
#pragma once

#include <cstdint>

#include "kernels/device/buffer.hpp"
#include "samplers/keyed/lds_newton.hpp"
#include "samplers/population/population.hpp"

namespace splitsim {

namespace detail {
struct EmView;  // the device arrays of one run: samplers/keyed/lds_em_impl.hpp
}

struct EmSettings {
  double tolerance = 1e-5;
  std::int32_t max_iterations = 1000;
};

template <class Context>
class MixtureEm {
 public:
  /// The components are those of the whole population until samples are taken away.
  MixtureEm(Context& ctx, const Population& population);

  /// [C, K] samples of class c that client k still has. Callers may take samples away.
  View<std::int32_t> histogram() { return histogram_.view(); }
  /// [K] samples that client k still has.
  View<std::int32_t> size() { return size_.view(); }
  /// Puts all samples of `population`, the constructor's, back.
  void reset(const Population& population);

  /// Finds pi. observed: [C] counts n_c, only of classes that somebody still has; prior: [K] weights a_k >= 0;
  /// `samples`: sum of size(). Reads the device now and then to see whether it may stop.
  void run(View<const std::int32_t> observed, View<const double> prior, std::int64_t samples,
           const EmSettings& settings = {});
  /// The same by `newton`, whose tilt, iterations and residual then belong to it; the prior's sum must be above 0.
  void run(MixtureNewton<Context>& newton, View<const std::int32_t> observed, View<const double> prior,
           const EmSettings& settings);
  /// [K] the weights found by run().
  View<const double> weights() const { return weight_.view(); }
  /// out[k] = base[k] + sum_c n_c gamma_kc at the weights found; after run().
  void add_responsibilities(View<const double> base, View<double> out);
  /// Of EM: iterations, and the largest relative change of a weight in the last one.
  std::int32_t iterations() const { return iterations_; }
  double change() const { return change_; }

 private:
  detail::EmView view(View<const double> prior);

  Context* ctx_;
  std::int64_t clients_;
  std::int64_t classes_;
  View<const std::int32_t> observed_;
  std::int32_t iterations_ = 0;
  double change_ = 0.0;
  std::int64_t tiles_;
  Buffer<std::int32_t, Context> histogram_;  // [C, K]
  Buffer<std::int32_t, Context> size_;       // [K]
  Buffer<double, Context> weight_;           // [K] pi
  Buffer<double, Context> proposal_;         // [K] within an iteration the next pi, between them pi_k / m_k
  Buffer<double, Context> class_factor_;     // [C] n_c / sum_j pi_j beta_jc
  Buffer<double, Context> partial_;          // [C + 1, tiles] sums over a tile's clients; last row: largest change
  Buffer<double, Context> total_;            // [1] sum_c n_c + sum_k a_k
  Buffer<std::int32_t, Context> progress_;   // {iterations done, whether converged}
};

}  // namespace splitsim
