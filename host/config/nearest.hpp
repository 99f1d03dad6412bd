// Did you mean: the known word that is fewest typing mistakes away.
//
// Threads: pure functions.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace syncline::config {

// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment), without
// regard to ASCII case.
size_t typing_distance(std::string_view a, std::string_view b);

// Nothing where even the nearest is further than a third of the word. The first of equals.
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> known);

// "did you mean "table"?", else the known ones: "use one of a, b, c".
std::string suggest(std::string_view word, std::span<const std::string> known);

}  // namespace syncline::config
