// The guard that keeps a user's trigger from acting on our writes, in the trigger's own text.
//
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace syncline::ports {

// Whether the text names the word, in any case, anywhere but in comments and in longer words.
bool names(std::string_view sql, std::string_view word);

// A CREATE TRIGGER with the condition before its own, if it has one; body: the word that its body
// begins with, BEGIN or EXECUTE. Empty where that is not found.
std::string with_condition(std::string_view sql, std::string_view body, std::string_view condition);

}  // namespace syncline::ports
