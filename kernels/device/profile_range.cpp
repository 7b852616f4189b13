#include "kernels/device/profile_range.hpp"

#if __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>
#define PSL_HAVE_NVTX 1
#else
#define PSL_HAVE_NVTX 0
#endif

namespace splitsim {

#if PSL_HAVE_NVTX
namespace {
nvtxDomainHandle_t domain() {
  static const nvtxDomainHandle_t handle = nvtxDomainCreateA("splitsim");
  return handle;
}
}  // namespace

Range::Range(const char* name) {
  nvtxEventAttributes_t event = {};
  event.version = NVTX_VERSION;
  event.size = NVTX_EVENT_ATTRIB_STRUCT_SIZE;
  event.messageType = NVTX_MESSAGE_TYPE_ASCII;
  event.message.ascii = name;
  nvtxDomainRangePushEx(domain(), &event);
}
Range::~Range() { nvtxDomainRangePop(domain()); }
#else
Range::Range(const char*) {}
Range::~Range() = default;
#endif

}  // namespace splitsim
