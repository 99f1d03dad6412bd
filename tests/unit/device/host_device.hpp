// A device that the host plays: memory is vectors, kernels are loops over the bodies, and commands
// take effect when they are waited for. It can hang, fail, and run out of memory as a test says.
// Memory that is given back while any command is pending ends the test: a device's driver would
// wait for it there, without any deadline.
//
// Threads: one device from several, a slot from one. Errors: what the test asked for.
#pragma once

#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "host/base/assert.hpp"
#include "kernels/bodies/xxh3.h"
#include "kernels/device/device.hpp"

namespace syncline::device {

struct Behaviour {
  std::atomic<bool> is_hanging = false;
  std::atomic<bool> is_start_failing = false;
  std::atomic<bool> is_run_failing = false;
  std::atomic<bool> is_context_lost = false;  // all fails, until the device is started anew
  std::atomic<int> slots_alive = 0;
  std::atomic<int> starts = 0;
  std::atomic<bool> is_coding_wrongly = false;
  std::atomic<bool> is_size_wrong = false;     // of frames
  std::atomic<int> waits_until_loss = -1;      // at 0 what was started is lost, once; below: never
  std::atomic<size_t> memory_left = SIZE_MAX;  // for tables, in bytes
  std::atomic<size_t> memory_size = SIZE_MAX;  // no lane is larger
  std::atomic<int> lanes_laid_out = 0;         // or asked for
  std::atomic<int> moves = 0;                  // of a lane's slots on the device
  std::atomic<uint64_t> slots_filled = 0;
  std::atomic<int> pieces_filled = 0;  // of lanes that came from the host
  std::atomic<int> copies_in = 0;      // from the host's area
  std::atomic<int> records_applied = 0;
  std::atomic<int> commands_pending = 0;  // on all slots

  // Memory of the device that is given back when it goes.
  template <class T>
  std::shared_ptr<T> hold(T memory) {
    return {new T(std::move(memory)), [this](T* held) {
              SYN_ASSERT(commands_pending == 0);
              delete held;
            }};
  }
};

class HostTableMemory;

class HostSlot final : public Slot {
 public:
  explicit HostSlot(Behaviour& behaviour) : behaviour_(behaviour) { ++behaviour_.slots_alive; }
  ~HostSlot() override {
    lose_all();
    --behaviour_.slots_alive;
  }

  Result<void> start() override { return success(); }
  Result<void> reserve(Area area, size_t size) override {
    std::vector<uint8_t>& memory = of(area);
    if (memory.size() >= size) return success();
    bury(behaviour_.hold(std::exchange(memory, std::vector<uint8_t>(size + size / 2, 0xcd))));
    return success();
  }
  uint8_t* host() override { return of(Area::kHost).data(); }
  // What was pinned when a copy was started is what arrives, whatever the host does meanwhile.
  Result<void> copy_in(size_t at, size_t size) override {
    ++behaviour_.copies_in;
    std::vector<uint8_t> bytes(host() + at, host() + at + size);
    return later([this, at, bytes = std::move(bytes)] {
      std::memcpy(of(Area::kInput).data() + at, bytes.data(), bytes.size());
    });
  }
  Result<void> copy_out(Area from, size_t size) override {
    return later([this, from, size] { std::memcpy(host(), of(from).data(), size); });
  }
  Result<void> copy_fingerprints(size_t at, size_t size) override {
    return later([this, at, size] {
      std::memcpy(of(Area::kFingerprints).data(), of(Area::kInput).data() + at, size);
    });
  }
  Result<void> run_fingerprint(const FingerprintShape& shape,
                               const engine::Secret& secret) override;
  Result<void> run_detect(const DetectShape& shape, TableMemory& table) override;
  Result<void> run_compress(uint32_t piece_count) override;
  Result<void> run_decompress(uint32_t frame_count) override;
  Result<void> run_gather(uint32_t move_count, size_t moves) override;
  Result<void> run_gcm(const GcmShape& shape) override;
  Result<void> set_key(const syn_gcm_key& key) override {
    return later([this, &key] { key_ = std::make_unique<syn_gcm_key>(key); });
  }
  Result<void> mark() override { return success(); }
  Result<bool> is_done() override {
    if (behaviour_.is_run_failing || behaviour_.is_context_lost) {
      lose_all();
      return fail(ErrorCode::kEngine, "the device broke");
    }
    if (behaviour_.is_hanging) return commands_.empty();
    if (behaviour_.waits_until_loss >= 0 && behaviour_.waits_until_loss-- == 0) {
      lose_all();
      return fail(ErrorCode::kEngine, "the device lost what it was given");
    }
    for (const auto& command : commands_) command();
    lose_all();
    return true;
  }

