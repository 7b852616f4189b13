// The files of one run directory. steps.csv, epochs.jsonl, tests.jsonl, client_tests.csv and waiting.csv grow by whole
// epochs; everything else is replaced atomically. Errors: InputError naming the file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/safetensors.hpp"
#include "runtime/record/records.hpp"
#include "samplers/population/population.hpp"

namespace splitsim {

class RunWriter {
 public:
  /// `dir`: a directory that RunDirectory holds.
  explicit RunWriter(std::string dir);

  std::string path(const std::string& name) const;

  /// config.toml and the like.
  void write_text(const std::string& name, const std::string& text);
  /// partition.npy: sample -> client, int32 [N]; `partition.kind = "file"` reads it. class_counts.csv: samples of each
  /// class (columns) at each client (rows).
  void write_partition(const Population& population);

  /// All rows of an epoch in one append.
  void append_steps(const std::vector<StepRecord>& steps);
  void append_epoch(const EpochRecord& epoch);
  void append_tests(const std::vector<TestRecord>& tests);
  void append_client_tests(const std::vector<ClientTest>& tests);
  void append_waiting(const std::vector<WaitingRecord>& waits);
  /// Drops everything beyond the first `epochs` epochs, as well as what a kill left unfinished: called on resuming from
  /// a checkpoint taken after `epochs` epochs. Error: one of these epochs is missing, or a line before them is damaged.
  void truncate(std::int32_t epochs);

  void write_clients(const std::vector<ClientRecord>& clients);
  /// model.safetensors or model_average.safetensors, with the hash in its metadata.
  void write_model(const std::string& name, const std::vector<TensorView>& tensors, const std::string& model_sha256);
  void write_summary(const Summary& summary);

 private:
  /// `header` goes first where the file is new.
  void append_rows(const char* name, const std::string& header, const std::string& rows);

  std::string dir_;
};

}  // namespace splitsim
