// The models by name. Adding one is a function in models.cpp or a file of its own, and a line in the registry.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/model/network.hpp"

namespace splitsim {

/// Over whose samples the BatchNorm of clients normalises while training.
enum class NormStatistics : std::uint8_t { kClient, kPooled };
constexpr auto names_of(NormStatistics) {
  return named_values<NormStatistics>({{"client", "each client normalises over its own samples of the step"},
                                       {"pooled", "over all samples of the step"}});
}

/// Keys of [model].
struct ModelSettings {
  std::string name = "lenet";                     ///< see model_infos(), or layers for `layers`
  std::string cut = "pool1";                      ///< the client runs up to and including this layer
  std::int32_t width = 0;                         ///< channels of the first stage; 0: the model's own
  NormKind client_norm = NormKind::kGroup;
  NormKind server_norm = NormKind::kGroup;
  NormStatistics client_norm_statistics = NormStatistics::kClient;
  InitKind init = InitKind::kTorch;
  std::string file;                               ///< init = file: safetensors, see runtime/model/model_file.hpp
  std::vector<LayerSpec> layers;                  ///< name = "layers": in order, each reading the one before
};

struct ModelInfo {
  std::string name;
  std::string summary;     ///< one line for --help
  std::int32_t width = 0;  ///< of the first stage, unless model.width says otherwise; 0: fixed
  bool norms = false;      ///< has norms, or may have
};
const std::vector<ModelInfo>& model_infos();

/// The layers of a model for a number of classes. Errors: InputError for an unknown name, listing the known ones; a
/// width for a model without one; a list of layers that is missing, or given to another model.
std::vector<LayerSpec> model_layers(const ModelSettings& settings, std::int32_t classes);
/// The same for a model as it comes.
std::vector<LayerSpec> model_layers(const std::string& name, std::int32_t classes);

/// What the settings say beside the layers and the cut; vocabulary: of the data.
NetworkOptions network_options(const ModelSettings& settings, const CutSettings& cut = {}, bool auxiliary = false,
                               std::int32_t vocabulary = 0);

// Shorthands for the functions that write models down.
namespace layer {
LayerSpec conv(std::string name, std::int32_t out, Size2 kernel, Size2 stride, Size2 padding, bool bias = true);
LayerSpec linear(std::string name, std::int32_t out);
LayerSpec relu(std::string name);
LayerSpec relu6(std::string name);
LayerSpec max_pool(std::string name, Size2 window, Size2 stride, Size2 padding = 0);
LayerSpec global_avg_pool(std::string name);
LayerSpec norm(std::string name, std::int32_t groups = 0);
LayerSpec add(std::string name, std::string input, std::string other);
LayerSpec scale(std::string name, float factor);
LayerSpec concat(std::string name, std::string input, std::string other);
/// Of a kind that needs no numbers.
LayerSpec plain(const char* kind, std::string name);
}  // namespace layer

/// What a model's function gets: width is the model's own unless set.
struct ModelRequest {
  std::int32_t classes, width;
  std::string cut;
};

// sequences.cpp: of sensor windows and of token sequences.
std::vector<LayerSpec> har_cnn(const ModelRequest& request);
std::vector<LayerSpec> text_cnn(const ModelRequest& request);

// vit.cpp.
std::vector<LayerSpec> vit(const ModelRequest& request);

// mobilenet.cpp.
std::vector<LayerSpec> mobilenet_v2(const ModelRequest& request);

// resnet.cpp. He et al., arXiv 1512.03385, as torchvision writes it.
std::vector<LayerSpec> resnet18(const ModelRequest& request);
std::vector<LayerSpec> resnet34(const ModelRequest& request);
std::vector<LayerSpec> resnet18_imagenet(const ModelRequest& request);
std::vector<LayerSpec> resnet34_imagenet(const ModelRequest& request);
std::vector<LayerSpec> resnet18_gpsl(const ModelRequest& request);

}  // namespace splitsim
