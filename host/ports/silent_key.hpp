// A foreign key that does nothing for our writes, as a finding: one of its tables is not ours.
//
// Threads: pure functions.
#pragma once

#include <string>

#include "host/ports/catalog.hpp"

namespace syncline::ports {

struct SilentKey {
  std::string name;       // empty: it has none
  std::string child;      // the table that it is of
  std::string parent;     // the table that it refers to
  std::string columns;    // of the one that we write
  std::string on_delete;  // empty: not known
  std::string on_update;
};

// No dataset of ours writes the child.
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

// No dataset of ours writes the parent.
inline Finding parentless_key(const SilentKey& key, const std::string& dataset) {
  return {Severity::kWarning, dataset,
          "foreign key " + key.name + (key.name.empty() ? "" : " ") + "of " + key.child + " to " +
              key.parent +
              ", which we do not write, is silent for our writes: a record comes also where none "
              "has the (" +
              key.columns + ") that it refers to",
          "sync " + key.parent + " too"};
}

}  // namespace syncline::ports
