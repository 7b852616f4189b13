// Records that have another value in every field.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "runtime/record/records.hpp"

namespace splitsim::test::sample_records {

inline StepRecord step(std::int32_t epoch, std::int32_t index) {
  return {epoch,
          index,
          0.1 * index + 2.0 / 3.0,
          128,
          17,
          0.2,
          0.3,
          99,
          1e-5f,
          0.02f,
          1000 * index,
          1000 * index + 999,
          3,
          -1,
          4,
          5,
          6,
          7,
          40,
          30,
          20,
          10};
}
inline EpochRecord epoch(std::int32_t index) {
  EpochRecord record;
  record.epoch = index;
  record.steps = 2;
  record.train_loss = 1.0 / 3.0;
  record.train_accuracy = 0.875;
  if (index % 2 == 1) {
    record.test = {0.5, 0.9, 0.8999, 0.1 + 0.2};
    record.test_recall = {0.5, 1.0 / 3.0};
    record.disparity = {0.8125, 0.3125, 0.4375, -0.0625};
    record.validation = {0.25, 0.75, 0.625, 0.375};
    record.client_drift = 0.03125;
    record.server_drift = 0.0625;
    record.step_evaluations = {{1, 2.5, 0.125, 0.0, std::nullopt, std::nullopt}, {2, 3.5, 1.5, 0.875, 0.75, 1.0}};
  }
  record.batch_deviation_mean = 0.21155;
  record.batch_drift_mean = 0.5625;
  record.virtual_time_s = 12.5 * (index + 1);
  record.wall_time_s = 3.25;
  record.schedule_wall_s = 0.001;
  record.samples = 256;
  record.missed_samples = 11;
  record.deferred_samples = 12;
  record.absent_clients = 13;
  record.late_clients = 14;
  record.train_wall_s = 2.75;
  record.train_samples_per_s = 20000.0 / 3.0;
  record.schedule_sha256 = std::string(64, 'a');
  record.timeline_sha256 = std::string(64, 'b');
  return record;
}
inline Summary summary() {
  Summary s;
  s.version = "0.1.0";
  s.git = "c0bf2d2";
  s.device = "a \"device\"";
  s.backend = "cpu";
  s.seed = std::numeric_limits<std::uint64_t>::max();
  s.config_sha256 = "c";
  s.partition_sha256 = "p";
  s.schedule_sha256 = "s";
  s.timeline_sha256 = "t";
  s.model_sha256 = "m";
  s.epochs = 5;
  s.steps_per_epoch = 157;
  s.batch_deviation_mean = 0.1 + 0.2;
  s.batch_drift_mean = 0.1 + 0.7;
  s.virtual_time_s = 1e-9;
  s.wall_time_s = 17.0;
  s.train_samples_per_s = 1e5 / 3;
  s.inputs = {{"images", "i"}, {"labels", "l"}};
  s.test = {0.25, 0.89775, 0.75, 2.0 / 3.0};
  s.test_recall = {1.0, 0.5};
  s.disparity = {0.8, 0.7, 0.5, 0.0};
  s.validation.accuracy = 0.875;
  s.best = BestEpoch{2, {0.125, 0.9, 0.8, 0.7}, {0.6, 0.5, 0.4, 0.3}};
  s.waiting_share_mean = 0.25;
  s.waiting_share_max = 0.5;
  s.model_average_sha256 = "a";
  s.settings = {"glyphs", "iid",  "ugs", "lenet", "pool1", "psl",        32,     128,  5,
                "sgd",    "adam", 0.02,  1e-5,    0.01,    std::nullopt, {0.25}, {0.5}};
  s.time_to_accuracy = {{0.8, 12.5}, {0.99, std::nullopt}};
  s.peak_memory_bytes = std::uint64_t{1} << 40;
  s.bytes_up = 123456789012;
  s.bytes_down = 98765432101;
  s.model_bytes_up = 1234567;
  s.model_bytes_down = 7654321;
  s.participation_min = 1;
  s.participation_max = 99;
  s.participation_mean = 41.5;
  return s;
}

inline TestRecord test_of(std::int32_t epoch, const std::string& set) {
  return {epoch, 7, set, 0.5, 10, 1.0 / 3.0, 0.7, 0.75, 0.6, {0.5, 1.0}, {3, 3, 0, 4}};
}

}  // namespace splitsim::test::sample_records
