#include "host/core/record.hpp"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include <boost/container/small_vector.hpp>

#include "host/base/bytes.hpp"
#include "host/model/frame.hpp"
#include "kernels/contract/batch.h"

namespace syncline::core {
namespace {

using model::Version;

// The encoded form is docs/formats/record.md.
constexpr size_t kNibbleVersionsMax = 15;
constexpr uint8_t kSkippedFlag = 0x80;
constexpr size_t kSearchedMax = 16;  // so many versions are searched one by one

// Gathers the distinct versions, then writes the record with their indexes, which it meets in the
// same order.
class RecordWriter {
 public:
  RecordWriter(const RecordState& record, std::string& bytes) : record_(record), out_(bytes) {}

  void write() {
    gather();
    const bool has_tail = !record_.keys.empty() || !record_.apart.empty();
    const bool has_more = !record_.views.empty() || !record_.met.empty() || has_tail;
    out_.varint(record_.generation << 1 | (has_more ? 1 : 0));
    out_.varint(versions_.size());
    for (const Version* version : versions_) model::encode(*version, out_);
    write_indexes(record_.cells.size());
    if (!has_more) return;
    out_.varint(record_.views.size() << 1 | (has_tail ? 1 : 0));
    for (const SystemView& view : record_.views) write_view(view);
    out_.varint(record_.met.size());
    for (const Met& met : record_.met) {
      out_.varint(met.field);
      out_.varint(next_index());
    }
    if (!has_tail) return;
    out_.varint(record_.keys.size());
    for (const OwnKey& own : record_.keys) {
      out_.u32(own.system);
      out_.text(own.key);
    }
    if (record_.apart.empty()) return;
    out_.varint(record_.apart.size());
    for (const model::SystemId system : record_.apart) out_.u32(system);
  }

 private:
  void gather() {
    for (const Version& version : record_.cells) note(version);
    for (const SystemView& view : record_.views) {
      for (const Version& version : view.cells) note(version);
      for (const InFlight& write : view.flight) {
        for (const SentCell& cell : write.cells) note(cell.version);
      }
    }
    for (const Met& met : record_.met) note(met.version);
  }

  void note(const Version& version) {
    if (version.is_none()) return indexes_.push_back(0);
    indexes_.push_back(versions_.size() < kSearchedMax ? search(version) : look_up(version));
  }

  // From the newest: a write's cells have one version and stand together.
  uint32_t search(const Version& version) {
    for (size_t i = versions_.size(); i > 0; --i) {
      if (*versions_[i - 1] == version) return static_cast<uint32_t>(i);
    }
    return add(version);
  }

  // A record that many writes are in flight for has many versions.
  uint32_t look_up(const Version& version) {
    if (places_.empty()) {
      for (size_t i = 0; i < versions_.size(); ++i) places_.emplace(versions_[i], i + 1);
    }
    const auto [place, is_new] = places_.emplace(&version, versions_.size() + 1);
    return is_new ? add(version) : place->second;
  }

  uint32_t add(const Version& version) {
    versions_.push_back(&version);
    return static_cast<uint32_t>(versions_.size());
  }

  uint32_t next_index() { return indexes_[next_++]; }

  void write_indexes(size_t count) {
    out_.varint(count);
    if (versions_.size() > kNibbleVersionsMax) {
      for (size_t i = 0; i < count; ++i) out_.varint(next_index());
      return;
    }
    for (size_t i = 0; i < count; i += 2) {
      const uint32_t low = next_index();
      const uint32_t high = i + 1 < count ? next_index() : 0;
      out_.u8(static_cast<uint8_t>(low | high << 4));
    }
  }

  void write_view(const SystemView& view) {
    out_.u32(view.system);
    out_.varint(uint64_t{view.epoch} << 1 | (view.is_read ? 1 : 0));
    out_.varint(view.generation);
    write_indexes(view.cells.size());
    out_.varint(view.flight.size());
    for (const InFlight& write : view.flight) {
      out_.varint(write.sequence);
      out_.u8(static_cast<uint8_t>(static_cast<uint8_t>(write.kind) |
                                   (write.is_skipped ? kSkippedFlag : 0)));
      out_.varint(write.generation);
      out_.varint(write.cells.size());
      for (const SentCell& cell : write.cells) {
        out_.varint(cell.field);
        out_.varint(next_index());
        out_.u64(cell.fingerprint);
      }
    }
  }

  const RecordState& record_;
  ByteWriter out_;
  struct Hasher {
    size_t operator()(const Version* version) const {
      return (static_cast<uint64_t>(version->time_us) ^ version->origin) * 0x9e3779b97f4a7c15u;
    }
  };
  struct Same {
    bool operator()(const Version* a, const Version* b) const { return *a == *b; }
  };

  boost::container::small_vector<const Version*, kSearchedMax> versions_;
  std::unordered_map<const Version*, uint32_t, Hasher, Same> places_;  // once there are many
  boost::container::small_vector<uint32_t, 64> indexes_;
  size_t next_ = 0;
};

// After the first impossible byte the reader is not ok, gives zeros, and every loop ends.
class RecordReader {
 public:
  explicit RecordReader(std::string_view bytes) : in_(bytes) {}