  Result<void> later(std::function<void()> command) {
    ++behaviour_.commands_pending;
    commands_.push_back(std::move(command));
    return success();
  }
  template <class T>
  T* at(Area area, size_t offset) {
    return reinterpret_cast<T*>(of(area).data() + offset);
  }

 private:
  void lose_all() {
    behaviour_.commands_pending -= static_cast<int>(commands_.size());
    commands_.clear();
  }
  std::vector<uint8_t>& of(Area area) { return areas_[static_cast<size_t>(area)]; }

  Behaviour& behaviour_;
  std::vector<uint8_t> areas_[kAreaCount];
  std::unique_ptr<syn_gcm_key> key_;
  std::vector<std::function<void()>> commands_;
};

inline HostSlot& as_host(Slot& slot) {
  return static_cast<HostSlot&>(slot);
}

class HostTableMemory final : public TableMemory {
 public:
  HostTableMemory(Behaviour& behaviour, size_t lane_count, uint32_t value_count)
      : behaviour_(behaviour), value_count_(value_count), lanes_(lane_count), fresh_(lane_count) {}

  Result<void> prepare(uint64_t /*line_count*/, Slot& /*slot*/) override {
    shortage_ = Shortage::kNone;
    return success();
  }
  Result<void> lay_out(size_t lane, uint64_t line_count, Slot& /*slot*/) override {
    const size_t size = line_count * SYN_SLOTS_PER_LINE * (8 + value_count_ * SYN_CELL_SIZE);
    ++behaviour_.lanes_laid_out;
    shortage_ = size > behaviour_.memory_size   ? Shortage::kTooLarge
                : size > behaviour_.memory_left ? Shortage::kFull
                                                : Shortage::kNone;
    if (shortage_ != Shortage::kNone) return fail(ErrorCode::kEngine, "the device is full");
    fresh_[lane] = Lane(line_count, value_count_, take(size));
    return success();
  }
  Result<void> move(size_t lane, uint64_t first_slot, uint64_t slot_count, Slot& slot) override {
    ++behaviour_.moves;
    return as_host(slot).later([this, lane, first_slot, slot_count] {
      const Lane& from = lanes_[lane];
      for (uint64_t i = first_slot; i < first_slot + slot_count; ++i) {
        put(fresh_[lane], from.keys[i], from.cells.data() + i * record_size());
      }
    });
  }
  Result<void> swap(size_t lane, Slot& slot) override {
    SYN_TRY(slot.wait());
    slot.bury(std::exchange(lanes_[lane], std::exchange(fresh_[lane], {})).room);
    return success();
  }
  void drop(size_t lane, Slot& slot) override {
    slot.bury(std::exchange(lanes_[lane], {}).room);
    slot.bury(std::exchange(fresh_[lane], {}).room);
  }
  Result<void> fill(size_t lane, const FillShape& shape, Slot& slot) override {
    ++behaviour_.pieces_filled;
    behaviour_.slots_filled += shape.slot_count;
    return as_host(slot).later([this, lane, shape, &slot] {
      const auto* keys = as_host(slot).at<uint64_t>(Area::kInput, shape.keys_at);
      const auto* cells = as_host(slot).at<uint8_t>(Area::kInput, shape.cells_at);
      for (uint64_t i = 0; i < shape.slot_count; ++i) {
        put(lanes_[lane], keys[i], cells + i * record_size());
      }
    });
  }
  Result<uint64_t> used_count(size_t lane, Slot& slot) override {
    SYN_TRY(slot.wait());
    return lanes_[lane].used;
  }
  Result<void> apply(const DeltaLayout& deltas, Slot& slot) override {
    return as_host(slot).later([this, deltas, &slot] {
      for (size_t lane = 0; lane < lanes_.size(); ++lane) apply_lane(lane, deltas, as_host(slot));
    });
  }
  Shortage shortage() const override { return shortage_; }

  syn_table_lane lane(size_t index) { return view(lanes_[index]); }

 private:
  struct Lane {
    Lane() = default;
    Lane(uint64_t lines, uint32_t value_count, std::shared_ptr<void> taken)
        : line_count(lines),
          keys(lines * SYN_SLOTS_PER_LINE),
          cells(keys.size() * value_count * SYN_CELL_SIZE, 0xcd),
          room(std::move(taken)) {}
    uint64_t line_count = 0;
    std::vector<uint64_t> keys;
    std::vector<uint8_t> cells;
    uint64_t used = 0;
    std::shared_ptr<void> room;
  };

