#include <algorithm>
#include <array>
#include <map>
#include <memory>

#include "kernels/device/cuda_impl.cuh"
#include "kernels/nn/layers/conv/cudnn.hpp"
#include "kernels/nn/layers/pointwise.hpp"

#if SPLITSIM_WITH_CUDNN
#include "kernels/nn/layers/conv/cudnn_library.cuh"
#endif

namespace splitsim {

#if SPLITSIM_WITH_CUDNN

namespace {

constexpr cudnnConvolutionFwdAlgo_t kForward = CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
constexpr cudnnConvolutionBwdDataAlgo_t kData = CUDNN_CONVOLUTION_BWD_DATA_ALGO_1;
constexpr cudnnConvolutionBwdFilterAlgo_t kFilter = CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1;

/// A descriptor that is destroyed with its owner.
template <class T>
class Described {
 public:
  template <class Create>
  Described(Create create, cudnnStatus_t (*destroy)(T)) : destroy_(destroy) {
    cudnn_library().check(create(&handle_), "a descriptor");
  }
  Described(const Described&) = delete;
  Described& operator=(const Described&) = delete;
  ~Described() { destroy_(handle_); }
  operator T() const { return handle_; }

 private:
  T handle_ = nullptr;
  cudnnStatus_t (*destroy_)(T);
};

/// One layer over all slots.
struct LayerPlan {
  const CudnnLibrary& library = cudnn_library();
  Described<cudnnTensorDescriptor_t> x{library.CreateTensorDescriptor, library.DestroyTensorDescriptor};
  Described<cudnnTensorDescriptor_t> y{library.CreateTensorDescriptor, library.DestroyTensorDescriptor};
  Described<cudnnTensorDescriptor_t> bias{library.CreateTensorDescriptor, library.DestroyTensorDescriptor};
  Described<cudnnFilterDescriptor_t> weight{library.CreateFilterDescriptor, library.DestroyFilterDescriptor};
  Described<cudnnConvolutionDescriptor_t> convolution{library.CreateConvolutionDescriptor,
                                                      library.DestroyConvolutionDescriptor};
  Described<cudnnActivationDescriptor_t> relu{library.CreateActivationDescriptor, library.DestroyActivationDescriptor};
  Described<cudnnActivationDescriptor_t> identity{library.CreateActivationDescriptor,
                                                  library.DestroyActivationDescriptor};
  std::size_t bytes = 0;
  bool usable = false;

  /// Whether a call was done; one that is not supported after all makes the plan unusable.
  bool did(cudnnStatus_t status, const char* what) {
    if (CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_NOT_SUPPORTED) return usable = false;
    library.check(status, what);
    return true;
  }

  LayerPlan(cudnnHandle_t handle, const ConvShape& s, int slots) {
    // What the library says no to (sizes beyond 32 bits, for one) is left to our own kernels.
    usable = true;
    const auto ask = [&](cudnnStatus_t status) { usable = usable && status == CUDNN_STATUS_SUCCESS; };
    const auto tensor = [&](cudnnTensorDescriptor_t of, int n, int channels, int height, int width) {
      ask(library.SetTensor4dDescriptor(of, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, n, channels, height, width));
    };
    tensor(x, slots, s.in_channels, s.in_height, s.in_width);
    tensor(y, slots, s.out_channels, s.out_height(), s.out_width());
    tensor(bias, 1, s.out_channels, 1, 1);
    ask(library.SetFilter4dDescriptor(weight, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NHWC, s.out_channels, s.in_channels,
                                      s.kernel.height, s.kernel.width));
    ask(library.SetConvolution2dDescriptor(convolution, s.padding.height, s.padding.width, s.stride.height,
                                           s.stride.width, 1, 1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT));
    ask(library.SetConvolutionMathType(convolution,
                                       s.precision == Precision::kTf32 ? CUDNN_TENSOR_OP_MATH : CUDNN_FMA_MATH));
    ask(library.SetActivationDescriptor(relu, CUDNN_ACTIVATION_RELU, CUDNN_PROPAGATE_NAN, 0.0));
    ask(library.SetActivationDescriptor(identity, CUDNN_ACTIVATION_IDENTITY, CUDNN_PROPAGATE_NAN, 0.0));
    if (!usable) return;
    std::size_t forward = 0, data = 0, filter = 0;
    ask(library.GetConvolutionForwardWorkspaceSize(handle, x, weight, convolution, y, kForward, &forward));
    ask(library.GetConvolutionBackwardDataWorkspaceSize(handle, weight, y, convolution, x, kData, &data));
    ask(library.GetConvolutionBackwardFilterWorkspaceSize(handle, x, y, convolution, weight, kFilter, &filter));
    bytes = std::max({forward, data, filter});
  }
};

using Key = std::array<std::int32_t, 12>;
Key key_of(const ConvShape& s, std::int32_t slots) {
  return {s.in_channels,    s.in_height,     s.in_width,      s.out_channels,
          s.kernel.height,  s.kernel.width,  s.stride.height, s.stride.width,
          s.padding.height, s.padding.width, slots,           static_cast<std::int32_t>(s.precision)};
}

/// What a context keeps of cuDNN.
struct Kept {
  cudnnHandle_t handle = nullptr;
  std::map<Key, LayerPlan> plans;

