#include "kernels/cpu/columns.hpp"

namespace syncline::cpu {

void encode_column(const engine::ColumnView& column, ColumnEntry& entry, Parts& parts) {
  entry.id = column.id;
  entry.type = column.type;
  entry.size = static_cast<uint32_t>(column.bytes.size());
  if (column.bytes.empty()) return;
  entry.encoding = SYN_ENCODING_FRAMED;
  entry.framed_size = entry.size;
  parts.framed += column.bytes;
}

}  // namespace syncline::cpu
