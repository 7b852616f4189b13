// What a run leaves behind, as values and as text: steps.csv, epochs.jsonl, tests.jsonl, clients.csv, summary.json and
// what is asked for beside them. One name per quantity in all files. Epochs and steps count from 0 in these values and
// from 1 in the files; clients are ids from 0.
//
// Doubles are written in the shortest form that reads back as the same bits; in JSON what is absent or not finite is
// null, in CSV nan or inf. Wall times and rates are the only fields that differ between two equal runs. Errors of the
// readers: InputError naming the file and the line.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/record/ordinal.hpp"

namespace splitsim {

/// One row of steps.csv. Clients are ids, -1 for none.
struct StepRecord {
  std::int32_t epoch = 0;
  std::int32_t step = 0;            ///< within the epoch
  double train_loss = 0.0;          ///< mean over the batch
  std::int32_t samples = 0;         ///< B_t
  std::int32_t active_clients = 0;  ///< A_t: clients that took part
  double batch_deviation = 0.0;     ///< L1, 0..2 (paper)
  double batch_drift = 0.0;  ///< L1 to the batch before, 0..2; 0 without samples, or without any before in the epoch
  std::int32_t train_correct = 0;
  float client_lr = 0.0f, server_lr = 0.0f;  ///< learning rates of this step
  std::int64_t start_ns = 0, end_ns = 0;     ///< virtual time
  std::int32_t critical_forward = -1, critical_backward = -1;
  std::int32_t missed_samples = 0;                        ///< scheduled for this step and never trained in the epoch
  std::int32_t deferred_samples = 0;                      ///< scheduled for this step, trained in a later one
  std::int32_t absent_clients = 0, late_clients = 0;      ///< scheduled and not there; there and too late
  std::int64_t bytes_up = 0, bytes_down = 0;              ///< all clients, models included
  std::int64_t model_bytes_up = 0, model_bytes_down = 0;  ///< the part of them that is client models

  /// The columns of its file in order, for the writer and the reader: visit(name, field).
  template <class Record, class Visit>
  static void columns(Record& r, Visit&& visit) {
    visit("epoch", ordinal(r.epoch));
    visit("step", ordinal(r.step));
    visit("train_loss", r.train_loss);
    visit("samples", r.samples);
    visit("active_clients", r.active_clients);
    visit("batch_deviation", r.batch_deviation);
    visit("batch_drift", r.batch_drift);
    visit("train_correct", r.train_correct);
    visit("client_lr", r.client_lr);
    visit("server_lr", r.server_lr);
    visit("start_ns", r.start_ns);
    visit("end_ns", r.end_ns);
    visit("critical_forward", r.critical_forward);
    visit("critical_backward", r.critical_backward);
    visit("missed_samples", r.missed_samples);
    visit("deferred_samples", r.deferred_samples);
    visit("absent_clients", r.absent_clients);
    visit("late_clients", r.late_clients);
    visit("bytes_up", r.bytes_up);
    visit("bytes_down", r.bytes_down);
    visit("model_bytes_up", r.model_bytes_up);
    visit("model_bytes_down", r.model_bytes_down);
  }

  friend bool operator==(const StepRecord&, const StepRecord&) = default;
};

/// A test within an epoch (eval.every_steps).
struct StepEvaluation {
  std::int64_t step = 0;        ///< finished steps of the epoch
  double virtual_time_s = 0.0;  ///< at the end of the last of them
  double test_loss = 0.0;
  double test_accuracy = 0.0;                                  ///< 0..1
  std::optional<double> validation_loss, validation_accuracy;  ///< where there is a validation set

  friend bool operator==(const StepEvaluation&, const StepEvaluation&) = default;
};

/// The figures of one test, all absent where there was none. Accuracies are 0..1.
struct TestFigures {
  std::optional<double> loss, accuracy, macro_accuracy, macro_f1;

  friend bool operator==(const TestFigures&, const TestFigures&) = default;
};

/// What the mean accuracy of the test at an epoch's end hides (runtime/record/disparity.hpp), absent without it.
struct TestDisparity {
  std::optional<double> personal_accuracy, personal_accuracy_worst;  ///< mean over clients; over the worst tenth
  std::optional<double> performance_gap;                             ///< largest less smallest recall
  std::optional<double> forgetting;  ///< mean over classes of the best earlier recall less this one

