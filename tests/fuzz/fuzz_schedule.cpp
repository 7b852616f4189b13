// A saved schedule, alone and against a population of 12 samples and 3 clients.
#include "samplers/population/population.hpp"
#include "samplers/schedule/schedule_file.hpp"
#include "tests/fuzz/targets.hpp"

namespace splitsim::fuzz {

void fuzz_schedule(std::string_view bytes) {
  const std::string path = scratch_file("schedule.npy", bytes);
  const Schedule schedule = load_schedule(path);
  const std::string copy = scratch_folder() + "/copy.npy";
  save_schedule(copy, schedule);
  require(load_schedule(copy).sha256() == schedule.sha256(), "a saved schedule has the same hash");

  std::vector<std::int32_t> owner, label;
  for (std::int32_t i = 0; i < 12; ++i) {
    owner.push_back(i % 3);
    label.push_back(i % 2);
  }
  const Population population = make_population(owner, label, 3, 2);
  check_schedule_file(path, schedule, population);
  for (const std::int32_t sample : schedule.sample) require(sample >= 0 && sample < 12, "samples exist");
  for (const std::int32_t client : schedule.client) require(client >= 0 && client < 3, "clients exist");
}

}  // namespace splitsim::fuzz
