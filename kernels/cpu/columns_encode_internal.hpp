// The encoder of one thread: chooses and writes encodings, with tables that it keeps.
#pragma once

#include <memory>

#include "kernels/cpu/columns.hpp"
#include "kernels/cpu/columns_stats.hpp"

struct ZSTD_CCtx_s;

namespace syncline::cpu {

class ColumnEncoder {
 public:
  ColumnEncoder();
  ~ColumnEncoder();
  ColumnEncoder(const ColumnEncoder&) = delete;
  ColumnEncoder& operator=(const ColumnEncoder&) = delete;

  // Writes the column as numbers where that is dense. False: nothing was written.
  bool encode_numbers(std::string_view bytes, ColumnEntry& entry, Parts& parts);
  // Writes texts by index where few of them are distinct. False: nothing was written.
  bool encode_texts(std::string_view lengths, std::string_view bytes, ColumnEntry& entry,
                    Parts& parts);

 private:
  struct Plan {
    uint8_t encoding = SYN_ENCODING_FRAMED;
    Split split;
    double estimate = 0;
  };

  Plan plan(std::string_view bytes, uint8_t type, const Ranges& ranges);
  Plan plan_small(std::string_view bytes, const Ranges& ranges);
  Plan plan_symbols(std::string_view bytes, const Ranges& ranges, unsigned width);
  Plan plan_wide(std::string_view bytes, uint8_t type, const Ranges& ranges, unsigned width);
  Plan plan_offsets();
  Plan smaller_of(Plan encoded, std::string_view bytes, const Ranges& ranges);
  void take_offsets(const Ranges& ranges);
  void take_deltas(const Ranges& ranges);
  void consider_deltas(const Ranges& ranges, Plan& best);
  bool has_small_deltas(const Ranges& ranges) const;
  void write(const Plan& plan, const Ranges& ranges, Parts& parts);
  void write_constant(std::string_view bytes, ColumnEntry& entry, Parts& parts);
  void write_offsets(Split split, const Ranges& ranges, Parts& parts);
  void write_deltas(Split split, const Ranges& ranges, Parts& parts);
  void write_dictionary(Split split, const Ranges& ranges, Parts& parts);
  void write_runs(const Ranges& ranges, Parts& parts);
  void write_freely(std::span<const uint64_t> values, Parts& parts);
  bool find_texts(std::span<const uint64_t> lengths, std::string_view bytes, size_t limit);
  size_t compressed_size(std::string_view bytes);

  struct FreeZstd {
    void operator()(ZSTD_CCtx_s* context) const;
  };

  Examiner examiner_;
  std::vector<uint64_t> values_;
  std::vector<uint64_t> offsets_;  // value - smallest, divided by the scale
  uint64_t offsets_scale_ = 1;
  std::vector<uint64_t> deltas_;  // value - previous - smallest difference, divided by the scale
  uint64_t deltas_scale_ = 1;
  std::vector<uint64_t> derived_;  // other numbers on their way into an encoding
  Symbols symbols_;
  std::vector<std::string_view> texts_;
  std::vector<uint32_t> slots_;
  std::unique_ptr<ZSTD_CCtx_s, FreeZstd> zstd_;
  std::string trial_;
};

}  // namespace syncline::cpu
