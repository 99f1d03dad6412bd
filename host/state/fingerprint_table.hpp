// The fingerprint table of one system and dataset: key -> fingerprints of what that system last
// showed, partitioned by lane. The host's is the master; engines see a trivially copyable Ref.
//
// Detect changes nothing: it gives a delta, which apply() takes over together with the journal's
// append, before that lane's next detect. Saved per lane at a frame number (write, fsync, rename).
// 64 key bits a key stored, 48 bits a cell: at most 65 bytes a record at 8 fields, at any size.
// Threads: one at a time per lane; different lanes side by side, in apply too. ref(), begin_sweep
// and end_sweep: nobody else.
// Errors: kStorage*, kDamaged (a saved table, which is then rebuilt by a scan; a delta that is not
// one, of which nothing is applied).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/disk.hpp"
#include "host/base/result.hpp"
#include "host/model/ids.hpp"
#include "kernels/engine/table_ref.hpp"

namespace syncline::state {

class FingerprintTable {
 public:
  FingerprintTable(size_t value_count, size_t lane_count);
  ~FingerprintTable();
  FingerprintTable(FingerprintTable&&) noexcept;
  FingerprintTable& operator=(FingerprintTable&&) noexcept;

  // What detect reads. Valid until the next apply, load or clear.
  engine::TableRef ref() const;

  // Takes over one lane's delta, as detect gave it or as a frame kept it. It fits any table: a
  // change of a key that is not there stores its other cells as unknown, a removal of one does
  // nothing (replay onto a lane that was damaged and starts empty).
  Result<void> apply(model::LaneIndex lane, std::string_view delta);

  // Full scans. begin_sweep marks every key unseen; every key that a later delta touches or
  // confirms is seen (detect confirms while a sweep goes on); unseen() gives, for one lane, the
  // delta that removes the others and their key bits; end_sweep ends the confirming.
  struct Unseen {
    std::string delta;
    std::vector<uint64_t> key_bits;  // syn_key_bits of the keys' XXH3-128 with secret
  };
  void begin_sweep();
  Unseen unseen(model::LaneIndex lane) const;
  void end_sweep();
  bool is_sweeping() const;

  // Makes room for so many records in all, before a first sync: no growth on the way.
  void reserve(size_t record_count);
  // So many records there will be, as it is thought: room for them is made in fewer steps. Less
  // than before: what was made room for and is not to come is given back.
  void expect(size_t record_count);

  size_t record_count() const;
  size_t record_count(model::LaneIndex lane) const;
  size_t size_bytes() const;  // all of it: lines, cells, sweep bits
  bool contains(model::LaneIndex lane, const syn_hash128& key) const;
  bool contains(model::LaneIndex lane, uint64_t key_bits) const;
  void clear(model::LaneIndex lane);

  // One lane at a frame number, into a file of its own.
  Result<void> save(Disk& disk, const std::string& path, model::LaneIndex lane,
                    uint64_t frame_number) const;
  // Returns the frame number it was saved at; 0 when there is no file.
  Result<uint64_t> load(Disk& disk, const std::string& path, model::LaneIndex lane);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace syncline::state