  bool read(RecordState& record) {
    const uint64_t head = in_.varint();
    record.generation = head >> 1;
    versions_.resize(read_count());
    for (Version& version : versions_) version = model::decode_version(in_);
    read_indexes(record.cells);
    if ((head & 1) != 0) {
      const uint64_t views = in_.varint();
      record.views.resize(counted(views >> 1));
      for (SystemView& view : record.views) read_view(view);
      record.met.resize(read_count());
      for (Met& met : record.met) {
        met.field = read_field();
        met.version = version_at(in_.varint());
      }
      if ((views & 1) != 0) read_tail(record);
    }
    return in_.ok() && in_.at_end() && is_sorted(record);
  }

  // Whether all writes that are in flight to some system were confirmed. Keeps nothing.
  bool has_confirmed(const ConfirmedUpTo& confirmed) {
    if ((in_.varint() & 1) == 0) return false;
    const uint64_t versions = in_.varint();
    for (uint64_t i = 0; i < versions && in_.ok(); ++i) model::decode_version(in_);
    pass_indexes(versions);
    for (uint64_t views = in_.varint() >> 1; views > 0 && in_.ok(); --views) {
      const model::SystemId system = in_.u32();
      const uint64_t epoch = in_.varint() >> 1;
      in_.varint();  // generation
      pass_indexes(versions);
      const auto last = pass_flight();
      if (last && *last <= confirmed(system, static_cast<uint32_t>(epoch))) return in_.ok();
    }
    return false;
  }

 private:
  void pass_indexes(uint64_t versions) {
    const uint64_t count = in_.varint();
    if (versions <= kNibbleVersionsMax) {
      in_.raw(count / 2 + count % 2);
      return;
    }
    for (uint64_t i = 0; i < count && in_.ok(); ++i) in_.varint();
  }

  // The highest of a view's sequences, none where nothing is in flight; of a skipped write, which
  // no marker confirms, more than any.
  std::optional<model::Sequence> pass_flight() {
    std::optional<model::Sequence> last;
    for (uint64_t writes = in_.varint(); writes > 0 && in_.ok(); --writes) {
      const model::Sequence sequence = in_.varint();
      const bool is_skipped = (in_.u8() & kSkippedFlag) != 0;
      last = std::max(last.value_or(0), is_skipped ? ~model::Sequence{0} : sequence);
      in_.varint();  // generation
      for (uint64_t cells = in_.varint(); cells > 0 && in_.ok(); --cells) {
        in_.varint();  // field
        in_.varint();  // version
        in_.u64();     // fingerprint
      }
    }
    return last;
  }

  // Of things that take a byte each at the least.
  size_t read_count() { return counted(in_.varint()); }

  size_t counted(uint64_t count) {
    if (count > in_.remaining()) in_.fail();
    return in_.ok() ? count : 0;
  }

  model::FieldIndex read_field() {
    const uint64_t field = in_.varint();
    if (field > UINT16_MAX) in_.fail();
    return in_.ok() ? static_cast<model::FieldIndex>(field) : model::FieldIndex{0};
  }

  Version version_at(uint64_t index) {
    if (index > versions_.size()) in_.fail();
    return in_.ok() && index > 0 ? versions_[index - 1] : Version{};
  }

  void read_indexes(std::vector<Version>& cells) {
    const uint64_t count = in_.varint();
    if (count > SYN_FIELD_COUNT_MAX) in_.fail();
    if (!in_.ok()) return;
    cells.reserve(count);
    if (versions_.size() > kNibbleVersionsMax) {
      for (size_t i = 0; i < count; ++i) cells.push_back(version_at(in_.varint()));
      return;
    }
    for (size_t i = 0; i < count; i += 2) {
      const uint8_t pair = in_.u8();
      cells.push_back(version_at(pair & 0xf));
      if (i + 1 < count) cells.push_back(version_at(pair >> 4));
    }
  }

  void read_view(SystemView& view) {
    view.system = in_.u32();
    const uint64_t epoch = in_.varint();
    view.epoch = static_cast<uint32_t>(epoch >> 1);
    view.is_read = (epoch & 1) != 0;
    view.generation = in_.varint();
    read_indexes(view.cells);
    view.flight.resize(read_count());
    for (InFlight& write : view.flight) read_in_flight(write);
  }

  void read_tail(RecordState& record) {
    record.keys.resize(read_count());
    for (OwnKey& own : record.keys) {
      own.system = in_.u32();
      own.key = in_.text();
    }
    if (!record.keys.empty() && in_.at_end()) return;
    record.apart.resize(read_count());
    if (record.apart.empty()) in_.fail();
    for (model::SystemId& system : record.apart) system = in_.u32();
  }

