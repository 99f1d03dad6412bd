#include "host/config/nearest.hpp"

#include <algorithm>
#include <vector>

namespace syncline::config {
namespace {

constexpr size_t kWordMax = 64;    // longer words get no suggestion: the cost is quadratic
constexpr size_t kListedMax = 20;  // known words that a message lists

char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

}  // namespace

size_t typing_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1);
  std::vector<size_t> last(b.size() + 1);
  std::vector<size_t> now(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const bool is_same = lower(a[i - 1]) == lower(b[j - 1]);
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (is_same ? 0 : 1)});
      const bool is_swap = i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                           lower(a[i - 2]) == lower(b[j - 1]);
      if (is_swap) now[j] = std::min(now[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, now);
  }
  return last[b.size()];
}

std::optional<std::string> nearest(std::string_view word, std::span<const std::string> known) {
  if (word.size() > kWordMax) return std::nullopt;
  const std::string* best = nullptr;
  size_t best_distance = std::max<size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : known) {
    if (candidate.size() > kWordMax) continue;
    const size_t distance = typing_distance(word, candidate);
    if (distance < best_distance && distance < candidate.size()) {
      best = &candidate;
      best_distance = distance;
    }
  }
  return best == nullptr ? std::nullopt : std::optional(*best);
}

std::string suggest(std::string_view word, std::span<const std::string> known) {
  if (const auto near = nearest(word, known)) return "did you mean \"" + *near + "\"?";
  if (known.empty()) return "remove it";
  std::string text = known.size() == 1 ? "use " : "use one of ";
  for (size_t i = 0; i < std::min(known.size(), kListedMax); ++i) {
    text += (i > 0 ? ", " : "") + known[i];
  }
  return known.size() > kListedMax ? text + ", ..." : text;
}

}  // namespace syncline::config
