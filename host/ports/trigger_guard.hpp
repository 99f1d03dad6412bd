// The guard that keeps a user's trigger from acting on our writes, in the trigger's own text.
//
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace syncline::ports {

// What else than the standard says ends or quotes a word.
struct Lexis {
  bool has_hash_comments = false;
  bool has_backslashes = false;  // in strings: \' is no end
  bool has_brackets = false;     // [a name]
};

// Whether the text names the word, in any case, anywhere but in comments and in longer words.
bool names(std::string_view sql, std::string_view word, const Lexis& lexis);

// A CREATE TRIGGER with the condition before its own, if it has one; body: the words that its body
// begins with, one space between them. Empty where they are not found.
std::string with_condition(std::string_view sql, std::string_view body, std::string_view condition,
                           const Lexis& lexis);

}  // namespace syncline::ports
