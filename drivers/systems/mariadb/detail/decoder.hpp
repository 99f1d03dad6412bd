// From the events of a binary log to whole transactions in a sink.
//
// A transaction of ours is one that moves a checkpoint row of this appliance and system: that row
// comes first, and what follows it in the transaction is ours.
//
//   group               begins with     ends with                  what happens
//   a transaction       GTID            Xid, COMMIT                its rows are shown
//   a statement alone   GTID alone      that statement             tables are looked at again
//   XA PREPARE          GTID prepared   XA prepare                 its events are held by xid
//   XA COMMIT           GTID decided    that statement             what was held is shown, here
//   XA ROLLBACK         GTID decided    that statement             what was held is dropped
//
// A group's events are held until its end is there. One that is too large for that is read twice:
// through to its end, and then in parts, each of which is shown at once and has a position.
//
// Groups up to the place that was read before are passed over, but for what must be held. Rows of a
// table that is not what its description says now were written before it was changed: they are
// passed over, and the dataset is scanned. Behind the end that the log had when the table was
// looked at there are none: the dataset stops.
//
// Owner: it owns what is followed, and held events. Threads: one at a time. Errors: kSystemOpen;
// kSystemLost where the log is another than before; a dataset that cannot go on is no error of the
// call: it stops alone.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drivers/systems/mariadb/detail/cascades.hpp"
#include "drivers/systems/mariadb/detail/position.hpp"
#include "drivers/systems/mariadb/detail/row_cells.hpp"
#include "drivers/systems/mariadb/detail/row_image.hpp"
#include "drivers/systems/mariadb/detail/shared.hpp"
#include "drivers/systems/mariadb/detail/sql_text.hpp"
#include "drivers/systems/mariadb/detail/stream.hpp"
#include "host/ports/source.hpp"

namespace syncline::mariadb {

// A group that was read: for what is not durable yet.
struct ReadGroup {
  Place place;
  int64_t commit_time_us = 0;
  size_t row_count = 0;
  size_t size_bytes = 0;
};

class Decoder {
 public:
  // connect: a connection on which tables are looked at.
  using Connect = std::function<Result<Connection*>()>;
  Decoder(std::shared_ptr<const Shared> shared, Connect connect);

  // Looks at the tables of all datasets that are read; or, `stopped`, of those that stand still.
  enum class Which : uint8_t { kAll, kStopped };
  Result<void> look(Which which);
  // Loads the children that foreign keys act on, where they are not known as of the place that was
  // read, which is `shown`.
  Result<void> load_children(Place shown);
  // Null for one that stands still, with the reason in why_stopped.
  const Mapped* find(model::DatasetId dataset) const;
  const Error* why_stopped(model::DatasetId dataset) const;

  // A new stream of the server of that number, from position.from on; what lies at or before
  // position.place was shown. Another server than the position's: from the same group on, as told
  // by GTIDs, and its places come behind.
  void begin_stream(LogPosition position, uint32_t server);
  bool is_verified() const { return is_verified_; }  // the log is the one it was
  void begin_poll(ports::ChangeSink& sink) {
    sink_ = &sink;
    has_shown_part_ = false;
  }
  Result<void> take(Event event);
  // Tells the place that was reached where the rows of a poll do not, and what else it found.
  void end_poll(ports::PollResult& result);

  bool is_in_group() const { return group_.kind != GroupKind::kNone; }
  // A part of a group was shown in this poll, which has to end with it.
  bool has_shown_part() const { return has_shown_part_; }
  // A group was read through to its end and not shown: a new stream has to begin at read().
  bool is_to_be_read_again() const { return group_.is_read_through && group_.is_ended; }
  size_t row_count() const { return row_count_; }  // of this poll
  const LogPosition& read() const { return read_; }
  // Behind the last event that was taken outside of groups, or ended one.
  const Place& reached() const { return reached_; }
  std::vector<ReadGroup> take_groups() { return std::exchange(groups_, {}); }
  // The server whose log is read; 0: none was yet. How often another had taken over before it.
  uint32_t server() const { return server_; }
  uint32_t turn() const { return turn_; }
  // When a log file was begun; 0: not the one being read.
  uint32_t began_s(uint32_t file) const { return file == file_.number ? file_began_s_ : 0; }