  void read_in_flight(InFlight& write) {
    write.sequence = in_.varint();
    const uint8_t kind = in_.u8();
    write.is_skipped = (kind & kSkippedFlag) != 0;
    write.kind = static_cast<model::EntryKind>(kind & ~kSkippedFlag);
    const bool is_write = write.kind >= model::EntryKind::kSet &&
                          write.kind <= model::EntryKind::kInsert &&
                          write.kind != model::EntryKind::kNote;
    if (!is_write) in_.fail();
    write.generation = in_.varint();
    write.cells.resize(read_count());
    for (SentCell& cell : write.cells) {
      cell.field = read_field();
      cell.version = version_at(in_.varint());
      cell.fingerprint = in_.u64();
    }
  }

  static bool is_sorted(const RecordState& record) {
    const auto falls = [](const auto& items, const auto& key) {
      return std::adjacent_find(items.begin(), items.end(), [&](const auto& a, const auto& b) {
               return key(a) >= key(b);
             }) != items.end();
    };
    if (falls(record.views, [](const SystemView& view) { return view.system; })) return false;
    if (falls(record.keys, [](const OwnKey& own) { return own.system; })) return false;
    if (falls(record.apart, [](model::SystemId system) { return system; })) return false;
    return std::none_of(record.views.begin(), record.views.end(), [&](const SystemView& view) {
      return falls(view.flight, [](const InFlight& write) { return write.sequence; });
    });
  }

  ByteReader in_;
  boost::container::small_vector<Version, 8> versions_;
};

}  // namespace

bool SystemView::needs_full_write() const {
  bool needs = false;
  for (const InFlight& write : flight) {
    if (write.is_skipped) {
      needs = true;
    } else if (write.kind != model::EntryKind::kSet) {
      needs = false;
    }
  }
  return needs;
}

bool SystemView::is_in_flight_behind(model::Sequence confirmed) const {
  return std::any_of(flight.begin(), flight.end(), [confirmed](const InFlight& write) {
    return write.is_skipped || write.sequence > confirmed;
  });
}

SystemView* RecordState::view(model::SystemId system) {
  const auto at = std::find_if(views.begin(), views.end(),
                               [&](const SystemView& known) { return known.system == system; });
  return at == views.end() ? nullptr : &*at;
}

const SystemView* RecordState::view(model::SystemId system) const {
  return const_cast<RecordState*>(this)->view(system);
}

SystemView& RecordState::make_view(model::SystemId system, uint32_t epoch) {
  const auto at = std::lower_bound(
      views.begin(), views.end(), system,
      [](const SystemView& known, model::SystemId wanted) { return known.system < wanted; });
  if (at != views.end() && at->system == system) return *at;
  const auto made = views.emplace(at);
  made->system = system;
  made->epoch = epoch;
  return *made;
}

std::string_view RecordState::key_at(model::SystemId system, std::string_view folded) const {
  const auto at = std::find_if(keys.begin(), keys.end(),
                               [&](const OwnKey& own) { return own.system == system; });
  return at == keys.end() ? folded : std::string_view(at->key);
}

bool RecordState::set_key(model::SystemId system, std::string_view key, std::string_view folded) {
  if (key_at(system, folded) == key) return false;
  std::erase_if(keys, [&](const OwnKey& own) { return own.system == system; });
  if (key == folded) return true;
  const auto at = std::lower_bound(
      keys.begin(), keys.end(), system,
      [](const OwnKey& own, model::SystemId wanted) { return own.system < wanted; });
  keys.insert(at, {system, std::string(key)});
  return true;
}

bool RecordState::is_apart(model::SystemId system) const {
  return std::binary_search(apart.begin(), apart.end(), system);
}

void RecordState::set_apart(model::SystemId system) {
  if (is_apart(system)) return;
  apart.insert(std::upper_bound(apart.begin(), apart.end(), system), system);
}

void RecordState::end_apart(model::SystemId system) {
  std::erase(apart, system);
}

std::string encode(const RecordState& record) {
  std::string bytes;
  bytes.reserve(96 + 64 * record.views.size());
  RecordWriter(record, bytes).write();
  return bytes;
}

Result<RecordState> decode_record(std::string_view bytes) {
  RecordState record;
  if (!RecordReader(bytes).read(record)) {
    return fail(ErrorCode::kDamaged, "a record's state cannot be read",
                "its bytes are not what a lane wrote", "restore the data folder, or plan anew");
  }
  return record;
}

std::string shortened(std::string_view state, const ConfirmedUpTo& confirmed) {
  if (!RecordReader(state).has_confirmed(confirmed)) return {};
  auto record = decode_record(state);
  if (!record) return {};
  bool is_shorter = false;
  std::erase_if(record.value().views, [&](SystemView& view) {
    if (!view.is_in_flight()) return false;
    if (view.is_in_flight_behind(confirmed(view.system, view.epoch))) return false;
    is_shorter = true;
    view = SystemView{view.system, view.epoch, 0, {}, {}, view.is_read};
    return !view.is_read;
  });
  return is_shorter ? encode(record.value()) : std::string();
}

}  // namespace syncline::core