  static syn_table_lane view(Lane& lane) {
    return {lane.keys.data(), lane.cells.data(), lane.line_count};
  }
  // Of the device's memory, until it goes.
  std::shared_ptr<void> take(size_t size) {
    behaviour_.memory_left -= size;
    return {&behaviour_, [size](void* behaviour) {
              auto& from = *static_cast<Behaviour*>(behaviour);
              SYN_ASSERT(from.commands_pending == 0);
              from.memory_left += size;
            }};
  }
  size_t record_size() const { return size_t{value_count_} * SYN_CELL_SIZE; }
  uint64_t take_slot(Lane& lane, uint64_t key_bits) {
    SYN_ASSERT(lane.used + 1 < lane.keys.size());
    uint64_t slot = syn_home_line(key_bits, lane.line_count) * SYN_SLOTS_PER_LINE;
    while (lane.keys[slot] != SYN_KEY_EMPTY) slot = (slot + 1) % lane.keys.size();
    lane.keys[slot] = key_bits;
    ++lane.used;
    return slot;
  }
  void put(Lane& lane, uint64_t key_bits, const uint8_t* cells) {
    if (key_bits == SYN_KEY_EMPTY || key_bits == SYN_KEY_REMOVED) return;
    SYN_ASSERT(syn_find_slot(view(lane), key_bits) == SYN_SLOT_ABSENT);
    const uint64_t slot = take_slot(lane, key_bits);
    if (record_size() == 0) return;
    std::memcpy(lane.cells.data() + slot * record_size(), cells, record_size());
  }
  void apply_lane(size_t index, const DeltaLayout& deltas, HostSlot& slot) {
    const syn_lane_delta delta = slot.at<syn_lane_delta>(Area::kInput, 0)[index];
    const auto* offsets = slot.at<uint32_t>(Area::kInput, deltas.offsets) + delta.offsets_at;
    for (uint32_t i = 0; i < delta.count; ++i) {
      const auto* record = slot.at<uint8_t>(Area::kInput, deltas.bytes) + delta.bytes_at;
      apply_record(index, record + offsets[i]);
    }
  }
  void apply_record(size_t index, const uint8_t* record) {
    ++behaviour_.records_applied;
    const uint64_t key_bits = syn_read_number(record + 1, sizeof key_bits);
    uint64_t slot = syn_find_slot(lane(index), key_bits);
    if (record[0] == SYN_DELTA_REMOVE) {
      if (slot != SYN_SLOT_ABSENT) lanes_[index].keys[slot] = SYN_KEY_REMOVED;
      return;
    }
    const bool is_fresh = slot == SYN_SLOT_ABSENT;
    if (is_fresh) slot = take_slot(lanes_[index], key_bits);
    syn_apply_cells(record[0], record + SYN_DELTA_HEAD_SIZE, is_fresh,
                    lanes_[index].cells.data() + slot * record_size(), value_count_);
  }

