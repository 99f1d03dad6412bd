// A foreign key that does nothing for our writes, as a finding.
//
// Threads: a pure function.
#pragma once

#include <string>

#include "host/ports/catalog.hpp"

namespace syncline::ports {

struct SilentKey {
  std::string name;       // empty: it has none
  std::string child;      // the table that it is of, which no dataset of ours writes
  std::string parent;     // the table that it refers to
  std::string columns;    // of the parent
  std::string on_delete;  // empty: not known
  std::string on_update;
};

inline Finding silent_key(const SilentKey& key, const std::string& dataset) {
  Finding finding{Severity::kWarning, dataset, "", "sync " + key.child + " too"};
  finding.what = "foreign key " + key.name + (key.name.empty() ? "" : " ") + "of " + key.child +
                 ", which we do not write, is silent for our writes: where we delete a record of " +
                 key.parent + ", or change its (" + key.columns + "), what refers to it stays";
  if (!key.on_delete.empty()) {
    finding.what +=
        ", though users' writes meet ON DELETE " + key.on_delete + " ON UPDATE " + key.on_update;
  }
  return finding;
}

}  // namespace syncline::ports
