// Settings of training and of its tests.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/nn/optimizers/optimizer.hpp"

namespace splitsim {

/// client_optimizer and server_optimizer. Names and meanings as in torch.optim.
struct OptimizerSettings : OptimizerNumbers {
  std::string kind = "sgd";  ///< see optimizers()
  double lr = 0.02;
  double clip_norm = 0.0;           ///< largest gradient norm of a replica; 0: any
  std::string schedule = "cosine";  ///< constant | cosine (per step, to 0 at the run's last step) | step | multistep
  std::int64_t step_epochs = 30;    ///< step: times gamma after every so many epochs
  std::vector<std::int64_t> milestones = {};  ///< multistep: times gamma after these epochs
  double gamma = 0.1;
  double warmup_epochs = 0.0;  ///< linear from 0 over this many epochs
};

/// Keys of [train].
struct TrainSettings {
  std::string mode = "psl";  ///< see mode_infos()
  std::int32_t epochs = 5;
  std::string client_reduce = "sum";       ///< psl: sum | mean (c = 1/A_t)
  std::string client_scale = "union";      ///< psl_local: union (c = 1) | own (c = B_t / b_k)
  std::string replicas = "tied";           ///< psl: tied | materialised
  std::int64_t round = 0;                  ///< steps per round (sflv1 .. 3, clock.model_sync); 0: an epoch
  std::string fedavg_weights = "samples";  ///< samples (n_k) | seen (in the round) | uniform
  std::string service_order = "cyclic";    ///< sflv2, sl: cyclic | reverse | random
  double label_smoothing = 0.0;
  std::string on_nonfinite = "stop";   ///< stop | continue
  std::int32_t checkpoint_epochs = 1;  ///< a checkpoint after every so many; 0: none
  OptimizerSettings client_optimizer;
  OptimizerSettings server_optimizer;
};

/// Keys of [eval].
struct EvalSettings {
  std::int32_t every_epochs = 1;     ///< 0: only after the last epoch
  std::int32_t batch = 256;          ///< test images per forward pass
  std::int32_t every_steps = 0;      ///< also test within epochs, after every so many steps of the run; 0: never
  std::int32_t step_images = 0;      ///< on so many test images, always the same random ones; 0: all
  double stop_at_accuracy = 0.0;     ///< end the run at the first test that reaches it; 0: never
  std::string replicas = "average";  ///< average | each | one: which halves are tested where clients have their own
  std::int32_t client = 0;           ///< replicas = one: whose
};

}  // namespace splitsim