  friend bool operator==(const TestDisparity&, const TestDisparity&) = default;
};

/// One line of epochs.jsonl. Test values are absent in epochs without an evaluation.
struct EpochRecord {
  std::int32_t epoch = 0;
  std::int64_t steps = 0;
  double train_loss = 0.0;
  double train_accuracy = 0.0;  ///< 0..1, of the predictions made while training
  TestFigures test, validation;
  std::vector<double> test_recall;  ///< [classes], NaN for a class without images; empty without an evaluation
  TestDisparity disparity;
  double batch_deviation_mean = 0.0;  ///< over the steps that have samples
  double batch_drift_mean = 0.0;      ///< over the steps that have samples, as a step before them has
  double virtual_time_s = 0.0;   ///< at the epoch's end, since the run's start
  double wall_time_s = 0.0;      ///< of this epoch, evaluation included
  double schedule_wall_s = 0.0;  ///< the part of it spent on schedule and timeline
  std::int64_t samples = 0;      ///< trained in this epoch
  std::int64_t missed_samples = 0, deferred_samples = 0;  ///< sums of its steps'
  std::int64_t absent_clients = 0, late_clients = 0;
  double train_wall_s = 0.0;     ///< the part of wall_time_s spent on steps, without tests
  double train_samples_per_s = 0.0;
  std::string schedule_sha256, timeline_sha256;  ///< of this epoch; empty: not recorded
  /// Of sides with replicas: root mean square distance from their average, before the epoch's last step averaged.
  std::optional<double> client_drift, server_drift;
  std::vector<StepEvaluation> step_evaluations;

  friend bool operator==(const EpochRecord&, const EpochRecord&) = default;
};

/// One line of tests.jsonl: a test or validation, within an epoch or at its end. In a file of its own, since a
/// confusion matrix is long where there are many classes.
struct TestRecord {
  std::int32_t epoch = 0;
  std::int64_t step = 0;     ///< finished steps of the epoch
  std::string set = "test";  ///< test | validation
  double virtual_time_s = 0.0;
  std::int64_t images = 0;
  double loss = 0.0, accuracy = 0.0, macro_accuracy = 0.0, macro_f1 = 0.0;
  std::vector<double> recall;           ///< [classes], NaN for a class without images
  std::vector<std::int64_t> confusion;  ///< [classes, classes], row = label; summed over the clients that were tested

  friend bool operator==(const TestRecord&, const TestRecord&) = default;
};

/// One row of client_tests.csv (eval.replicas = each): a client's own test at an epoch's end.
struct ClientTest {
  std::int32_t epoch = 0;
  std::int32_t client = 0;
  double test_loss = 0.0, test_accuracy = 0.0;
  std::optional<double> personal_accuracy = {};  ///< absent: the test set has none of its classes

  /// The columns of its file in order, for the writer and the reader: visit(name, field).
  template <class Record, class Visit>
  static void columns(Record& r, Visit&& visit) {
    visit("epoch", ordinal(r.epoch));
    visit("client", r.client);
    visit("test_loss", r.test_loss);
    visit("test_accuracy", r.test_accuracy);
    visit("personal_accuracy", r.personal_accuracy);
  }

  friend bool operator==(const ClientTest&, const ClientTest&) = default;
};

/// One row of waiting.csv (record.waiting): a client in a step. Of active_ns, from the step's start to its end, the
/// part in which neither it nor the server on its behalf was at work (see ClientWaiting).
struct WaitingRecord {
  std::int32_t epoch = 0, step = 0, client = 0;
  std::int64_t waiting_ns = 0, active_ns = 0;

  /// The columns of its file in order, for the writer and the reader: visit(name, field).
  template <class Record, class Visit>
  static void columns(Record& r, Visit&& visit) {
    visit("epoch", ordinal(r.epoch));
    visit("step", ordinal(r.step));
    visit("client", r.client);
    visit("waiting_ns", r.waiting_ns);
    visit("active_ns", r.active_ns);
  }

  friend bool operator==(const WaitingRecord&, const WaitingRecord&) = default;
};

/// One row of clients.csv: what a client did over the whole run.
struct ClientRecord {
  std::int32_t client = 0;
  std::int64_t samples = 0;                               ///< n_k
  std::int64_t steps = 0;                                 ///< steps it took part in
  std::int64_t waiting_ns = 0, active_ns = 0;             ///< sums of WaitingRecord's
  std::int64_t missed_samples = 0;                        ///< scheduled and never trained in their epoch
  std::int64_t absences = 0, late = 0;                    ///< steps it was scheduled for: not there; too late
  std::int64_t bytes_up = 0, bytes_down = 0;              ///< models included
  std::int64_t model_bytes_up = 0, model_bytes_down = 0;  ///< the part of them that is client models
  double energy_j = 0.0;                                  ///< by clock.joule_per_gmac, joule_per_mbyte, idle_watt
  /// At the run's last test at an epoch's end; absent without one, or where the test set has none of its classes.
  std::optional<double> personal_accuracy = {};

