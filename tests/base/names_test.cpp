// Names of enumerators: there and back, and what is said of a name that is none.
#include "base/names.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "runtime/config/config.hpp"

namespace splitsim {
namespace {

template <class E>
void expect_names() {
  const auto table = names_of(E{});
  std::set<std::string> names;
  for (std::size_t i = 0; i < table.size(); ++i) {
    EXPECT_EQ(name_of(static_cast<E>(i)), std::string(table[i].name));
    EXPECT_EQ(value_named<E>("key", table[i].name), static_cast<E>(i));
    EXPECT_NE(std::string(table[i].summary), "");
    names.insert(table[i].name);
  }
  EXPECT_EQ(names.size(), table.size()) << "a name stands for one value";
}

TEST(Names, GoThereAndBack) {
  expect_names<ChunkRule>();
  expect_names<DelaySignal>();
  expect_names<PriorRule>();
  expect_names<LdsEstimate>();
  expect_names<DepletionRule>();
  expect_names<Reestimate>();
  expect_names<EmRule>();
  expect_names<ClassRule>();
  expect_names<Barrier>();
  expect_names<ModelSync>();
  expect_names<RateSchedule>();
  expect_names<ClientReduce>();
  expect_names<ClientScale>();
  expect_names<ClientReplicas>();
  expect_names<AverageWeights>();
  expect_names<ServiceOrder>();
  expect_names<OnNonfinite>();
  expect_names<EvalReplicas>();
  expect_names<NormKind>();
  expect_names<NormStatistics>();
  expect_names<InitKind>();
}

// Tables are in the order of the values.
TEST(Names, StandForTheirValues) {
  EXPECT_EQ(value_named<LdsEstimate>("", "prior"), LdsEstimate::kPrior);
  EXPECT_EQ(value_named<RateSchedule>("", "multistep"), RateSchedule::kMultistep);
  EXPECT_EQ(value_named<ServiceOrder>("", "reverse"), ServiceOrder::kReverse);
  EXPECT_EQ(value_named<AverageWeights>("", "seen"), AverageWeights::kSeen);
  EXPECT_EQ(value_named<NormKind>("", "batch"), NormKind::kBatch);
  EXPECT_EQ(value_named<InitKind>("", "file"), InitKind::kFile);
  EXPECT_EQ(value_named<Barrier>("", "run_ahead"), Barrier::kRunAhead);
  EXPECT_EQ(value_named<ModelSync>("", "round"), ModelSync::kRound);
}

TEST(Names, UnknownOnesAreRefusedWithTheList) {
  try {
    value_named<Barrier>("clock.barrier", "three");
    FAIL();
  } catch (const InputError& error) {
    EXPECT_EQ(std::string(error.what()), "clock.barrier = \"three\": allowed: two, one, run_ahead");
  }
}

}  // namespace
}  // namespace splitsim