  Behaviour& behaviour_;
  uint32_t value_count_;
  std::vector<Lane> lanes_;
  std::vector<Lane> fresh_;
  Shortage shortage_ = Shortage::kNone;
};

inline Result<void> HostSlot::run_fingerprint(const FingerprintShape& shape,
                                              const engine::Secret& secret) {
  return later([this, shape, secret] {
    const auto* arena = at<uint8_t>(Area::kInput, shape.in.arena);
    auto* cells = at<uint64_t>(Area::kFingerprints, shape.out.cells);
    for (uint32_t row = 0; row < shape.row_count; ++row) {
      at<syn_hash128>(Area::kFingerprints, 0)[row] =
          syn_xxh3_128(arena + at<uint32_t>(Area::kInput, shape.in.key_offset)[row],
                       at<uint32_t>(Area::kInput, shape.in.key_length)[row], secret.data());
      for (uint32_t i = shape.key_count; i < shape.field_count; ++i) {
        const size_t cell = size_t{row} * shape.field_count + i;
        const uint32_t length = at<uint32_t>(Area::kInput, shape.in.cell_length)[cell];
        const uint32_t offset = at<uint32_t>(Area::kInput, shape.in.cell_offset)[cell];
        *cells++ =
            length == SYN_LENGTH_NULL ? SYN_FINGERPRINT_NULL
            : length == SYN_LENGTH_UNCHANGED
                ? SYN_FINGERPRINT_UNCHANGED
                : syn_fingerprint_of_value(syn_xxh3_64(arena + offset, length, secret.data()));
      }
    }
  });
}

inline Result<void> HostSlot::run_detect(const DetectShape& shape, TableMemory& table) {
  auto& memory = static_cast<HostTableMemory&>(table);
  return later([this, shape, &memory] {
    *at<uint32_t>(Area::kDetected, 0) = 0;
    const size_t words = (shape.value_count + 63) / 64;
    for (uint32_t row = 0; row < shape.row_count; ++row) {
      const uint64_t key_bits = syn_key_bits(at<syn_hash128>(Area::kFingerprints, 0)[row]);
      if (key_bits == SYN_KEY_REMOVED) *at<uint32_t>(Area::kDetected, 0) |= SYN_DETECT_RESERVED;
      at<uint8_t>(Area::kDetected, shape.layout.verdicts)[row] = syn_detect_row(
          memory.lane(at<uint16_t>(Area::kInput, shape.layout.lane)[row]),
          at<uint8_t>(Area::kInput, shape.layout.op)[row], key_bits,
          at<uint64_t>(Area::kFingerprints, shape.held.cells) + size_t{row} * shape.value_count,
          shape.value_count, at<uint64_t>(Area::kDetected, shape.layout.changed) + row * words);
    }
  });
}

// A group of three: no width of a real device.
inline constexpr syn_group kHostGroup{0, 3};

inline Result<void> HostSlot::run_compress(uint32_t piece_count) {
  return later([this, piece_count] {
    const auto encoder = std::make_unique<syn_zstd_encoder>();
    std::vector<uint8_t> scratch(SYN_CODER_SCRATCH_SIZE);
    for (uint32_t i = 0; i < piece_count; ++i) {
      at<uint32_t>(Area::kFrames, 0)[i] = syn_run_piece(
          kHostGroup, encoder.get(), at<syn_piece_place>(Area::kInput, 0)[i],
          at<uint8_t>(Area::kInput, 0), at<uint8_t>(Area::kFrames, 0), scratch.data());
      if (behaviour_.is_size_wrong) {
        at<uint32_t>(Area::kFrames, 0)[i] = UINT32_MAX;
        continue;
      }
      const uint32_t middle = at<uint32_t>(Area::kFrames, 0)[i] / 2;
      const uint32_t begin = at<syn_piece_place>(Area::kInput, 0)[i].to;
      if (behaviour_.is_coding_wrongly) *at<uint8_t>(Area::kFrames, begin + middle) ^= 1;
    }
  });
}

inline Result<void> HostSlot::run_decompress(uint32_t frame_count) {
  return later([this, frame_count] {
    const auto decoder = std::make_unique<syn_zstd_decoder>();
    std::vector<uint8_t> scratch(SYN_DECODER_SCRATCH_SIZE);
    for (uint32_t i = 0; i < frame_count; ++i) {
      at<uint32_t>(Area::kFrames, 0)[i] = syn_run_frame(
          kHostGroup, decoder.get(), at<syn_frame_place>(Area::kInput, 0)[i],
          at<uint8_t>(Area::kSealed, 0), at<uint8_t>(Area::kFrames, 0), scratch.data());
    }
  });
}

inline Result<void> HostSlot::run_gather(uint32_t move_count, size_t moves) {
  return later([this, move_count, moves] {
    for (uint32_t i = 0; i < move_count; ++i) {
      syn_run_move(at<syn_move>(Area::kInput, moves)[i], at<uint8_t>(Area::kFrames, 0),
                   at<uint8_t>(Area::kInput, 0), at<uint8_t>(Area::kSealed, 0), 0, 1);
    }
  });
}

inline Result<void> HostSlot::run_gcm(const GcmShape& shape) {
  return later([this, shape] {
    const Area from = shape.is_open ? Area::kInput : Area::kSealed;
    for (uint32_t i = 0; i < shape.count; ++i) {
      const syn_gcm_record record = at<syn_gcm_record>(Area::kInput, shape.records)[i];
      syn_gcm_memory memory;
      syn_gcm_run(kHostGroup, &memory,
                  {key_.get(), at<uint8_t>(Area::kInput, record.additional_at),
                   at<uint8_t>(from, record.input_at), at<uint8_t>(Area::kSealed, record.output_at),
                   at<uint32_t>(Area::kSealed, 0) + i * size_t{4}},
                  &record, shape.is_open ? SYN_GCM_OPEN : SYN_GCM_SEAL);
    }
  });
}

class HostDevice final : public Device {
 public:
  explicit HostDevice(Behaviour& behaviour) : behaviour_(behaviour) {}
  engine::Description describe() const override {
    engine::Description description;
    description.name = "host";
    return description;
  }
  uint8_t engine() const override { return SYN_ENGINE_XRT; }
  Result<void> start() override {
    if (behaviour_.is_start_failing) return fail(ErrorCode::kEngine, "it does not start");
    SYN_ASSERT(behaviour_.slots_alive == 0);  // or they would have been lost with the old context
    behaviour_.is_context_lost = false;
    ++behaviour_.starts;
    return success();
  }
  std::unique_ptr<Slot> make_slot() override { return std::make_unique<HostSlot>(behaviour_); }
  std::unique_ptr<TableMemory> make_table_memory(size_t lane_count, uint32_t value_count) override {
    return std::make_unique<HostTableMemory>(behaviour_, lane_count, value_count);
  }

 private:
  Behaviour& behaviour_;
};

}  // namespace syncline::device