 private:
  struct Followed {
    const ports::DatasetMapping* mapping = nullptr;
    std::optional<Mapped> mapped;  // none: it stands still
    Error why_stopped;
    std::optional<Mapped> behind;     // as it is now: the log is still before that change
    std::optional<Place> behind_end;  // behind it no row is of before
    std::optional<std::pair<Mapped, Error>> unfit;  // as it was when its rows were no such ones
  };
  enum class Meaning : uint8_t { kIgnored, kCheckpoint, kDataset };
  struct ParentSide {
    LinkId link;
    std::vector<size_t> columns;  // of the referenced ones, place in rows; none: not known
  };
  struct Bound {  // a table of this stream
    std::string body;
    TableMap map;
    Meaning meaning = Meaning::kIgnored;
    size_t followed = 0;
    bool is_behind = false;           // its rows are of before the table's last change
    std::vector<size_t> columns;      // per schema field, or per checkpoint column: place in rows
    std::vector<ParentSide> parents;  // what foreign keys make of changes of its rows
  };
  struct Group {
    GroupKind kind = GroupKind::kNone;
    GroupMark mark;
    std::string xid;
    bool is_shown_before = false;
    bool is_begun = false;  // in the sink
    bool is_ours = false;
    size_t row_count = 0;
    size_t size_bytes = 0;
    std::vector<size_t> touched;  // followed ones

    std::vector<Event> events;     // held
    size_t held_bytes = 0;         // of a prepared one: with what others hold
    bool is_one = false;           // it is never cut
    bool is_read_through = false;  // only its end is looked for
    bool is_ended = false;
    bool is_undone = false;               // it ends with a ROLLBACK: none of its rows is shown
    std::optional<LogPosition> part_end;  // of the part that is shown
    uint64_t event_count = 0;             // that are not held any more
    uint64_t given = 0;                   // of those: before this stream
  };
  struct Held {
    GroupMark mark;
    std::vector<Event> events;
    size_t size_bytes = 0;
    bool is_beyond_memory = false;
  };

  Result<void> take_event(Event event);
  void on_rotate(const Event& event);
  Result<void> on_file(const Event& event);
  void pass_into_file();
  bool is_shown_before(const GroupMark& mark) const;
  bool is_as_expected(const GroupMark& mark) const;
  Result<void> on_group(const Event& event);
  Result<void> on_in_group(Event event);
  Result<void> on_statement(Event event);
  void hold_prepared(Event event);
  Result<void> on_table(const Event& event);
  Result<void> on_table_map(const Event& event);
  Result<void> on_rows(const Event& event);
  Result<void> show_held();
  Result<void> end_group();
  Result<void> begin_behind_part(const GroupMark& mark);
  Result<void> hold(Event event);
  bool is_one() const;
  Result<void> show_part();
  Result<void> show_events();
  void note_touched(const Event& event);
  void roll_back_group();
  void open_in_sink();
  LogPosition position_of(const GroupMark& mark) const;
  uint64_t whole_end(uint64_t end);

  Result<void> look_at(Followed& followed);
  Result<void> look_after(const Statement& statement, std::string_view database);
  Result<void> bind(Bound& bound);
  Result<void> bind_dataset(size_t index, Bound& bound);
  Result<void> pass_over(Followed& followed, const Mapped& mapped, Bound& bound);
  bool is_behind_all(const Bound& bound) const;
  Result<void> read_letters(Connection& connection, std::vector<Link>& links);
  static bool fits(const Mapped& mapped, const TableMap& map, std::vector<size_t>& columns);
  void bind_checkpoint(Bound& bound);
  void unbind(const Followed& followed);
  void ignore(const Followed& followed);
  const Mapped& mapped_of(const Bound& bound) const;
  void stop(Followed& followed, Error error);
  std::optional<Error> find_still_parent(const Followed& followed, const std::vector<Link>& links);
  void rescan(const Followed& followed);
  void scan(const Followed& followed);

