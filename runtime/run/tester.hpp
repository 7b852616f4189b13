// Tests during a run: of the test set, and of the validation set where there is one, on the replicas that
// eval.replicas names. Gives figures to epoch records, and a record of every test. Determinism: as the engine's.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/plan/scene.hpp"
#include "runtime/record/metrics.hpp"
#include "runtime/record/records.hpp"
#include "runtime/train/engine.hpp"
#include "runtime/train/evaluator.hpp"

namespace splitsim {

template <class Context>
class Tester {
 public:
  /// Plans only. scene must outlive the tester.
  Tester(Context& ctx, const Scene& scene);

  const std::vector<MemoryItem>& plan() const { return evaluator_.plan(); }
  /// Uploads the images, unless `other` has the same ones.
  void start(const Tester* other = nullptr);
  void begin_epoch();

  /// After `step` steps of the record's epoch, at this virtual time. Synchronises.
  void test_step(const ReplicaValues& values, std::int64_t step, double virtual_time_s, EpochRecord& record);
  /// At the end of the record's epoch; its steps and virtual time are known. Synchronises.
  void test_epoch(const ReplicaValues& values, EpochRecord& record);

  /// Of the current epoch.
  const std::vector<TestRecord>& tests() const { return tests_; }
  const std::vector<ClientTest>& client_tests() const { return client_tests_; }

  /// Both sides of the averaged model, [replica_size] each.
  void average(const ReplicaValues& values, std::vector<float> (&sides)[2]);

 private:
  struct When {
    std::int32_t epoch;
    std::int64_t step;
    double virtual_time_s;
    std::int64_t limit;  ///< images; 0: all
    bool ends_epoch;
  };
  TestResult test(const ReplicaValues& values, EvaluationSet set, const When& when);
  std::vector<std::int32_t> tested_clients(const ReplicaValues& values) const;
  std::int32_t replica_of(std::int32_t client) const;
  bool validates() const { return dataset_.validation_size() > 0; }

  Context& ctx_;
  const Config& config_;
  const Dataset& dataset_;
  const Population& population_;
  const Groups& groups_;
  Evaluator<Context> evaluator_;
  std::shared_ptr<DeviceImages<Context>> images_;
  std::vector<TestRecord> tests_;
  std::vector<ClientTest> client_tests_;
};

}  // namespace splitsim
