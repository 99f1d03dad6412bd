// Which records of one table hang on which parents, as of a place in the log: for what foreign keys
// do to them, of which the log tells nothing.
//
// Of each record it keeps the key and what its foreign keys are made of. Between commit() and
// roll_back() every change can be taken back: what a poll that failed had read is read again.
// A record that was loaded from the table, and that the log has not told of since, is `loaded`: it
// may be ahead of the log.
//
// Cost: constant per change of a record; memory 250 to 310 bytes a record with one foreign key, 60
// for each further one, and its key and kept cells where either is longer than 15 bytes. Owner: of
// its records. Threads: one at a time. Errors: none.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "host/model/ids.hpp"

namespace syncline::mariadb {

// What a foreign key's cells say.
struct ParentRef {
  enum class State : uint8_t { kNone, kKnown, kUnknown };  // kNone: one of them is NULL
  State state = State::kNone;
  // Other values than this may be equal to it, by a collation that is not known here.
  bool is_vague = false;
  model::KeyHash hash;  // kKnown: of the values as the server compares them
};

struct ChildRecord {
  std::string key;                 // joined
  std::string kept;                // the other cells that matter, packed by its owner
  std::vector<ParentRef> parents;  // by link
};

class Children {
 public:
  explicit Children(size_t link_count) : heads_(link_count), unclear_counts_(link_count) {}
  ~Children() = default;
  Children(const Children&) = delete;  // its records point at each other
  Children& operator=(const Children&) = delete;

  enum class Origin : uint8_t { kLog, kLoaded };
  void put(const model::KeyHash& id, ChildRecord record, Origin origin);
  void remove(const model::KeyHash& id);
  // Null: not there. Valid until the next change.
  const ChildRecord* find(const model::KeyHash& id) const;

  enum class Which : uint8_t { kAll, kTold };  // kTold: without those that are `loaded`
  std::vector<model::KeyHash> of(size_t link, const model::KeyHash& parent, Which which) const;
  // Records whose parent is not known, or vague.
  size_t unclear_count(size_t link) const { return unclear_counts_[link]; }
  size_t size() const { return records_.size(); }

  void commit() { undo_.clear(); }
  void roll_back();

 private:
  struct Node;
  struct Hook {
    Node* before = nullptr;
    Node* behind = nullptr;
  };
  struct Node {
    model::KeyHash id;
    ChildRecord record;
    Origin origin = Origin::kLog;
    std::vector<Hook> hooks;  // by link; of the records with one parent
  };
  struct Undo {
    model::KeyHash id;
    std::optional<ChildRecord> record;  // none: it was not there
    Origin origin = Origin::kLog;
  };
  using Heads = std::unordered_map<model::KeyHash, Node*, model::KeyHashHasher>;

  void set(const model::KeyHash& id, std::optional<ChildRecord> record, Origin origin);
  void hook(Node& node);
  void unhook(Node& node);

  std::unordered_map<model::KeyHash, Node, model::KeyHashHasher> records_;
  std::vector<Heads> heads_;  // by link
  std::vector<size_t> unclear_counts_;
  std::vector<Undo> undo_;
};

}  // namespace syncline::mariadb
