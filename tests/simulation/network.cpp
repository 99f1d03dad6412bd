#include "tests/simulation/network.hpp"

#include <algorithm>

namespace syncline::simulation {

namespace {

constexpr size_t kParcelsMax = 64;  // what a receiver has no room for is lost

}  // namespace

bool Network::is_cut(size_t left, size_t right) const {
  const auto found = cut_until_us_.find(std::minmax(left, right));
  return found != cut_until_us_.end() && clock_.steady_us() < found->second;
}

void Network::cut(size_t left, size_t right, int64_t until_us) {
  cut_until_us_[std::minmax(left, right)] = until_us;
}

void Network::send(size_t from, size_t to, const Parcel& parcel) {
  if (is_cut(from, to) || dice_.chance(weather_.faults.message_lost)) return;
  std::deque<Parcel>& line = lines_[{from, to}];
  const int copies = dice_.chance(weather_.faults.message_twice) ? 2 : 1;
  for (int copy = 0; copy < copies && line.size() < kParcelsMax; ++copy) {
    const bool is_late = dice_.chance(weather_.faults.message_late);
    const size_t place = is_late ? dice_.below(line.size() + 1) : line.size();
    line.insert(line.begin() + static_cast<ptrdiff_t>(place), parcel);
  }
}

std::optional<Parcel> Network::receive(size_t from, size_t to) {
  std::deque<Parcel>& line = lines_[{from, to}];
  if (is_cut(from, to) || line.empty()) return std::nullopt;
  Parcel parcel = std::move(line.front());
  line.pop_front();
  return parcel;
}

}  // namespace syncline::simulation
