// Naive layers in double precision, one sample at a time: the oracles of the numeric kernels. They share nothing with
// the product: own shapes, own loops, textbook order.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace splitsim::reference {

using Tensor = std::vector<double>;

/// Of height and width; one number is both.
struct Two {
  int h, w;
  Two(int both) : h(both), w(both) {}
  Two(int height, int width) : h(height), w(width) {}
};

struct Window {
  int channels, height, width;  ///< input
  int outputs;                  ///< output channels (convolution)
  Two size, stride, padding;
  int groups = 1;
  int out_height() const { return (height + 2 * padding.h - size.h) / stride.h + 1; }
  int out_width() const { return (width + 2 * padding.w - size.w) / stride.w + 1; }
};

/// Calls f(output index, input index, weight index) for every multiplication of a convolution.
template <class F>
void for_each_tap(const Window& w, F f) {
  for (int o = 0; o < w.outputs; ++o)
    for (int oy = 0; oy < w.out_height(); ++oy)
      for (int ox = 0; ox < w.out_width(); ++ox)
        for (int c = 0; c < w.channels / w.groups; ++c)
          for (int i = 0; i < w.size.h; ++i)
            for (int j = 0; j < w.size.w; ++j) {
              const int y = oy * w.stride.h + i - w.padding.h, x = ox * w.stride.w + j - w.padding.w;
              const int from = o / (w.outputs / w.groups) * (w.channels / w.groups) + c;
              if (y < 0 || y >= w.height || x < 0 || x >= w.width) continue;
              f((std::size_t(o) * w.out_height() + oy) * w.out_width() + ox,
                (std::size_t(from) * w.height + y) * w.width + x,
                ((std::size_t(o) * (w.channels / w.groups) + c) * w.size.h + i) * w.size.w + j);
            }
}

inline Tensor conv2d(const Window& w, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const std::size_t plane = std::size_t(w.out_height()) * w.out_width();
  Tensor y(w.outputs * plane);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = bias.empty() ? 0.0 : bias[i / plane];
  for_each_tap(w, [&](std::size_t o, std::size_t i, std::size_t k) { y[o] += x[i] * weight[k]; });
  return y;
}

/// Adds to dweight and dbias; returns dx.
inline Tensor conv2d_backward(const Window& w, const Tensor& x, const Tensor& dy, const Tensor& weight, Tensor& dweight,
                              Tensor& dbias) {
  Tensor dx(x.size());
  for_each_tap(w, [&](std::size_t o, std::size_t i, std::size_t k) {
    dx[i] += dy[o] * weight[k];
    dweight[k] += dy[o] * x[i];
  });
  const std::size_t plane = std::size_t(w.out_height()) * w.out_width();
  for (std::size_t i = 0; i < dy.size(); ++i) dbias[i / plane] += dy[i];
  return dx;
}

inline Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const std::size_t in = x.size(), out = weight.size() / in;
  Tensor y(out);
  for (std::size_t o = 0; o < out; ++o) {
    y[o] = bias.empty() ? 0.0 : bias[o];
    for (std::size_t i = 0; i < in; ++i) y[o] += weight[o * in + i] * x[i];
  }
  return y;
}

inline Tensor linear_backward(const Tensor& x, const Tensor& dy, const Tensor& weight, Tensor& dweight, Tensor& dbias) {
  const std::size_t in = x.size();
  Tensor dx(in);
  for (std::size_t o = 0; o < dy.size(); ++o) {
    dbias[o] += dy[o];
    for (std::size_t i = 0; i < in; ++i) {
      dx[i] += dy[o] * weight[o * in + i];
      dweight[o * in + i] += dy[o] * x[i];
    }
  }
  return dx;
}

struct MaxPool {
  Tensor y;
  std::vector<int> argmax;          ///< within the window
  std::vector<std::size_t> source;  ///< input index
};

