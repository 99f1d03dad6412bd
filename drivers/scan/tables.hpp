// What capture = "scan" and "poll" ask of a driver: its tables, the checkpoint rows and the echoes,
// as one snapshot shows them. The SQL, and nothing of what is made of it.
//
// An image is a row's native values in the driver's own bytes; two rows are the same where their
// images are. An echo is what a marked transaction of ours left of a record: the target puts it
// into a table of ours in that transaction, so a snapshot that shows the write shows the echo.
//
// Threads: one at a time. Errors: those of ports::Source; kSystemSchema and kSystemKey of look()
// stop one dataset.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/base/bytes.hpp"
#include "host/ports/source.hpp"
#include "host/ports/system.hpp"

namespace syncline::scan {

struct Row {
  std::string key;    // joined, canonical
  std::string image;  // never empty
};

struct Rows {
  std::vector<Row> rows;
  std::string cursor;                        // hand back to read on; empty: there is no more
  std::vector<ports::RejectedRow> rejected;  // those without a key of a record
};

struct Marker {
  uint32_t epoch = 0;
  model::StreamId stream = 0;
  model::LaneIndex lane = 0;
  model::Sequence sequence = 0;
  auto operator<=>(const Marker&) const = default;
};

struct Echo {
  uint64_t number = 0;  // rises with every write
  model::DatasetId dataset = 0;
  Row row;  // its image is empty where the record is gone
};

// Where a poll stands, by the column that rises.
struct Reached {
  int64_t now_us = 0;          // the server's clock
  int64_t oldest_open_us = 0;  // begin of the oldest transaction that was open; now_us: none
  std::string highest;         // value of the column, as SQL has it; empty: the table is empty
  bool is_clock = false;       // its values are times
  int64_t steady_us = 0;       // ours, when it was asked
};

class Tables {
 public:
  virtual ~Tables() = default;

  virtual Result<void> connect() = 0;  // anew
  virtual Result<void> install() = 0;  // what of ours is missing
  virtual bool is_connected() const = 0;
  // The dataset's table as it is now; kOther: not as it was.
  enum class Look : uint8_t { kSame, kOther };
  virtual Result<Look> look(const ports::DatasetMapping& mapping) = 0;

  // Another one after everything that was committed by others; nothing: that cannot be told. Of one
  // connection.
  virtual Result<std::optional<int64_t>> stamp() { return std::optional<int64_t>(); }
  // Between two scans, at least, unless the config says how often.
  virtual int64_t rest_us() const { return 10'000'000; }

  virtual Result<Reached> reach(model::DatasetId) { return not_polled(); }
  // The highest value of a clock that no row written from this time on is below; empty: none.
  virtual Result<std::string> highest_at(model::DatasetId, int64_t /*time_us*/) {
    return not_polled();
  }

  // REQUIRES of what follows up to end(): begin, which fixes what they all see.
  virtual Result<void> begin() = 0;
  virtual void end() = 0;
  virtual Result<std::vector<Marker>> markers() = 0;
  virtual Result<std::vector<Echo>> echoes(uint64_t behind) = 0;
  virtual Result<Rows> chunk(model::DatasetId dataset, const std::string& cursor,
                             size_t row_limit) = 0;
  virtual Result<std::vector<Row>> records(model::DatasetId dataset,
                                           std::span<const std::string> keys) = 0;
  // Rows whose column is at or above `from` (empty: all), in the order of column and key.
  virtual Result<Rows> changed(model::DatasetId, const std::string&, const std::string&, size_t) {
    return not_polled();
  }

  // Needs no snapshot. The views live until the next call.
  virtual Result<std::span<const model::CellView>> cells(model::DatasetId dataset,
                                                         std::string_view image) = 0;
  virtual Result<uint64_t> estimate_rows(model::DatasetId dataset) = 0;
  virtual ports::RejectedRow rejected(model::DatasetId dataset, const std::string& key,
                                      Error error) = 0;
  virtual Result<void> forget_echoes() = 0;  // of an earlier life of ours

 private:
  static Error not_polled() {
    return {ErrorCode::kConfigValue, "this kind of system is not polled", "",
            "choose another `capture`"};
  }
};

// The image of a row of texts, and back.
class ImageWriter {
 public:
  void add(std::string_view text) {
    out_.u8(1);
    out_.text(text);
  }
  void add_null() { out_.u8(0); }
  std::string finish() { return std::move(bytes_); }

 private:
  std::string bytes_;
  ByteWriter out_{bytes_};
};
class ImageReader {
 public:
  explicit ImageReader(std::string_view image) : in_(image) {}
  std::optional<std::string_view> next() {
    if (in_.u8() == 0) return std::nullopt;
    return in_.text();
  }
  bool ok() const { return in_.ok(); }
  bool at_end() const { return in_.at_end(); }

 private:
  ByteReader in_;
};

}  // namespace syncline::scan
