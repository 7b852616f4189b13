// partition.kind = "file": an owner for each of 12 samples.
#include "base/npy.hpp"
#include "samplers/population/partition.hpp"
#include "tests/fuzz/targets.hpp"

namespace splitsim::fuzz {

void fuzz_partition(std::string_view bytes) {
  if (bytes.empty()) return;
  PartitionSettings settings;
  settings.kind = "file";
  settings.clients = 1 + static_cast<unsigned char>(bytes[0]) % 12;
  settings.min_samples = bytes[0] < 0 ? 1 : 0;
  settings.file = scratch_file("partition.npy", bytes.substr(1));
  const std::vector<std::int32_t> labels = {0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1};
  const Population population = make_partition(labels, 2, settings, 1);
  require(population.samples() == 12 && population.clients == settings.clients, "sizes as asked for");
  std::int64_t total = 0;
  for (std::int32_t k = 0; k < population.clients; ++k) {
    require(population.size(k) >= settings.min_samples, "no client has less than min_samples");
    total += population.size(k);
  }
  require(total == 12, "each sample has one owner");
  const std::string copy = scratch_folder() + "/copy.npy";
  write_npy<std::int32_t>(copy, {{12}, population.owner});
  settings.file = copy;
  require(make_partition(labels, 2, settings, 1).sha256() == population.sha256(), "a saved partition is the same");
}

}  // namespace splitsim::fuzz
