// Result<T>: a value or an Error. Nothing throws across a room.
//
// An alias of Boost.Outcome's result, because GCC 12 has no std::expected; it is [[nodiscard]] by
// itself, and reading the wrong side terminates.
#pragma once

#include <utility>

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/terminate.hpp>
#include <boost/outcome/try.hpp>

#include "host/base/error.hpp"

namespace syncline {

template <class T>
using Result = boost::outcome_v2::basic_result<T, Error, boost::outcome_v2::policy::terminate>;

inline auto success() {
  return boost::outcome_v2::success();
}

inline auto fail(ErrorCode code, std::string what, std::string why = {}, std::string fix = {}) {
  return boost::outcome_v2::failure(Error{code, std::move(what), std::move(why), std::move(fix)});
}

}  // namespace syncline

// SYN_TRY(auto value, expression) or SYN_TRY(expression): returns the error upwards.
#define SYN_TRY(...) BOOST_OUTCOME_TRY(__VA_ARGS__)
