#include "tests/simulation/checker.hpp"

#include <algorithm>

namespace syncline::simulation {

namespace {

class RecordCheck {
 public:
  RecordCheck(const AtRest& rest, const RecordKey& key, const RecordHistory& record)
      : rest_(rest), key_(key), record_(record), dataset_(rest.plan.datasets[key.dataset]) {}

  void run() {
    if (!find_accepted()) return;
    check_equal();
    for (size_t field = 0; field < kFieldsMax; ++field) check_cell(field);
    check_existence();
  }

 private:
  void violation(const std::string& promise, const std::string& what) {
    std::string rows;
    for (const auto& system : rest_.systems) {
      const StoredRow* row = system->row(key_);
      rows += "; " + system->plan().name + " holds " +
              (row == nullptr ? "nothing" : describe(rest_.plan, key_, *row));
    }
    rest_.report.violation(promise, describe(rest_.plan, key_) + ": " + what + rows);
  }

  // The row of a system that refuses nothing; every run has one.
  bool find_accepted() {
    for (const auto& system : rest_.systems) {
      if (system->plan().poison_modulus != 0 && !system->takes_everything) continue;
      if (rest_.is_apart(*system, key_)) continue;
      accepted_ = system->row(key_);
      for (size_t field = 0; accepted_ != nullptr && field < kFieldsMax; ++field) {
        lines_.merge(rest_.history.lines_of(key_, field, (*accepted_)[field].tag));
      }
      return true;
    }
    return false;
  }

  bool is_excused(const ModelSystem& system) const {
    if (accepted_ == nullptr) return false;
    for (size_t field = 0; field < kFieldsMax; ++field) {
      if (system.refuses((*accepted_)[field].cell, key_.dataset, field)) return true;
    }
    return false;
  }

  bool is_local(size_t field) const {
    return std::any_of(rest_.observers.begin(), rest_.observers.end(),
                       [&](const Observer* each) { return each->locals.contains({key_, field}); });
  }

  // Whether a conflict record somewhere names this value as its loser.
  bool is_recorded(size_t field, int64_t tag) const {
    return std::any_of(rest_.observers.begin(), rest_.observers.end(), [&](const Observer* each) {
      const auto losers = each->losers.find({key_, field});
      return losers != each->losers.end() && losers->second.contains(tag);
    });
  }

  void check_equal() {
    for (const auto& system : rest_.systems) {
      if (rest_.is_apart(*system, key_)) {
        check_apart(*system);
        continue;
      }
      if (is_excused(*system)) continue;
      const StoredRow* row = system->row(key_);
      if ((row == nullptr) != (accepted_ == nullptr)) {
        violation("the systems differ", "not everywhere");
        return;
      }
      for (size_t field = 0; row != nullptr && field < kFieldsMax; ++field) {
        const bool is_equal = is_local(field) ? (*row)[field].tag == (*accepted_)[field].tag
                                              : (*row)[field].cell == (*accepted_)[field].cell;
        if (!is_equal) violation("the systems differ", "field " + std::to_string(field));
      }
    }
  }

  // Its own users wrote all of it, and others, too, made such a record.
  void check_apart(const ModelSystem& system) {
    const StoredRow* row = system.row(key_);
    bool has_others = false;
    bool is_own = row != nullptr;
    for (size_t field = 0; field < kFieldsMax; ++field) {
      const auto& writes = record_.writes[field];
      has_others = has_others || std::any_of(writes.begin(), writes.end(), [&](const Write& write) {
                     return write.system != system.index();
                   });
      const auto write = is_own ? (*row)[field].write : std::nullopt;
      is_own = write && writes[*write].system == system.index();
    }
    if (!is_own && !rest_.lineage.is_overrun(system.index(), key_)) {
      violation("another record is written over", system.plan().name + " is apart");
    }
    if (!has_others) violation("apart from nobody", system.plan().name);
  }

  // Whether a row that is apart holds it.
  bool is_held_apart(size_t field, size_t write) const {
    return std::any_of(rest_.systems.begin(), rest_.systems.end(), [&](const auto& system) {
      const StoredRow* row = system->row(key_);
      return row != nullptr && (*row)[field].write == write && rest_.is_apart(*system, key_);
    });
  }

