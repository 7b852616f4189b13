// Keys of [cut].
#include "runtime/config/keys/key_builders.hpp"

namespace splitsim::key_table {

std::vector<Key> cut_keys() {
  using S = CutSettings;
  const Condition comes_back{"train.mode",
                             modes_where([](const ModeMap& m) { return m.cut_traffic && !m.local_loss; })};
  const Condition crosses{"train.mode", modes_where([](const ModeMap& m) { return m.cut_traffic; })};
  const std::vector<std::string> top = {"top_k", "random_top_k"};
  const std::vector<std::string> compressed = {"top_k", "random_top_k", "int8", "int4"};
  return {
      choice("cut.up", at<&S::up>, "how activations are compressed on their way to the server").when({crosses}),
      choice("cut.down", at<&S::down>, "how their gradients are compressed on the way back").when({comes_back}),
      share("cut.keep", at<&S::keep>, "top_k, random_top_k: share of a sample's features that is sent")
          .when({{"cut.up", top}})
          .when({{"cut.down", top}}),
      real("cut.random", at<&S::random>, 0.0, kBelowOne, "",
           "random_top_k: probability that a feature of the largest is swapped for another one")
          .when({{"cut.up", {"random_top_k"}}})
          .when({{"cut.down", {"random_top_k"}}}),
      flag("cut.error_feedback", at<&S::error_feedback>,
           "what compression loses of a sample is added to what is sent of it next time")
          .when({{"cut.up", compressed}})
          .when({{"cut.down", compressed}}),
      real("cut.clip_norm", at<&S::clip_norm>, 0.0, kUnbounded, "",
           "largest norm of a sample's activations, longer ones are shortened; 0: any")
          .when({crosses}),
      real("cut.noise", at<&S::noise>, 0.0, kUnbounded, "",
           "standard deviation of Gaussian noise on every activation; privacy accounting is yours")
          .when({crosses}),
  };
}

}  // namespace splitsim::key_table