inline MaxPool max_pool(const Window& w, const Tensor& x) {
  MaxPool result;
  for (int c = 0; c < w.channels; ++c)
    for (int oy = 0; oy < w.out_height(); ++oy)
      for (int ox = 0; ox < w.out_width(); ++ox) {
        double best = -std::numeric_limits<double>::infinity();
        int argmax = -1;
        std::size_t source = 0;
        for (int i = 0; i < w.size.h; ++i)
          for (int j = 0; j < w.size.w; ++j) {
            const int row = oy * w.stride.h + i - w.padding.h, column = ox * w.stride.w + j - w.padding.w;
            if (row < 0 || row >= w.height || column < 0 || column >= w.width) continue;
            const std::size_t at = (std::size_t(c) * w.height + row) * w.width + column;
            if (argmax < 0 || x[at] > best) {
              best = x[at];
              argmax = i * w.size.w + j;
              source = at;
            }
          }
        result.y.push_back(best);
        result.argmax.push_back(argmax);
        result.source.push_back(source);
      }
  return result;
}

inline Tensor avg_pool(const Window& w, const Tensor& x) {
  Tensor y;
  for (int c = 0; c < w.channels; ++c)
    for (int oy = 0; oy < w.out_height(); ++oy)
      for (int ox = 0; ox < w.out_width(); ++ox) {
        double sum = 0.0;
        for (int i = 0; i < w.size.h; ++i)
          for (int j = 0; j < w.size.w; ++j)
            sum += x[(std::size_t(c) * w.height + oy * w.stride.h + i) * w.width + ox * w.stride.w + j];
        y.push_back(sum / (w.size.h * w.size.w));
      }
  return y;
}

inline Tensor avg_pool_backward(const Window& w, const Tensor& dy) {
  Tensor dx(std::size_t(w.channels) * w.height * w.width);
  std::size_t at = 0;
  for (int c = 0; c < w.channels; ++c)
    for (int oy = 0; oy < w.out_height(); ++oy)
      for (int ox = 0; ox < w.out_width(); ++ox, ++at)
        for (int i = 0; i < w.size.h; ++i)
          for (int j = 0; j < w.size.w; ++j)
            dx[(std::size_t(c) * w.height + oy * w.stride.h + i) * w.width + ox * w.stride.w + j] +=
                dy[at] / (w.size.h * w.size.w);
  return dx;
}

/// y of GroupNorm for one sample of `channels` planes.
inline Tensor group_norm(int channels, int groups, double eps, const Tensor& x, const Tensor& gamma,
                         const Tensor& beta) {
  Tensor y(x.size());
  const std::size_t plane = x.size() / channels, n = x.size() / groups;
  for (int g = 0; g < groups; ++g) {
    double mean = 0.0, variance = 0.0;
    for (std::size_t i = g * n; i < (g + 1) * n; ++i) mean += x[i] / double(n);
    for (std::size_t i = g * n; i < (g + 1) * n; ++i) variance += (x[i] - mean) * (x[i] - mean) / double(n);
    for (std::size_t i = g * n; i < (g + 1) * n; ++i)
      y[i] = (x[i] - mean) / std::sqrt(variance + eps) * gamma[i / plane] + beta[i / plane];
  }
  return y;
}

/// Mean and biased variance per channel over a batch of samples [n][channels planes].
struct Moments {
  Tensor mean, variance;
};
inline Moments channel_moments(int channels, const std::vector<Tensor>& batch) {
  Moments m{Tensor(channels), Tensor(channels)};
  const std::size_t plane = batch[0].size() / channels;
  const double n = double(plane * batch.size());
  for (const Tensor& x : batch)
    for (std::size_t i = 0; i < x.size(); ++i) m.mean[i / plane] += x[i] / n;
  for (const Tensor& x : batch)
    for (std::size_t i = 0; i < x.size(); ++i)
      m.variance[i / plane] += (x[i] - m.mean[i / plane]) * (x[i] - m.mean[i / plane]) / n;
  return m;
}

/// y of BatchNorm for one sample, by given moments.
inline Tensor normalise(const Moments& m, double eps, const Tensor& x, const Tensor& gamma, const Tensor& beta) {
  Tensor y(x.size());
  const std::size_t plane = x.size() / gamma.size();
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t c = i / plane;
    y[i] = (x[i] - m.mean[c]) / std::sqrt(m.variance[c] + eps) * gamma[c] + beta[c];
  }
  return y;
}

/// -log softmax(z)[label].
inline double cross_entropy(const Tensor& z, int label) {
  double top = z[0], sum = 0.0;
  for (double v : z) top = v > top ? v : top;
  for (double v : z) sum += std::exp(v - top);
  return std::log(sum) + top - z[label];
}

}  // namespace splitsim::reference
