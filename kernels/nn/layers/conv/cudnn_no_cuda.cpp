#include "kernels/nn/layers/conv/cudnn.hpp"

namespace splitsim {

std::string cudnn_version(std::string* why_not) {
  if (why_not != nullptr) *why_not = "this build has no CUDA";
  return "";
}

}  // namespace splitsim