  // Whether what was on its way to another row may have met the one that it was written to.
  bool is_overrun(const Write& write) const {
    return rest_.lineage.lines()[write.line].is_overrun ||
           rest_.lineage.is_overrun(write.system, key_);
  }

  // Whether it may be of the row that stands, and not of another that had its number.
  template <class Deed>
  bool may_be_of_record(const Deed& deed) const {
    if (accepted_ == nullptr || dataset_.insert_exists == core::InsertExists::kMerge) return true;
    return deed.line == 0 || lines_.contains(0) || lines_.contains(deed.line);
  }

  // Whether it surely is. Whoever gives a number again at once may go on with the record.
  template <class Deed>
  bool is_of_record(const Deed& deed) const {
    return may_be_of_record(deed) && (dataset_.insert_exists == core::InsertExists::kMerge ||
                                      !rest_.lineage.is_reused(deed.system, key_));
  }

  // What newer writes replaced for sure. Those that no log ever showed (made and deleted between
  // two reads of a log of net effects) replaced nothing that anybody else could know of.
  WriteSet replaced_surely(size_t field) const {
    WriteSet set;
    for (const Write& write : record_.writes[field]) {
      if (write.shown_at && is_of_record(write)) set |= write.past_sure;
    }
    return set;
  }

  WriteSet replaced_maybe(size_t field) const {
    WriteSet set;
    for (const Write& write : record_.writes[field]) set |= write.past_maybe;
    return set;
  }

  void check_cell(size_t field) {
    const auto& writes = record_.writes[field];
    WriteSet standing;
    if (accepted_ != nullptr) {
      standing = record_.candidates(field, (*accepted_)[field].tag);
      check_standing(field, standing);
    }
    const WriteSet old = replaced_maybe(field);
    for (const Write& write : writes) {
      if (old[write.index] || standing[write.index]) continue;
      if (record_.deleted_maybe[field][write.index]) continue;
      if (is_recorded(field, write.tag) || is_held_apart(field, write.index)) continue;
      if (is_overrun(write)) continue;
      if (record_.candidates(field, write.tag).count() > 1) continue;  // equal values agree
      violation("silent loss", "field " + std::to_string(field) + " tag " +
                                   std::to_string(write.tag) + " of " +
                                   rest_.plan.systems[write.system].name);
    }
    if (accepted_ != nullptr) check_policy(field, standing);
  }

  void check_standing(size_t field, const WriteSet& standing) {
    const StoredCell& cell = (*accepted_)[field];
    const std::string name = "field " + std::to_string(field);
    if (standing.none()) {
      violation("a change that no user made", name);
      return;
    }
    if ((standing & ~replaced_surely(field)).none()) violation("an old value won", name);
    const std::set<Rounding> roundings = rest_.plan.roundings();
    const int form = form_of(dataset_.kind(field), cell.cell);
    const bool is_made = std::any_of(
        record_.writes[field].begin(), record_.writes[field].end(), [&](const Write& write) {
          return standing[write.index] && reachable_forms(write.form, roundings).contains(form);
        });
    if (!is_made) violation("a change that no user made", name + " in this form");
  }

  // Between writers that had seen the same, the policy's own winner stands. Only where no clock is
  // coarse or so far ahead that it is clamped: authority, whose order needs no clock.
  void check_policy(size_t field, const WriteSet& standing) {
    if (dataset_.policy != core::Policy::kAuthority || !record_.deletes.empty()) return;
    if (dataset_.insert_exists == core::InsertExists::kQuarantine) return;
    const auto& writes = record_.writes[field];
    const WriteSet old = replaced_maybe(field);
    const Write* best = nullptr;
    for (const Write& write : writes) {
      if (old[write.index]) continue;
      if (write.past_sure != write.past_maybe || write.past_sure.count() >= 8) return;
      if (best != nullptr && write.past_sure != best->past_sure) return;
      if (best != nullptr && rank(write) == rank(*best)) return;
      if (best == nullptr || rank(write) > rank(*best)) best = &write;
    }
    if (best != nullptr && !standing[best->index]) {
      violation("the policy's winner lost",
                "field " + std::to_string(field) + " tag " + std::to_string(best->tag));
    }
  }

  int64_t rank(const Write& write) const {
    const auto& order = dataset_.authority;
    const auto place = std::find(order.begin(), order.end(), write.system);
    return order.end() - place;
  }

