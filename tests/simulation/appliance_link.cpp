// An appliance and its peers: what the link does to be in step, without its bytes.
#include <algorithm>

#include "host/base/bytes.hpp"
#include "tests/simulation/appliance.hpp"

namespace syncline::simulation {

namespace {

constexpr size_t kParcelsPerSend = 4;
constexpr size_t kOnTheWayMax = 16;
constexpr int64_t kResendAfterUs = 200'000;

}  // namespace

Result<void> Appliance::load_sendings() {
  for (const size_t peer : peers_) {
    SYN_TRY(const std::string saved,
            around_.shadow.get_item("cursor/" + std::to_string(peer_id(peer))));
    Sending& sending = sendings_[peer];
    sending.acknowledged = sending.sent = saved.empty() ? 0 : ByteReader(saved).u64();
    received_[peer] = number_of(pipeline_->position(peer_id(peer)));
  }
  return success();
}

// The next group that has anything for this peer; number 0: there is none yet.
Result<Parcel> Appliance::next_parcel(size_t peer) {
  Sending& sending = sendings_[peer];
  Parcel parcel;
  while (parcel.entries.empty()) {
    SYN_TRY(const journal::GroupPointer group, sending.cursor->next());
    if (!group) return Parcel{};
    parcel.number = group->number;
    for (const model::FramePointer& frame : group->frames) {
      for (const model::Entry& entry : frame->entries) {
        if (!std::binary_search(entry.targets.begin(), entry.targets.end(), peer_id(peer))) {
          continue;
        }
        parcel.entries.push_back(entry);
      }
    }
  }
  parcel.previous = std::exchange(sending.sent, parcel.number);
  return parcel;
}

Result<bool> Appliance::send(size_t peer) {
  Sending& sending = sendings_[peer];
  if (!sending.on_the_way.empty() && around_.clock.steady_us() >= sending.resend_at_us) {
    sending.on_the_way.clear();
    sending.cursor.reset();
  }
  if (!sending.cursor) {
    SYN_TRY(sending.cursor, journal_->open_cursor(sending.acknowledged));
    sending.sent = sending.acknowledged;
  }
  for (size_t count = 0; count < kParcelsPerSend && sending.on_the_way.size() < kOnTheWayMax;
       ++count) {
    SYN_TRY(const Parcel parcel, next_parcel(peer));
    if (parcel.number == 0) break;
    sending.on_the_way.push_back(parcel.number);
    sending.resend_at_us = around_.clock.steady_us() + kResendAfterUs;
    around_.network.send(around_.index, peer, parcel);
  }
  return !sending.on_the_way.empty();
}

Result<bool> Appliance::receive(size_t peer, size_t parcel_limit) {
  for (size_t count = 0; count < parcel_limit; ++count) {
    if (pipeline_->is_waiting()) {
      SYN_TRY(pipeline_->append_waiting());
    }
    const auto parcel = around_.network.receive(peer, around_.index);
    if (!parcel) return count > 0;
    SYN_TRY(take(peer, *parcel));
  }
  return true;
}

Result<void> Appliance::take(size_t peer, const Parcel& parcel) {
  if (parcel.is_acknowledgement) {
    return take_acknowledgement(peer, parcel.number);
  } else if (parcel.number <= received_[peer]) {  // once more: its acknowledgement was lost
    acknowledge_to(peer, pipeline_->position(peer_id(peer)));
  } else if (parcel.previous <= received_[peer]) {
    return join(peer, parcel);
  }
  return success();
}

Result<void> Appliance::join(size_t peer, const Parcel& parcel) {
  pipeline::PeerEntries read{peer_id(peer), position_of(parcel.number), {}};
  for (const model::Entry& entry : parcel.entries) read.entries.push_back(&entry);
  if (around_.report.is_traced()) {
    around_.report.trace(plan().name + " joins " + around_.plan.appliances[peer].name + " up to " +
                         std::to_string(parcel.number) + ", " +
                         std::to_string(read.entries.size()) + " entries");
  }
  received_[peer] = parcel.number;
  joined_count_ += read.entries.size();
  return pipeline_->process_joined(read);
}

void Appliance::acknowledge_to(size_t peer, const model::Position& position) {
  Parcel parcel;
  parcel.is_acknowledgement = true;
  parcel.number = number_of(position);
  acknowledged_to_[peer] = std::max(acknowledged_to_[peer], parcel.number);
  around_.network.send(around_.index, peer, parcel);
}

Result<void> Appliance::take_acknowledgement(size_t peer, journal::GroupNumber number) {
  Sending& sending = sendings_[peer];
  SYN_TRY(around_.observer.read_on());  // a checkpoint commits too
  if (number > around_.observer.last_group) {
    around_.report.violation("acknowledged too early", around_.plan.appliances[peer].name +
                                                           " has group " + std::to_string(number) +
                                                           " of " + plan().name +
                                                           ", which is not committed");
  }
  sending.acknowledged = std::max(sending.acknowledged, number);
  // The groups that it would send again may be gone by now.
  if (sending.acknowledged > sending.sent) sending.cursor.reset();
  while (!sending.on_the_way.empty() && sending.on_the_way.front() <= number) {
    sending.on_the_way.pop_front();
  }
  return success();
}

void Appliance::check_peers() {
  for (const auto& [peer, sending] : sendings_) {
    const auto last = around_.observer.last_group_targeted.find(peer_id(peer));
    if (last == around_.observer.last_group_targeted.end()) continue;
    if (sending.acknowledged >= last->second) continue;
    around_.report.violation("accounting", around_.plan.appliances[peer].name + " holds " +
                                               plan().name + " up to " +
                                               std::to_string(sending.acknowledged) + " of " +
                                               std::to_string(last->second));
  }
}

}  // namespace syncline::simulation
