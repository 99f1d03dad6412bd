#include "drivers/systems/postgres/detail/assembler.hpp"

#include <utility>

namespace syncline::postgres {
namespace {

constexpr std::string_view kKept = "RIUDT";
constexpr std::string_view kControls = "BCSEcA";
constexpr size_t kBlockHeaderSize = 5;  // the kind and a transaction's number

}  // namespace

void Assembler::reset() {
  block_ = nullptr;
  whole_.reset();
  streamed_.clear();
}

Result<std::optional<Transaction>> Assembler::take(std::string_view message) {
  std::optional<Transaction> complete;
  const char kind = message.empty() ? '\0' : message[0];
  if (kControls.find(kind) != std::string_view::npos) {
    SYN_TRY(on_control(message, complete));
  } else if (kKept.find(kind) != std::string_view::npos) {
    SYN_TRY(keep(message));
  } else if (block_ == nullptr) {
    SYN_TRY(parse_message(message));  // of a kind that says nothing to us, or not pgoutput
  }
  return complete;
}

Result<void> Assembler::on_control(std::string_view message, std::optional<Transaction>& complete) {
  SYN_TRY(const Message parsed, parse_message(message));
  if (const auto* begun = std::get_if<Begin>(&parsed)) return begin(*begun);
  if (const auto* start = std::get_if<StreamStart>(&parsed)) return start_block(*start);
  if (std::holds_alternative<StreamStop>(parsed)) {
    if (std::exchange(block_, nullptr) == nullptr) return out_of_step("a block ends that is none");
    return success();
  }
  if (const auto* commit = std::get_if<Commit>(&parsed)) {
    if (!whole_ || commit->commit_lsn != whole_->begin.commit_lsn) {
      return out_of_step("a commit without its beginning");
    }
    complete = std::move(whole_);
    whole_.reset();
    return success();
  }
  if (is_inside()) return out_of_step("a transaction ends inside another");
  if (const auto* commit = std::get_if<StreamCommit>(&parsed)) {
    return commit_streamed(*commit, complete);
  }
  return abort_streamed(std::get<StreamAbort>(parsed));
}

Result<void> Assembler::begin(const Begin& begin) {
  if (is_inside()) return out_of_step("a transaction begins inside another");
  whole_.emplace(*budget_);
  whole_->begin = begin;
  return success();
}

Result<void> Assembler::start_block(const StreamStart& start) {
  if (is_inside()) return out_of_step("a block begins inside a transaction");
  const auto [at, is_new] = streamed_.try_emplace(start.xid, *budget_);
  if (is_new != start.is_first) return out_of_step("a block without its first");
  block_ = &at->second;
  return success();
}

Result<void> Assembler::commit_streamed(const StreamCommit& commit,
                                        std::optional<Transaction>& complete) {
  const auto found = streamed_.find(commit.xid);
  if (found == streamed_.end()) return out_of_step("a commit without its blocks");
  complete.emplace(std::move(found->second));
  complete->begin = {commit.commit_lsn, commit.commit_time_us, commit.xid};
  streamed_.erase(found);
  return success();
}

Result<void> Assembler::abort_streamed(const StreamAbort& abort) {
  const auto found = streamed_.find(abort.xid);
  if (found == streamed_.end()) return out_of_step("an abort without its blocks");
  if (abort.xid == abort.subxid) {
    streamed_.erase(found);
  } else {
    found->second.aborted.insert(abort.subxid);
  }
  return success();
}

// Inside a block, who made a change stands behind its kind.
Result<void> Assembler::keep(std::string_view message) {
  if (block_ == nullptr) {
    if (!whole_) return out_of_step("a change outside of a transaction");
    return whole_->spool.add(tag_of(message, 0), message);
  }
  if (message.size() < kBlockHeaderSize) return out_of_step("a short message in a block");
  uint32_t xid = 0;
  for (size_t i = 1; i < kBlockHeaderSize; ++i) {
    xid = xid << 8 | static_cast<uint8_t>(message[i]);
  }
  plain_.assign(1, message[0]);
  plain_.append(message.substr(kBlockHeaderSize));
  return block_->spool.add(tag_of(message, xid), plain_);
}

uint64_t Assembler::tag_of(std::string_view message, uint32_t xid) {
  return message[0] == kRelation ? ++description_count_ : xid;
}

}  // namespace syncline::postgres