  struct Untold {
    std::string what;
    std::string why;
    std::string setting;  // that keeps the log from it
  };
  void rescan_untold(const Followed& followed, const Untold& untold);
  void rescan_behind_statement(const Followed& followed);
  void rescan_behind_incident();
  void rescan_behind_strange(const Event& event);
  Result<void> on_untold(const Event& event);
  bool leave_untold(const Bound& bound, const Rows& rows);

  void set_links(const Followed& followed, std::vector<Link> links);
  Result<void> look_below(const Statement& statement, std::string_view database);
  void rescan_below(std::string_view table);
  void bind_parents(Bound& bound) const;
  void note_child(const Bound& bound, const RowImage* before, const RowImage* after);
  void act_on_children(const Bound& bound, const RowImage& before, const RowImage* after);
  Result<void> show_derived();
  using MovedRecords =  // as their table has them, by field
      std::map<std::pair<model::DatasetId, model::KeyHash>, std::vector<model::Cell>>;
  Result<void> read_moved(const std::vector<Derived>& all, MovedRecords& out);
  void show_moved(const Mapped& mapped, const Derived& derived, const MovedRecords& moved);
  Followed* followed_of(model::DatasetId dataset);

  Result<void> show_images(const Bound& bound, const Rows& rows);
  void show_marker(const Bound& bound, const RowImage& image);
  Result<void> fill(const Bound& bound, const RowImage& image, size_t field_count, RowCells& cells);
  Result<void> fill_field(const Bound& bound, const RowImage& image, size_t field, RowCells& cells);
  Result<void> show_insert(const Bound& bound, const RowImage& after);
  Result<void> show_update(const Bound& bound, const RowImage& before, RowImage& after);
  Result<void> show_delete(const Bound& bound, const RowImage& before);
  void show(const Mapped& mapped, ports::RowOp op, const RowCells& cells,
            std::span<const model::CellView> old_key);
  void reject(const Mapped& mapped, Error error);

  std::shared_ptr<const Shared> shared_;
  Connect connect_;
  std::vector<Followed> followed_;
  std::map<uint64_t, Bound> bound_;
  std::map<std::string, Held> held_;  // by xid
  Cascades cascades_;

  uint32_t server_ = 0;
  uint32_t turn_ = 0;
  bool is_moved_ = false;  // the stream began on another server than its position is of
  Gtid shown_last_;        // there
  Gtid last_;              // the last group that was met
  bool has_domains_ = false;
  bool is_history_known_ = false;
  FileName file_;
  uint32_t file_began_s_ = 0;
  uint64_t file_end_ = 0;  // of what was met of it
  GroupMark expected_;
  bool is_verified_ = false;
  LogPosition read_;  // the last group that was passed
  Place reached_;
  Place told_;                      // the last that the sink knows of
  std::optional<Place> torn_;       // of a group that has no end
  std::optional<GroupMark> ended_;  // that was read through
  bool is_ended_undone_ = false;    // by a ROLLBACK
  bool has_shown_part_ = false;
  Group group_;
  std::vector<ReadGroup> groups_;

  ports::ChangeSink* sink_ = nullptr;
  size_t row_count_ = 0;
  std::vector<ports::DatasetStop> stops_;
  std::vector<model::DatasetId> rescans_;
  std::vector<ports::RejectedRow> rejected_;
  RowCells cells_;
  RowCells old_cells_;
  RowImage before_;
  RowImage after_;
};

}  // namespace syncline::mariadb
