// Items that the shadow's store does not hold yet, over those it does.
//
// Threads: any. Errors: the store's.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "host/state/shadow.hpp"
#include "host/state/shadow_store_internal.hpp"

namespace syncline::state {

class WaitingItems {
 public:
  void put(const std::string& name, std::string_view bytes);
  Result<std::string> get(const ShadowStore& store, const std::string& name) const;
  Result<void> scan(const ShadowStore& store, const std::string& prefix,
                    const Shadow::VisitItem& visit) const;

  size_t size_bytes() const;  // 0 only where none waits
  // Adds what waits to the batch; returns what forget() wants once the batch is written.
  uint64_t add_to(ShadowStore::Batch& batch) const;
  void forget(uint64_t last_order);

 private:
  struct Item {
    std::string bytes;  // empty: removed
    uint64_t order = 0;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Item> items_;
  size_t size_bytes_ = 0;
  uint64_t order_ = 0;
};

}  // namespace syncline::state
