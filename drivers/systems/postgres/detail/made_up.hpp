// Values that a record has for a moment, while others of its batch take its own: they stand in the
// log, so each is one of its field's type.
//
// Threads: values.
#pragma once

#include <string>

#include "drivers/systems/postgres/detail/table.hpp"

namespace syncline::postgres {

// What hardly another record holds, as SQL, drawn anew each time; empty: nothing can be made up.
std::string free_value(const Mapped& mapped, model::FieldIndex field);

}  // namespace syncline::postgres
