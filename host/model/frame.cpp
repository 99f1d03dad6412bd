#include "host/model/frame.hpp"

namespace syncline::model {

bool Frame::is_empty() const {
  return entries.empty() && conflicts.empty() && records.empty() && confirmations.empty() &&
         skips.empty() && locals.empty() && deltas.empty() && progress.empty();
}

}  // namespace syncline::model
