#include "host/delivery/delivery.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

#include "host/base/assert.hpp"
#include "host/delivery/holds.hpp"
#include "host/delivery/moves.hpp"
#include "host/delivery/pending.hpp"
#include "host/delivery/room.hpp"
#include "host/delivery/transaction.hpp"
#include "host/delivery/writers.hpp"

namespace syncline::delivery {
namespace {

constexpr size_t kGroupsPerRun = 64;
constexpr size_t kDeliveredMax = 65536;
constexpr size_t kBusyMax = 3;  // tries of many flows together, before each is tried alone

// What it had committed is gone: to go on would leave that out for good.
Error went_back(const ports::Checkpoint& checkpoint, model::Sequence known) {
  return {ErrorCode::kSystemWentBack, "the system no longer holds what was delivered to it",
          "its checkpoint row is at " + std::to_string(checkpoint.applied) + " and was at " +
              std::to_string(known) + ": it was restored, or a failover lost commits",
          "nothing: it is compared, and given what is missing; where it stays stopped, run "
          "`syncline resync` for it"};
}

// An outcome that is not known is looked into, whatever else was met.
int gravity(const Error& error) {
  if (error.code == ErrorCode::kMarkerMoved || is_lost(error.code)) return 2;
  return error.code == ErrorCode::kSystemBusy ? 0 : 1;
}

}  // namespace

struct Delivery::Impl {
  Impl(const Options& options_in, std::vector<ports::Target*> targets, journal::Journal& journal_in,
       Clock& clock_in, Random& random_in)
      : options(options_in),
        last_flows(targets.size()),
        writers(std::move(targets), options_in.pool, clock_in),
        journal(journal_in),
        clock(clock_in),
        random(random_in),
        pending(options_in.target, options_in.schemas),
        holds(options_in.backoff_us_min, options_in.backoff_us_max, clock_in, random_in) {
    for (const auto& [flow, sequences] : options.refused) pending.refuse(flow, sequences);
  }

  Result<std::vector<ports::Checkpoint>> probe();
  Result<size_t> read_on();
  bool is_full() const {
    return pending.is_full(options.pending_entries_max, options.pending_bytes_max);
  }
  Result<size_t> read_aside(model::StreamId stream, const std::set<FlowId>& flows);
  void set_stuck_aside();
  std::map<model::StreamId, std::set<FlowId>> find_to_take_up() const;
  bool is_blocked(const FlowId& flow) const;
  bool is_moving(const FlowId& flow) const;
  bool may_go(const FlowId& id) const { return !holds.is_alone(id) && !is_blocked(id); }
  std::vector<Transaction> next_transactions();
  bool take_alone(TransactionBuilder& builder);
  void take_share(TransactionBuilder& builder, size_t share, size_t share_count,
                  const std::set<model::StreamId>& streams);
  void hold(const Transaction& transaction, const ports::ApplyResult& applied);
  void meet_busy(const Transaction& transaction);
  Result<void> write(const std::vector<Transaction>& transactions);
  void settle(const Transaction& transaction, const ports::ApplyResult& result, bool is_apart);
  void finish(const Transaction& transaction, const ports::ApplyResult& applied);
  std::set<const model::Entry*> find_waiting(const Transaction& transaction,
                                             const std::vector<ports::Poison>& poisons);
  void refuse(const Transaction& transaction, const ports::ApplyResult& applied);
  Result<void> handle(const Error& error);
  void back_off();
  void publish();

  Options options;
  std::vector<FlowId> last_flows;  // by share: where its next round begins
  Writers writers;
  journal::Journal& journal;
  Clock& clock;
  Random& random;
  Pending pending;
  std::unique_ptr<journal::Cursor> cursor;
  std::map<model::StreamId, std::unique_ptr<journal::Cursor>> aside;  // read behind the others
  Holds holds;
  bool was_alone = false;  // the last transaction
  size_t busy_count = 0;   // in a row
  bool is_probe_due = false;
  int64_t backoff_us = 0;
  int64_t retry_at_us = 0;