  explicit Kept(cudaStream_t stream) {
    const CudnnLibrary& library = cudnn_library();
    library.check(library.Create(&handle), "cudnnCreate");
    library.check(library.SetStream(handle, stream), "cudnnSetStream");
  }
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;
  ~Kept() {
    plans.clear();
    cudnn_library().Destroy(handle);
  }
};

Kept& kept(CudaContext& ctx) {
  std::shared_ptr<void>& place = ctx.impl().cudnn;
  if (place == nullptr) place = std::make_shared<Kept>(ctx.impl().stream);
  return *static_cast<Kept*>(place.get());
}

LayerPlan& plan_of(CudaContext& ctx, const ConvShape& shape, std::int32_t slots) {
  Kept& own = kept(ctx);
  return own.plans.try_emplace(key_of(shape, slots), own.handle, shape, slots).first->second;
}

constexpr float kOne = 1.0f, kZero = 0.0f;

}  // namespace

std::string cudnn_version(std::string* why_not) {
  if (why_not != nullptr) *why_not = cudnn_library().why_not;
  return cudnn_library().version;
}

CudnnPlan cudnn_plan(CudaContext& ctx, const ConvShape& shape, std::int32_t slots) {
  // bf16: the library rounds only to fp16 what is float, which overflows where float does not.
  if (cudnn_library().version.empty() || slots == 0 || shape.groups != 1 || shape.precision == Precision::kBf16) {
    return {};
  }
  const LayerPlan& plan = plan_of(ctx, shape, slots);
  return {plan.usable, static_cast<std::int64_t>((plan.bytes + sizeof(float) - 1) / sizeof(float))};
}

bool cudnn_forward(CudaContext& ctx, const ReplicaMap& map, const ConvShape& shape, View<const float> x,
                   const Parameters& parameters, View<float> workspace, View<float> y, bool relu) {
  LayerPlan& p = plan_of(ctx, shape, map.max_slots);
  const cudnnHandle_t handle = kept(ctx).handle;
  const std::size_t bytes = workspace.size() * sizeof(float);
  if (parameters.bias.data == nullptr) {
    const bool done =
        p.did(p.library.ConvolutionForward(handle, &kOne, p.x, x.data(), p.weight, parameters.weight.data,
                                           p.convolution, kForward, workspace.data(), bytes, &kZero, p.y, y.data()),
              "cudnnConvolutionForward");
    if (done && relu) relu_forward(ctx, map.valid(), shape.out_size(), y);
    return done;
  }
  return p.did(
      p.library.ConvolutionBiasActivationForward(
          handle, &kOne, p.x, x.data(), p.weight, parameters.weight.data, p.convolution, kForward, workspace.data(),
          bytes, &kZero, p.y, y.data(), p.bias, parameters.bias.data, relu ? p.relu : p.identity, p.y, y.data()),
      "cudnnConvolutionBiasActivationForward");
}

bool cudnn_weight_gradient(CudaContext& ctx, const ReplicaMap& map, const ConvShape& shape, const Backprop& io,
                           View<float> workspace, const Parameters& gradients) {
  LayerPlan& p = plan_of(ctx, shape, map.max_slots);
  const cudnnHandle_t handle = kept(ctx).handle;
  const bool done =
      p.did(p.library.ConvolutionBackwardFilter(handle, &kOne, p.x, io.x.data(), p.y, io.dy.data(), p.convolution,
                                                kFilter, workspace.data(), workspace.size() * sizeof(float), &kZero,
                                                p.weight, gradients.weight.data),
            "cudnnConvolutionBackwardFilter");
  if (!done || gradients.bias.data == nullptr) return done;
  return p.did(p.library.ConvolutionBackwardBias(handle, &kOne, p.y, io.dy.data(), &kZero, p.bias, gradients.bias.data),
               "cudnnConvolutionBackwardBias");
}

bool cudnn_input_gradient(CudaContext& ctx, const ReplicaMap& map, const ConvShape& shape, const Backprop& io,
                          Grouped weight, View<float> workspace) {
  LayerPlan& p = plan_of(ctx, shape, map.max_slots);
  const bool done = p.did(p.library.ConvolutionBackwardData(
                              kept(ctx).handle, &kOne, p.weight, weight.data, p.y, io.dy.data(), p.convolution, kData,
                              workspace.data(), workspace.size() * sizeof(float), &kZero, p.x, io.dx.data()),
                          "cudnnConvolutionBackwardData");
  if (done && io.rectified) relu_backward(ctx, map.valid(), shape.in_size(), io.x, io.dx);
  return done;
}

#else

std::string cudnn_version(std::string* why_not) {
  if (why_not != nullptr) *why_not = "cuDNN's headers were not found when this was built";
  return "";
}
CudnnPlan cudnn_plan(CudaContext&, const ConvShape&, std::int32_t) { return {}; }
bool cudnn_forward(CudaContext&, const ReplicaMap&, const ConvShape&, View<const float>, const Parameters&, View<float>,
                   View<float>, bool) {
  throw BackendError("built without cuDNN");
}
bool cudnn_weight_gradient(CudaContext&, const ReplicaMap&, const ConvShape&, const Backprop&, View<float>,
                           const Parameters&) {
  throw BackendError("built without cuDNN");
}
bool cudnn_input_gradient(CudaContext&, const ReplicaMap&, const ConvShape&, const Backprop&, Grouped, View<float>) {
  throw BackendError("built without cuDNN");
}

#endif

}  // namespace splitsim
