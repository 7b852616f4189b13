// The weights of lds' mixture by Newton's method (ours), for every prior: where EM would need 10^5 iterations, some tens.
// The objective is that of lds_em.hpp,
//
//   sum_c n_c ln q_c + sum_k a_k ln pi_k,   q_c = sum_k pi_k beta_kc,   over the simplex, S = sum_c n_c, A = sum_k a_k > 0.
//
// Its optimum has C unknowns, not K: with y_c = n_c / q_c the conditions of Karush, Kuhn and Tucker read
//
//   pi_k = (a_k / A) t_k,   t_k s_k = A,   s_k = S + A - sum_c beta_kc y_c.
//
// A primal-dual path (weighted interior point; Wright, Primal-Dual Interior-Point Methods, 1997) solves them for weights
// A' a_k / A of the prior, A' falling from max(A, S) to A: a C x C system an iteration, by Cholesky. The iterates are
// positive and end at the one optimum; the objective has risen with every one of them wherever it was looked at (a test).
//
// tilt t_k / max_j t_j is what the observed labels do to the prior's weights. It is computed from beta_k alone, by the same
// operations for every client: with identical class mixes it is exactly 1 for all.
//
// An iteration costs O(K C^2) in tiles of clients, then one team's O(C^3). Memory: 40 K + 8 (C^2 / 2 + 2 C) ceil(K / 1024)
// bytes and a little. Determinism: exact; every sum has a fixed order, whatever the backend and the number of threads.
#pragma once

#include <cstdint>

#include "kernels/device/buffer.hpp"

namespace splitsim {

namespace detail {
struct NewtonView;  // the device arrays of one run: samplers/keyed/lds_newton_impl.hpp
}

template <class Context>
class MixtureNewton {
 public:
  MixtureNewton(Context& ctx, std::int64_t clients, std::int64_t classes);

  /// A problem and where its solution goes; all on the device.
  struct Problem {
    View<const std::int32_t> histogram;  ///< [C, K] h_kc: beta_kc = h_kc / m_k
    View<const std::int32_t> size;       ///< [K] m_k; clients with 0 take no part
    View<const std::int32_t> observed;   ///< [C] n_c, above 0 only where some h_kc is
    View<const double> prior;            ///< [K] a_k >= 0, with a sum above 0; 0 for clients that take no part
    View<double> weight;                 ///< [K] out: pi
    View<double> ratio;                  ///< [K] out: pi_k / m_k
    View<double> class_factor;           ///< [C] out: n_c / q_c
  };

  /// Until residual() <= tolerance or max_iterations. Reads the device now and then to see whether it may stop.
  void run(const Problem& problem, double tolerance, std::int32_t max_iterations);

  /// [K] after run(): t_k / max_j t_j; 0 for clients that take no part.
  View<const double> tilt() const { return first_.view(); }
  std::int32_t iterations() const { return iterations_; }
  /// Bounds max_k |sum_c beta_kc n_c / q_c + a_k / pi_k - (S + A)| / (S + A), which is 0 at the optimum.
  double residual() const { return residual_; }

 private:
  detail::NewtonView view(const Problem& problem);

  Context* ctx_;
  std::int64_t clients_, classes_, tiles_;
  std::int32_t iterations_ = 0;
  double residual_ = 0.0;
  Buffer<double, Context> t_, s_;           // [K]
  Buffer<double, Context> dot_;             // [K] sum_c beta_kc y_c
  Buffer<double, Context> first_;           // [K] the next change of t, then weights of the matrix; at the end the tilt
  Buffer<double, Context> second_;          // [K] the next change of dot, then weights of the right side
  Buffer<double, Context> partial_;         // [C (C + 1) / 2 + 2 C, tiles] sums over a tile's clients
  Buffer<double, Context> extreme_;         // [2, tiles] what limits the step; the largest residual
  Buffer<double, Context> matrix_;          // [C, C] lower half
  Buffer<double, Context> vectors_;         // [4, C] y, its change, q, the right side
  Buffer<double, Context> scalars_;         // A, S, the path's A', residual
  Buffer<std::int32_t, Context> progress_;  // {iterations done, whether to stop}
};

}  // namespace splitsim
