#include "drivers/device.hpp"

#include <fmt/format.h>

#include "base/error.hpp"

namespace splitsim {

bool use_cuda(const DeviceChoice& choice) {
  if (choice.device == "cpu") return false;
  std::string why_not;
  const bool available = cuda_available(&why_not);
  if (!available && choice.device == "cuda") throw NoDevice(fmt::format("{}: {}", choice.named, why_not));
  return available;
}

}  // namespace splitsim
