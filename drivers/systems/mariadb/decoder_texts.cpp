// What the decoder has to do with texts and labels that are not UTF-8 in the log, and with rows
// that are not what their table's description says.
#include <algorithm>

#include "drivers/systems/mariadb/declaration.hpp"
#include "drivers/systems/mariadb/detail/decoder.hpp"
#include "drivers/systems/mariadb/detail/findings.hpp"
#include "drivers/systems/mariadb/detail/reads.hpp"

namespace syncline::mariadb {
namespace {

constexpr size_t kVarcharMax = 16'000;  // characters that fit whatever else the row has

bool has_labels(const Column& column) {
  return column.type.category == Category::kEnum || column.type.category == Category::kSet;
}

// Room for all labels at once, as a SET has them.
std::string wide_text(const Column& column) {
  size_t length = 0;
  for (const std::string& label : column.type.labels) length += label.size() + 1;
  const bool is_short = length <= kVarcharMax;
  return (is_short ? "varchar(" + std::to_string(length) + ")" : "longtext") +
         " CHARACTER SET utf8mb4";
}

// Of a column whose description in the log is never its own. declared: as its table has it.
Error unfit_column(const Mapped& mapped, const Column& column, const std::string& declared) {
  Error error{ErrorCode::kSystemSchema,
              "dataset " + mapped.schema->name + ": the rows of " + mapped.table.name +
                  " cannot be read from the log",
              "the log has column " + column.name + " otherwise than SHOW CREATE TABLE", ""};
  if (!has_labels(column)) {
    error.fix = "leave the column out of the dataset's fields, and report this";
    return error;
  }
  error.why += ": the server shows letters of its labels as '?', as it does those beyond U+FFFF";
  error.fix = "ALTER TABLE " + quoted_name(mapped.table.name) + " " +
              modify_sql(column.name, with_type(declared, wide_text(column))) +
              "; or labels without such letters; the dataset then goes on by a scan";
  return error;
}

}  // namespace

// Of parents, whose values need not be known: what hangs on them is scanned then.
Result<void> Decoder::read_letters(Connection& connection, std::vector<Link>& links) {
  for (Link& link : links) {
    for (NativeType& type : link.parent_types) {
      auto letters = shared_->charsets->get(connection, type.charset);
      if (letters) {
        type.letters = std::move(letters).value();
      } else if (letters.error().code != ErrorCode::kSystemSchema) {
        return letters.error();
      }
    }
  }
  return success();
}

// Rows so described come from behind the end that the log had when the table was looked at.
bool Decoder::is_behind_all(const Bound& bound) const {
  const std::optional<Place>& end = followed_[bound.followed].behind_end;
  return bound.is_behind && end && group_.mark.place >= *end;
}

// mapped: the followed one's. bound.columns: those that fit. What an XA transaction prepared is of
// before its place.
Result<void> Decoder::pass_over(Followed& followed, const Mapped& mapped, Bound& bound) {
  bound.is_behind = true;
  if (!followed.behind) rescan(followed);
  const bool is_other = !followed.behind || !is_same_shape(*followed.behind, mapped);
  if (is_other) followed.behind_end.reset();
  SYN_TRY(Connection * connection, connect_());
  if (!followed.behind_end) {
    followed.behind = mapped;
    SYN_TRY(const LogEnd end, read_log_end(*connection));
    followed.behind_end = {turn_, end.file.number, end.offset};
    return success();
  }
  if (!is_behind_all(bound) || group_.kind == GroupKind::kDecided) return success();
  const Column& column = mapped.columns[bound.columns.size()];
  SYN_TRY(const std::string declared, read_declaration(*connection, mapped.table.name, column));
  Error error = unfit_column(mapped, column, declared);
  followed.unfit = {mapped, error};
  followed.behind.reset();
  followed.behind_end.reset();
  bound.body.clear();  // a description that comes again is looked at again
  stop(followed, std::move(error));
  return success();
}

}  // namespace syncline::mariadb
