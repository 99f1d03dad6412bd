// What the decoder has to do with texts and labels that are not UTF-8 in the log.
#include "drivers/systems/mariadb/detail/decoder.hpp"
#include "drivers/systems/mariadb/detail/findings.hpp"

namespace syncline::mariadb {

// Problems: of columns that cannot be read.
Result<std::vector<Error>> Decoder::read_letters(Connection& connection, Mapped& mapped) {
  std::vector<Error> problems;
  for (Column& column : mapped.columns) {
    auto letters = charsets_.get(connection, column.type.charset);
    if (letters) {
      column.type.letters = std::move(letters).value();
      continue;
    }
    if (letters.error().code != ErrorCode::kSystemSchema) return letters.error();
    SYN_TRY(ports::Finding found, unreadable_text(connection, mapped, column));
    problems.push_back({ErrorCode::kSystemSchema, "dataset " + found.dataset + " is not read",
                        std::move(found.what), std::move(found.fix)});
  }
  return problems;
}

// Of parents, whose values need not be known: what hangs on them is scanned then.
Result<void> Decoder::read_letters(Connection& connection, std::vector<Link>& links) {
  for (Link& link : links) {
    for (NativeType& type : link.parent_types) {
      auto letters = charsets_.get(connection, type.charset);
      if (letters) {
        type.letters = std::move(letters).value();
      } else if (letters.error().code != ErrorCode::kSystemSchema) {
        return letters.error();
      }
    }
  }
  return success();
}

}  // namespace syncline::mariadb