  /// The columns of its file in order, for the writer and the reader: visit(name, field).
  template <class Record, class Visit>
  static void columns(Record& r, Visit&& visit) {
    visit("client", r.client);
    visit("samples", r.samples);
    visit("steps", r.steps);
    visit("waiting_ns", r.waiting_ns);
    visit("active_ns", r.active_ns);
    visit("missed_samples", r.missed_samples);
    visit("absences", r.absences);
    visit("late", r.late);
    visit("bytes_up", r.bytes_up);
    visit("bytes_down", r.bytes_down);
    visit("model_bytes_up", r.model_bytes_up);
    visit("model_bytes_down", r.model_bytes_down);
    visit("energy_j", r.energy_j);
    visit("personal_accuracy", r.personal_accuracy);
  }

  friend bool operator==(const ClientRecord&, const ClientRecord&) = default;
};

/// When, in virtual time, the test accuracy first reached a target; absent if it never did.
struct TimeToAccuracy {
  double accuracy = 0.0;  ///< target, 0..1
  std::optional<double> virtual_time_s;

  friend bool operator==(const TimeToAccuracy&, const TimeToAccuracy&) = default;
};

/// What a run was asked for, in summary.json under "settings".
struct RunSettings {
  std::string data, partition, sampler, model, cut, mode;
  std::int32_t clients = 0, batch = 0;  ///< K, B
  std::int32_t epochs = 0;              ///< asked for
  std::string client_optimizer, server_optimizer;
  double client_lr = 0.0, server_lr = 0.0;  ///< train.*_optimizer.lr
  /// Of the last step that ran; absent if none did.
  std::optional<double> client_lr_last, server_lr_last;
  std::vector<double> pixel_mean, pixel_std;  ///< per channel of the training images, of pixels scaled to 0..1

  friend bool operator==(const RunSettings&, const RunSettings&) = default;
};

/// The epoch whose test at its end has the highest accuracy, of the validation set where there is one; the first of
/// equals.
struct BestEpoch {
  std::int32_t epoch = 0;
  TestFigures test, validation;

  friend bool operator==(const BestEpoch&, const BestEpoch&) = default;
};

/// summary.json.
struct Summary {
  std::string version, git, device, backend;  ///< in the file: the object "splitsim"
  std::string status = "completed";           ///< completed | diverged | interrupted
  std::uint64_t seed = 0;
  std::string config_sha256, partition_sha256, schedule_sha256, timeline_sha256, model_sha256;
  std::string model_average_sha256;  ///< empty: no side has replicas
  RunSettings settings;
  /// Content of what the run read, name -> SHA-256: images, labels, partition; schedule, trace, groups, availability,
  /// conv_table, model_file, initial_model if any.
  std::map<std::string, std::string> inputs;
  std::int32_t epochs = 0;  ///< finished ones
  std::int64_t steps_per_epoch = 0;
  double batch_deviation_mean = 0.0, batch_drift_mean = 0.0;  ///< of the epochs', by their steps
  double virtual_time_s = 0.0;
  double wall_time_s = 0.0;
  double train_samples_per_s = 0.0;
  TestFigures test, validation;     ///< of the last evaluation at an epoch's end
  std::vector<double> test_recall;  ///< as EpochRecord's
  TestDisparity disparity;          ///< of the same test
  std::optional<BestEpoch> best;
  /// Share of the time of the steps a client took part in during which it waited; over the clients that took part.
  std::optional<double> waiting_share_mean, waiting_share_max;
  std::vector<TimeToAccuracy> time_to_accuracy;
  std::int32_t trained_together =
      1;  ///< experiments of the group that it was part of; on a GPU more than one round otherwise
  std::uint64_t peak_memory_bytes = 0;                        ///< of the device
  std::int64_t bytes_up = 0, bytes_down = 0;                  ///< all clients, the whole run, models included
  std::int64_t model_bytes_up = 0, model_bytes_down = 0;      ///< the part of them that is client models
  std::int64_t participation_min = 0, participation_max = 0;  ///< steps per client
  double participation_mean = 0.0;

  friend bool operator==(const Summary&, const Summary&) = default;
};

// CSV, of StepRecord, ClientRecord, ClientTest and WaitingRecord.

/// The first line, with its line end.
template <class Record>
std::string csv_header();
/// Rows, each with its line end.
template <class Record>
std::string to_csv(const std::vector<Record>& records);
/// An unfinished last line (a kill while it was written) is dropped.
template <class Record>
std::vector<Record> read_csv(const std::string& path);

/// One line of JSON with its line end.
std::string to_json_line(const EpochRecord& epoch);
std::string to_json_line(const TestRecord& test);
/// The whole file, indented.
std::string to_json(const Summary& summary);

/// Readers. An unfinished last line is dropped from all but summary.json.
std::vector<EpochRecord> read_epochs(const std::string& path);
std::vector<TestRecord> read_tests(const std::string& path);
Summary read_summary(const std::string& path);

}  // namespace splitsim