  static bool all_within(const CellSets& set, const std::array<WriteSet, kFieldsMax>& writes) {
    for (size_t field = 0; field < kFieldsMax; ++field) {
      if ((writes[field] & ~set[field]).any()) return false;
    }
    return true;
  }

  // Of deletes, too, only those count that a log showed: what was made and deleted between two
  // reads of net effects was never there for anybody else.
  void check_existence() {
    if (accepted_ == nullptr) return;
    std::array<WriteSet, kFieldsMax> heads;
    for (size_t field = 0; field < kFieldsMax; ++field) {
      for (const Write& write : record_.writes[field]) {
        if (may_be_of_record(write)) heads[field].set(write.index);
      }
      heads[field] &= ~replaced_surely(field);
    }
    for (const Removal& removal : record_.deletes) {
      if (removal.shown_at && is_of_record(removal) && all_within(removal.seen, heads) &&
          !is_revived(removal, heads)) {
        violation("it came back by itself", "a user deleted all of it");
      }
    }
    if (dataset_.deletes == core::DeletePolicy::kUpdateWins) return;
    const bool is_made =
        std::any_of(record_.inserts.begin(), record_.inserts.end(), [this](const auto& insert) {
          return may_be_of_record(record_.writes[0][*insert[0]]) && !is_ended(insert);
        });
    if (!is_made) violation("it came back by itself", "every insert was deleted");
  }

  // Where updates win, an appliance that was told of a delete which had not seen all revives the
  // record, and does not let go of it again for one behind that which had.
  bool is_revived(const Removal& removal, const std::array<WriteSet, kFieldsMax>& heads) const {
    if (dataset_.deletes == core::DeletePolicy::kDeleteWins) return false;
    const auto appliance_of = [&](const Removal& each) {
      return rest_.plan.systems[each.system].appliance;
    };
    return std::any_of(record_.deletes.begin(), record_.deletes.end(), [&](const Removal& each) {
      return appliance_of(each) != appliance_of(removal) && !all_within(each.seen, heads);
    });
  }

  bool is_ended(const std::array<std::optional<size_t>, kFieldsMax>& insert) const {
    return std::any_of(record_.deletes.begin(), record_.deletes.end(), [&](const Removal& each) {
      const bool counts = each.shown_at && is_of_record(each);
      for (size_t field = 0; counts && field < kFieldsMax; ++field) {
        if (insert[field] && each.row[field][*insert[field]]) return true;
      }
      return false;
    });
  }

  const AtRest& rest_;
  const RecordKey& key_;
  const RecordHistory& record_;
  const DatasetPlan& dataset_;
  const StoredRow* accepted_ = nullptr;
  std::set<size_t> lines_;  // of the rows that its values were written to
};

// Every system stands at the last entry that was meant for it, in every flow.
void check_markers(const AtRest& rest, const Observer& observer) {
  for (const auto& [flow, sequence] : observer.last_targeted) {
    const auto& [system_id, stream, lane] = flow;
    const auto is_peer = [id = system_id](const AppliancePlan& each) { return each.id == id; };
    const auto& appliances = rest.plan.appliances;
    if (std::any_of(appliances.begin(), appliances.end(), is_peer)) continue;
    const ModelSystem& system = *rest.systems[rest.plan.system_index(system_id)];
    for (const ports::Checkpoint& checkpoint : system.checkpoints(1)) {
      if (checkpoint.stream != stream || checkpoint.lane != lane) continue;
      if (checkpoint.applied != sequence) {
        rest.report.violation("accounting", system.plan().name + " stands at " +
                                                std::to_string(checkpoint.applied) + " of " +
                                                std::to_string(sequence));
      }
    }
  }
}

// A cell is each system's own only where no form of a value suits them all.
void check_locals(const AtRest& rest, const Observer& observer) {
  if (observer.locals.empty() || !can_agree(rest.plan.roundings())) return;
  rest.report.violation("echo", std::to_string(observer.locals.size()) +
                                    " cells are local to systems that could agree");
}

}  // namespace

void check_promises(const AtRest& rest) {
  for (const auto& [key, record] : rest.history.records()) RecordCheck(rest, key, record).run();
  for (const Observer* observer : rest.observers) {
    check_markers(rest, *observer);
    check_locals(rest, *observer);
  }
}

}  // namespace syncline::simulation
