#include "kernels/cpu/columns.hpp"

namespace syncline::cpu {

bool decode_column(const ColumnEntry& entry, std::string_view framed, std::string_view stored,
                   std::string& out) {
  switch (entry.encoding) {
    case SYN_ENCODING_STORED:
      out.assign(stored);
      return true;
    case SYN_ENCODING_FRAMED:
      out.assign(framed);
      return true;
    default:
      return false;
  }
}

}  // namespace syncline::cpu
