// Our checkpoint as a look shows it.
#include <algorithm>
#include <map>

#include "drivers/scan/source.hpp"

namespace syncline::scan {

// No log tells that a database went back. Its rows do not either: they would look like edits of
// now.
Result<void> Source::refuse_older(const std::vector<Marker>& markers) const {
  std::map<Lane, Marker> newest;
  for (const Marker& marker : markers) {
    Marker& known = newest[{marker.stream, marker.lane}];
    known = std::max(known, marker);
  }
  for (const auto& [lane, shown] : markers_) {
    const Marker now = newest[lane];  // a lane of which nothing is said has had nothing
    if (now >= shown) continue;
    return fail(ErrorCode::kSystemWentBack,
                "system '" + config_.name + "' no longer holds what was delivered to it",
                "its checkpoint was at " + std::to_string(shown.sequence) + " of epoch " +
                    std::to_string(shown.epoch) + " and is at " + std::to_string(now.sequence) +
                    " of epoch " + std::to_string(now.epoch) +
                    ": it was restored, or a failover lost commits",
                "nothing: it is compared, and given what is missing; where it stays stopped, run "
                "`syncline resync --system " +
                    config_.name + " --yes`");
  }
  return success();
}

Result<void> Source::read_markers(Look& look) {
  SYN_TRY(const auto markers, tables_->markers());
  SYN_TRY(refuse_older(markers));
  for (const Marker& marker : markers) {
    const auto shown = markers_.find({marker.stream, marker.lane});
    if (shown == markers_.end() || shown->second != marker) look.markers.push_back(marker);
  }
  return success();
}

}  // namespace syncline::scan
