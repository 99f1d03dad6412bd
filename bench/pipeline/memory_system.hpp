// A system without a database: records in two arrays, a log that is made while it is read, marked
// transactions that come back in it. What the appliance costs when systems cost next to nothing.
//
// Every record has a key and eight value fields, two of which change; row images are whole.
// Owner: the bench; Source and Target are faces of it. Threads: any; one lock.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "host/ports/system.hpp"

namespace syncline::bench {

inline constexpr size_t kMemoryValueFields = 8;

model::Schema memory_schema();

class MemorySystem {
 public:
  MemorySystem(size_t record_count, size_t lane_count);

  // Its users now change these records, ten a transaction, as fast as the log is read. keys live
  // until the system is_drained.
  void change(std::span<const uint32_t> keys);
  bool is_drained() const;  // nothing in its log is unread
  bool holds_the_same(const MemorySystem& other) const;

  Result<ports::PollResult> poll(ports::ChangeSink& sink, size_t row_limit, int wait_ms);
  ports::SnapshotChunk read_snapshot(const std::string& cursor, size_t row_limit,
                                     ports::ChangeSink& sink);
  void read_records(std::span<const std::string> keys, ports::ChangeSink& sink);
  model::Position position() const;
  Result<ports::ApplyResult> apply(const ports::WriteBatch& batch);
  std::vector<ports::Checkpoint> checkpoints() const;

 private:
  struct Record {
    int64_t balance = 0;
    int64_t updated = 0;
    bool operator==(const Record&) const = default;
  };
  struct LoggedRow {
    uint32_t key = 0;
    Record record;
  };
  struct MarkedTransaction {
    std::vector<ports::MarkerRow> markers;
    std::vector<LoggedRow> rows;
    int64_t commit_time_us = 0;
  };

  void emit(uint32_t key, const Record& record, ports::RowOp op, bool is_ours,
            ports::ChangeSink& sink) const;
  size_t emit_marked(ports::ChangeSink& sink);
  size_t emit_changes(ports::ChangeSink& sink);
  bool has_rows() const { return !marked_.empty() || !keys_.empty(); }
  void begin(ports::ChangeSink& sink, int64_t commit_time_us);

  mutable std::mutex mutex_;
  std::condition_variable written_;
  std::vector<Record> records_;
  std::vector<model::Sequence> applied_;  // by lane
  std::deque<MarkedTransaction> marked_;
  std::span<const uint32_t> keys_;
  std::vector<std::string> texts_;
  uint64_t position_ = 0;
};

// The ports of a system that outlives them.
ports::System memory_ports(MemorySystem& system);

}  // namespace syncline::bench