  mutable std::mutex mutex;  // guards what follows
  std::set<model::StreamId> paused;
  std::vector<model::Skip> skips;
  std::vector<Delivered> delivered;
  Stats stats;
};

Result<std::vector<ports::Checkpoint>> Delivery::Impl::probe() {
  SYN_TRY(auto checkpoints, writers.probe(options.epoch));
  size_t applied = 0;  // by a transaction whose outcome was not known
  for (const ports::Checkpoint& checkpoint : checkpoints) {
    const model::Sequence known = pending.flows()[{checkpoint.stream, checkpoint.lane}].applied;
    if (checkpoint.applied < known) return went_back(checkpoint, known);
    const FlowId flow{checkpoint.stream, checkpoint.lane};
    applied += pending.set_applied(flow, checkpoint.applied);
    if (checkpoint.applied > known) holds.pass(flow, checkpoint.applied);
  }
  is_probe_due = false;
  const std::lock_guard lock(mutex);
  stats.entries_delivered_total += applied;
  return checkpoints;
}

bool Delivery::Impl::is_blocked(const FlowId& flow) const {
  const std::lock_guard lock(mutex);
  return paused.contains(flow.first) || holds.waits(flow);
}

// Not only between two tries.
bool Delivery::Impl::is_moving(const FlowId& flow) const {
  const std::lock_guard lock(mutex);
  return !paused.contains(flow.first) && !holds.contains(flow);
}

// What waits for another reason than the target's pace must not take the room of what can go. To
// read it again costs, so as long as it is little it stays.
void Delivery::Impl::set_stuck_aside() {
  std::vector<FlowId> stuck;
  size_t entry_count = 0, size_bytes = 0;
  for (const auto& [id, flow] : pending.flows()) {
    if (flow.entries.empty() || !(is_blocked(id) || pending.awaits_skip(id))) continue;
    stuck.push_back(id);
    entry_count += flow.entries.size();
    size_bytes += flow.size_bytes;
  }
  const bool is_little =
      entry_count < pending.entry_count() / 2 && size_bytes < pending.size_bytes() / 2;
  if (is_little) return;
  for (const FlowId& id : stuck) pending.set_aside(id);
}

// What was set aside and can go, by stream. A refused entry's skip is met by the others' cursor.
std::map<model::StreamId, std::set<FlowId>> Delivery::Impl::find_to_take_up() const {
  std::map<model::StreamId, std::set<FlowId>> streams;
  for (const FlowId& id : pending.aside()) {
    if (!is_blocked(id) && !pending.awaits_skip(id)) streams[id.first].insert(id);
  }
  return streams;
}

// From the first of them on; the others begin as their places come.
Result<size_t> Delivery::Impl::read_aside(model::StreamId stream, const std::set<FlowId>& flows) {
  std::unique_ptr<journal::Cursor>& behind = aside[stream];
  size_t groups = 0;
  while (groups < kGroupsPerRun && !is_full()) {
    const auto place = pending.aside_behind(flows);
    if (!place) break;
    if (behind == nullptr || behind->position() != *place) {
      SYN_TRY(behind, journal.open_cursor(*place));
    }
    SYN_TRY(const journal::GroupPointer group, behind->next());
    if (!group) break;
    pending.take_up(flows, group);
    ++groups;
  }
  if (!pending.aside_behind(flows)) aside.erase(stream);
  return groups;
}

// Reads committed groups until enough waits. Returns how many groups it read.
Result<size_t> Delivery::Impl::read_on() {
  size_t groups = 0;
  for (const auto& [stream, flows] : find_to_take_up()) {
    SYN_TRY(const size_t more, read_aside(stream, flows));
    groups += more;
  }
  if (is_full()) set_stuck_aside();
  size_t waiting = 0;
  for (size_t i = 0; i < kGroupsPerRun && !is_full(); ++i) {
    SYN_TRY(const journal::GroupPointer group, cursor->next());
    if (!group) break;
    waiting += pending.add(group);
    ++groups;
  }
  const std::lock_guard lock(mutex);
  stats.entries_read_total += waiting;
  return groups;
}

// A flow that met a held row goes by itself, in turn with the others together.
bool Delivery::Impl::take_alone(TransactionBuilder& builder) {
  if (std::exchange(was_alone, false)) return false;
  for (const auto& [id, flow] : pending.flows()) {
    if (!holds.is_alone(id) || is_blocked(id)) continue;
    const size_t count = Room(options.batch_entries_max, options.first_sync_share).take(flow);
    if (count == 0) continue;
    builder.take(id, flow, count);
    was_alone = true;
    return true;
  }
  return false;
}

// Of every flow of the share in turn, behind the one that came last, up to the batch's limit.
void Delivery::Impl::take_share(TransactionBuilder& builder, size_t share, size_t share_count,
                                const std::set<model::StreamId>& streams) {
  Room room(options.batch_entries_max, options.first_sync_share);
  auto& flows = pending.flows();
  const auto moves = [&](const FlowId& id) { return streams.contains(id.first) && may_go(id); };
  if (share == 0 && !streams.empty()) {
    const Taken taken = take_whole_groups(flows, options.batch_entries_max, moves);
    for (const auto& [id, count] : taken) builder.take(id, flows[id], count);
  }
  auto at = flows.upper_bound(last_flows[share]);
  for (size_t i = 0; i < flows.size() && !room.is_full(); ++i, ++at) {
    if (at == flows.end()) at = flows.begin();
    const auto& [id, flow] = *at;
    if (id.second % share_count != share || flow.entries.empty() || !may_go(id)) continue;
    if (streams.contains(id.first)) continue;
    builder.take(id, flow, room.take(flow));
    last_flows[share] = id;
  }
}

// Of one round. None is empty.
std::vector<Transaction> Delivery::Impl::next_transactions() {
  std::vector<Transaction> transactions;
  const auto add = [&](TransactionBuilder& builder) {
    Transaction transaction = builder.finish(options.epoch);
    if (transaction.entry_count == 0) return;
    transaction.batch.may_be_quiet =
        options.may_be_quiet != nullptr &&
        std::ranges::all_of(transaction.batch.moves, [this](const ports::MarkerMove& move) {
          return options.may_be_quiet(move.stream, move.lane, move.previous);
        });
    transactions.push_back(std::move(transaction));
  };
  TransactionBuilder alone;
  if (take_alone(alone)) {
    add(alone);
    return transactions;
  }
  const size_t share_count = writers.share(pending.entry_count(), options.share_entries_min);
  const auto streams = moving_streams(pending, [this](const FlowId& id) { return may_go(id); });
  for (size_t share = 0; share < share_count; ++share) {
    TransactionBuilder builder;
    take_share(builder, share, share_count, streams);
    add(builder);
  }
  return transactions;
}

Result<void> Delivery::Impl::write(const std::vector<Transaction>& transactions) {
  const bool is_apart = transactions.size() > 1;
  const auto results = writers.apply(transactions);
  const Error* worst = nullptr;
  for (size_t i = 0; i < results.size(); ++i) {
    if (results[i]) {
      settle(transactions[i], results[i].value(), is_apart);
      continue;
    }
    const Error& error = results[i].error();
    if (error.code == ErrorCode::kSystemBusy && !is_apart) meet_busy(transactions[i]);
    if (is_apart) writers.go_together();
    if (worst == nullptr || gravity(error) > gravity(*worst)) worst = &error;
  }
  if (worst != nullptr) return handle(*worst);
  busy_count = 0;
  backoff_us = 0;
  retry_at_us = 0;
  const std::lock_guard lock(mutex);
  stats.is_retrying = false;
  return success();
}

// is_apart: others were written beside it, and may be why it was refused.
void Delivery::Impl::settle(const Transaction& transaction, const ports::ApplyResult& result,
                            bool is_apart) {
  if (!result.stopped.empty()) {
    hold(transaction, result);
  } else if (!result.poison) {
    finish(transaction, result);
  } else if (is_apart) {
    writers.go_together();
  } else {
    refuse(transaction, result);
  }
}

// Nothing was written: what can go, goes without these at once.
void Delivery::Impl::hold(const Transaction& transaction, const ports::ApplyResult& applied) {
  for (const ports::DatasetStop& stop : applied.stopped) {
    const auto stream = pending.stream_of(stop.dataset);
    SYN_ASSERT(stream.has_value());  // it was of the batch
    std::map<FlowId, model::Sequence> met;
    for (const Transaction::Part& part : transaction.parts) {
      const Flow& flow = pending.flows()[part.flow];
      for (size_t i = 0; i < part.entry_count; ++i) {
        const model::Entry& entry = *flow.entries[i].entry;
        if (entry.dataset == stop.dataset) met[part.flow] = entry.sequence;
      }
    }
    holds.stop(*stream, stop, met);
  }
}

// A row that is held for long is told from a system that is busy by trying again.
void Delivery::Impl::meet_busy(const Transaction& transaction) {
  const bool is_single = transaction.parts.size() == 1;
  if (!is_single && ++busy_count < kBusyMax) return;
  std::vector<FlowId> flows;
  flows.reserve(transaction.parts.size());
  for (const Transaction::Part& part : transaction.parts) flows.push_back(part.flow);
  holds.meet_busy(flows);
}

void Delivery::Impl::finish(const Transaction& transaction, const ports::ApplyResult& applied) {
  const int64_t now_us = clock.now_us();
  {
    const std::lock_guard lock(mutex);
    size_t written = transaction.nothing_count;
    for (const Transaction::Record& record : transaction.records) {
      written += record.entries.size();
      for (const model::Entry* entry : record.entries) {
        if (is_of_first_sync(*entry)) continue;
        stats.latency_us_last = now_us - entry->commit_time_us;
        if (delivered.size() < kDeliveredMax) delivered.push_back({entry->commit_time_us, now_us});
      }
    }
    stats.entries_delivered_total += written;
    stats.entries_superseded_total += written - transaction.records.size();
    stats.entries_skipped_total += transaction.skipped_count;
    stats.rows_written_total += applied.rows_written;
    ++stats.transactions_total;
  }
  for (const Transaction::Part& part : transaction.parts) {
    pending.finish(part.flow, part.entry_count);
    holds.pass(part.flow, pending.flows()[part.flow].applied);
    if (!transaction.records.empty()) holds.forget_others(part.flow);
  }
}

// The records that are tried again, for others may be what they need; by their first entries.
std::set<const model::Entry*> Delivery::Impl::find_waiting(
    const Transaction& transaction, const std::vector<ports::Poison>& poisons) {
  std::map<const model::Entry*, const ports::Poison*> needy;
  for (const ports::Poison& poison : poisons) {
    const auto& entries = transaction.records[poison.write_index].entries;
    if (poison.may_pass) needy.emplace(entries.front(), &poison);
  }
  std::set<const model::Entry*> waiting;
  if (needy.empty()) return waiting;
  for (const Transaction::Part& part : transaction.parts) {
    const Flow& flow = pending.flows()[part.flow];
    std::vector<const model::Entry*> met;
    for (size_t i = 0; i < part.entry_count; ++i) {
      if (needy.contains(flow.entries[i].entry)) met.push_back(flow.entries[i].entry);
    }
    if (met.empty() || !holds.wait_for_others(part.flow)) continue;
    waiting.insert(met.begin(), met.end());
    const std::lock_guard lock(mutex);
    ++stats.retries_total;
    stats.last_error = to_string(needy.at(met.front())->error);
  }
  return waiting;
}

// The records' entries are reported; none of their flows goes on before the journal holds that.
void Delivery::Impl::refuse(const Transaction& transaction, const ports::ApplyResult& applied) {
  std::vector<ports::Poison> poisons = applied.other_poisons;
  if (applied.poison) poisons.insert(poisons.begin(), *applied.poison);
  for (const ports::Poison& poison : poisons) {
    SYN_ASSERT(poison.write_index < transaction.records.size());
  }
  const auto waiting = find_waiting(transaction, poisons);
  std::set<const model::Entry*> refused;
  {
    const std::lock_guard lock(mutex);
    for (const ports::Poison& poison : poisons) {
      const Transaction::Record& record = transaction.records[poison.write_index];
      if (waiting.contains(record.entries.front())) continue;
      for (const model::Entry* entry : record.entries) {
        if (!refused.insert(entry).second) continue;
        skips.push_back({options.target, entry->dataset, entry->key_hash, entry->key,
                         entry->sequence, to_string(poison.error)});
      }
    }
  }
  if (refused.empty()) return;
  for (const Transaction::Part& part : transaction.parts) pending.refuse(part.flow, refused);
}

// Sorts an error of the target: what may pass is tried again later, what may not is returned.
Result<void> Delivery::Impl::handle(const Error& error) {
  if (error.code == ErrorCode::kMarkerMoved || is_lost(error.code)) return error;
  is_probe_due = is_probe_due || error.code != ErrorCode::kSystemBusy;
  const bool is_held = error.code == ErrorCode::kSystemBusy && was_alone;
  if (!is_held) back_off();  // a flow alone has a pause of its own
  const std::lock_guard lock(mutex);
  ++stats.retries_total;
  stats.is_retrying = error.code != ErrorCode::kSystemBusy;
  stats.last_error = to_string(error);
  return success();
}

void Delivery::Impl::back_off() {
  backoff_us = std::clamp(backoff_us * 2, options.backoff_us_min, options.backoff_us_max);
  const auto jitter = static_cast<int64_t>(random.u64() % static_cast<uint64_t>(backoff_us));
  retry_at_us = clock.steady_us() + backoff_us / 2 + jitter / 2;
}

void Delivery::Impl::publish() {
  const auto moving = pending.done([this](const FlowId& flow) { return is_moving(flow); });
  const std::lock_guard lock(mutex);
  stats.cursor_moving = moving;
  stats.pending_entries = pending.entry_count();
  stats.cursor = pending.done();
  stats.stopped = holds.stopped();
  stats.connections = writers.count();
}

Delivery::Delivery(const Options& options, std::vector<ports::Target*> targets,
                   journal::Journal& journal, Clock& clock, Random& random)
    : impl_(std::make_unique<Impl>(options, std::move(targets), journal, clock, random)) {}

Delivery::~Delivery() = default;

Result<std::vector<ports::Checkpoint>> Delivery::open(journal::GroupNumber after) {
  std::vector<model::StreamId> streams;
  for (const model::Schema* schema : impl_->options.schemas) streams.push_back(schema->stream);
  std::sort(streams.begin(), streams.end());
  streams.erase(std::unique(streams.begin(), streams.end()), streams.end());
  SYN_TRY(impl_->writers.open(impl_->options.epoch, streams, impl_->options.lane_count));
  SYN_TRY(auto applied, impl_->probe());
  SYN_TRY(impl_->cursor, impl_->journal.open_cursor(after));
  impl_->pending.begin_behind(after);
  impl_->publish();
  return applied;
}

Result<bool> Delivery::run_once() {
  Impl& impl = *impl_;
  SYN_TRY(const size_t groups, impl.read_on());
  if (impl.retry_at_us > impl.clock.steady_us()) return groups > 0;
  if (impl.is_probe_due) {
    const auto probed = impl.probe();
    if (!probed) {
      SYN_TRY(impl.handle(probed.error()));
      return true;
    }
  }
  const std::vector<Transaction> transactions = impl.next_transactions();
  if (!transactions.empty()) {
    SYN_TRY(impl.write(transactions));
  }
  impl.publish();
  return groups > 0 || !transactions.empty();
}

std::vector<model::Skip> Delivery::take_skips() {
  const std::lock_guard lock(impl_->mutex);
  return std::exchange(impl_->skips, {});
}

std::vector<Delivered> Delivery::take_delivered() {
  const std::lock_guard lock(impl_->mutex);
  return std::exchange(impl_->delivered, {});
}

void Delivery::pause(model::StreamId stream) {
  const std::lock_guard lock(impl_->mutex);
  impl_->paused.insert(stream);
}

void Delivery::resume(model::StreamId stream) {
  const std::lock_guard lock(impl_->mutex);
  impl_->paused.erase(stream);
}

Stats Delivery::stats() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->stats;
}

journal::GroupNumber Delivery::cursor() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->stats.cursor;
}

int64_t Delivery::wait_us() const {
  return std::max<int64_t>(0, impl_->retry_at_us - impl_->clock.steady_us());
}

}  // namespace syncline::delivery
