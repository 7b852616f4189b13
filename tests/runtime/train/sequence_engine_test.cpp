// Training of nets of tokens: the cut and the number of threads change no bit, and what is no token shows.
#include <gtest/gtest.h>

#include "tests/contexts.hpp"
#include "tests/runtime/train/engine_rig.hpp"

namespace splitsim::test {
namespace {

RigInput small_vit() {
  RigInput in = random_input(4, 2, 8, 5, {1, 8, 12});
  in.model = "vit";
  in.width = 8;
  return in;
}

RigInput small_text(std::int32_t vocabulary = 20) {
  RigInput in = random_input(4, 2, 8, 5, {1, 1, 9});
  in.model = "text_cnn";
  in.width = 8;
  in.options.vocabulary = vocabulary;
  for (const std::uint8_t byte : in.images) in.values.push_back(static_cast<float>(byte % 20));
  return in;
}

std::vector<float> all(const TrainingState& state) {
  std::vector<float> values = state.parameters[0];
  values.insert(values.end(), state.parameters[1].begin(), state.parameters[1].end());
  return values;
}

template <class Context>
class SequenceEngine : public OnContext<Context> {};
TYPED_TEST_SUITE(SequenceEngine, Contexts);

TYPED_TEST(SequenceEngine, TheCutDoesNotMatterWhenTied) {
  for (RigInput in : {small_vit(), small_text()}) {
    std::vector<float> reference;
    for (const std::string& cut : possible_cuts(model_layers(in.model, 10))) {
      in.cut = cut;
      const std::vector<float> trained = all(after_two_epochs(this->ctx(), in));
      if (reference.empty()) reference = trained;
      EXPECT_EQ(trained, reference) << cut;
    }
  }
}

TYPED_TEST(SequenceEngine, IdsBeyondTheVocabularyAreNotFinite) {
  RigInput in = small_text();
  in.cut = "embedding";
  EXPECT_TRUE(Rig<TypeParam>(this->ctx(), in).run_epoch()[0].finite);
  in.values[static_cast<std::size_t>(in.schedule.sample[0]) * 9 + 4] = 20.0f;
  EXPECT_FALSE(Rig<TypeParam>(this->ctx(), in).run_epoch()[0].finite);
}

TEST(SequenceEngineCpu, BitsDoNotDependOnTheNumberOfThreads) {
  for (RigInput in : {small_vit(), small_text()}) {
    in.cut = in.model == "vit" ? "block1" : "embedding";
    for (const char* mode : {"psl", "psl_local"}) {
      in.train.mode = mode;
      CpuContext one(1), many(5);
      EXPECT_EQ(all(after_two_epochs(one, in)), all(after_two_epochs(many, in))) << in.model << " " << mode;
    }
  }
}

}  // namespace
}  // namespace splitsim::test
