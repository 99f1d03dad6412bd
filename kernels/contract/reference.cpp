#include "kernels/contract/reference.hpp"

#include <cstring>

#include <xxhash.h>

namespace syncline::contract {
namespace {

std::string encode_head(uint8_t kind, uint64_t key_bits) {
  std::string record(1, static_cast<char>(kind));
  for (int shift = 0; shift < 64; shift += 8) {
    record.push_back(static_cast<char>(key_bits >> shift & 0xff));
  }
  return record;
}

std::string encode_cell(uint64_t cell) {
  std::string bytes;
  for (int shift = 0; shift < 48; shift += 8) {
    bytes.push_back(static_cast<char>(cell >> shift & 0xff));
  }
  return bytes;
}

uint64_t take_number(std::string_view& bytes, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) {
    value |= static_cast<uint64_t>(static_cast<uint8_t>(bytes[i])) << (8 * i);
  }
  bytes.remove_prefix(size);
  return value;
}

std::string encode_change(const std::vector<bool>& changed, const std::vector<uint64_t>& cells) {
  std::string bitmap((changed.size() + 7) / 8, '\0');
  std::string values;
  for (size_t i = 0; i < changed.size(); ++i) {
    if (!changed[i]) continue;
    bitmap[i / 8] = static_cast<char>(bitmap[i / 8] | 1 << (i % 8));
    values += encode_cell(cells[i]);
  }
  return bitmap + values;
}

}  // namespace

ReferenceFingerprints reference_fingerprint(const syn_batch& batch, const uint8_t* secret) {
  ReferenceFingerprints out;
  for (uint32_t row = 0; row < batch.row_count; ++row) {
    const XXH128_hash_t key = XXH3_128bits_withSecret(
        batch.arena + batch.key_offset[row], batch.key_length[row], secret, SYN_SECRET_SIZE);
    out.keys.push_back({key.low64, key.high64});
    for (uint32_t field = batch.key_count; field < batch.field_count; ++field) {
      const size_t index = size_t{row} * batch.field_count + field;
      const uint32_t length = batch.cell_length[index];
      if (length == SYN_LENGTH_NULL) {
        out.cells.push_back(SYN_FINGERPRINT_NULL);
      } else if (length == SYN_LENGTH_UNCHANGED) {
        out.cells.push_back(SYN_FINGERPRINT_UNCHANGED);
      } else {
        out.cells.push_back(syn_fingerprint_of_value(XXH3_64bits_withSecret(
            batch.arena + batch.cell_offset[index], length, secret, SYN_SECRET_SIZE)));
      }
    }
  }
  return out;
}

ReferenceDetected ReferenceTable::detect(const syn_batch& batch,
                                         const ReferenceFingerprints& fingerprints,
                                         bool is_sweeping) const {
  ReferenceDetected out;
  out.deltas.resize(lane_count_);
  Records now = records_;
  for (uint32_t row = 0; row < batch.row_count; ++row) {
    const uint64_t key_bits = syn_key_bits(fingerprints.keys[row]);
    const Key key{batch.lane[row], key_bits};
    std::string& delta = out.deltas[batch.lane[row]];
    std::vector<bool> changed(value_count_);
    const bool is_known = now.contains(key);
    uint8_t verdict = SYN_VERDICT_SAME;
    if (batch.op[row] == SYN_OP_DELETE) {
      if (is_known) {
        verdict = SYN_VERDICT_GONE;
        now.erase(key);
        delta += encode_head(SYN_DELTA_REMOVE, key_bits);
      }
    } else {
      std::vector<uint64_t>& cells = now[key];
      cells.resize(value_count_, SYN_CELL_UNKNOWN);
      bool is_changed = false;
      for (size_t i = 0; i < value_count_; ++i) {
        const uint64_t fingerprint = fingerprints.cells[row * value_count_ + i];
        if (fingerprint == SYN_FINGERPRINT_UNCHANGED) continue;
        const uint64_t cell = syn_cell_of_fingerprint(fingerprint);
        if (cells[i] == cell) continue;
        cells[i] = cell;
        changed[i] = true;
        is_changed = true;
      }
      if (!is_known) {
        verdict = SYN_VERDICT_NEW;
        delta += encode_head(SYN_DELTA_PUT, key_bits);
        for (const uint64_t cell : cells) delta += encode_cell(cell);
      } else if (is_changed) {
        verdict = SYN_VERDICT_CHANGED;
        delta += encode_head(SYN_DELTA_CHANGE, key_bits) + encode_change(changed, cells);
      } else if (is_sweeping) {
        delta += encode_head(SYN_DELTA_SEEN, key_bits);
      }
    }
    out.verdicts.push_back(verdict);
    out.changed.push_back(changed);
  }
  return out;
}

void ReferenceTable::apply(size_t lane, std::string_view delta) {
  while (!delta.empty()) {
    const auto kind = static_cast<uint8_t>(take_number(delta, 1));
    const Key key{lane, take_number(delta, 8)};
    if (kind == SYN_DELTA_REMOVE) {
      records_.erase(key);
    } else if (kind == SYN_DELTA_PUT) {
      std::vector<uint64_t> cells;
      for (size_t i = 0; i < value_count_; ++i) cells.push_back(take_number(delta, 6));
      records_[key] = cells;
    } else if (kind == SYN_DELTA_CHANGE) {
      const std::string_view bitmap = delta.substr(0, (value_count_ + 7) / 8);
      delta.remove_prefix(bitmap.size());
      std::vector<uint64_t>& cells = records_[key];
      cells.resize(value_count_, SYN_CELL_UNKNOWN);
      for (size_t i = 0; i < value_count_; ++i) {
        if ((bitmap[i / 8] >> (i % 8) & 1) != 0) cells[i] = take_number(delta, 6);
      }
    }
  }
}

}  // namespace syncline::contract
