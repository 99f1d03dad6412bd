// What foreign keys do to the rows of children, which the log does not tell: made up from the log's
// own rows of the parents, and from which children they have at that place in the log.
//
//   a parent's row        ON ...     its children      and then
//   is deleted            CASCADE    are deleted       theirs
//                         SET NULL   hang on nothing   those that referred to those cells
//   has another key       CASCADE    get that key      likewise
//                         SET NULL   hang on nothing   likewise
//
// Children are kept as of the place that was read: every row event moves them on, and so does what
// is made up. They are loaded from the tables as these stand at the end of the log, `exact_from`.
// Until the log is read up to there, a record that was loaded and not told of since is as it will
// be then: nothing is made up for it. What a parent's change did to such records is not known, and
// their datasets are scanned. So they are where it is not known which records are meant at all.
//
// Owner: of the children. Threads: one at a time. Errors: none.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "drivers/systems/mariadb/detail/children.hpp"
#include "drivers/systems/mariadb/detail/links.hpp"
#include "drivers/systems/mariadb/detail/position.hpp"

namespace syncline::mariadb {

struct LinkId {
  model::DatasetId dataset = 0;  // of the child
  size_t link = 0;
};

struct Derived {
  enum class Kind : uint8_t { kDelete, kUpdate, kMove };
  Kind kind = Kind::kDelete;
  model::DatasetId dataset = 0;
  std::string key;                                     // joined
  std::string old_key;                                 // kMove: before it
  std::vector<std::pair<size_t, model::Cell>> fields;  // kUpdate: what is another now
};

class Cascades {
 public:
  bool is_empty() const { return families_.empty(); }

  // The links of a table, as they are now; none: it has none, or is not read. Whether they are
  // others than before.
  bool set_links(const model::Schema& schema, const std::string& table, std::vector<Link> links);
  std::vector<LinkId> of_parent(std::string_view table) const;
  const Link& link(const LinkId& id) const;
  std::vector<std::string> parent_tables() const;
  // The datasets with a link to rows of this one, where foreign keys act on those, too.
  std::set<model::DatasetId> right_below(model::DatasetId parent) const;
  // The datasets whose rows change where those of this table do, all the way down.
  std::set<model::DatasetId> below(std::string_view table) const;

  // Rows were changed that nobody told of: the children are to be loaded anew.
  void forget() { is_due_ = !families_.empty(); }
  bool is_due() const { return is_due_; }
  bool is_loaded(model::DatasetId dataset) const {
    const auto found = families_.find(dataset);
    return found != families_.end() && found->second.children != nullptr;
  }
  std::vector<model::DatasetId> datasets() const;
  // What load() needs of a record: key first.
  const std::vector<size_t>& fields_of(model::DatasetId dataset) const {
    return families_.at(dataset).fields;
  }
  void begin_load();
  void load(model::DatasetId dataset, std::span<const model::CellView> cells);
  void end_load(Place exact_from);

  // A row event. cells: by field; what is unchanged stays as it was known.
  void put(model::DatasetId dataset, const std::string& old_key,
           std::span<const model::CellView> cells);
  void remove(model::DatasetId dataset, const std::string& key);
  // A parent's row, by the referenced columns in the child's types; after: none for a delete.
  void act(const LinkId& id, std::vector<model::Cell> before,
           std::optional<std::vector<model::Cell>> after, Place group);
  std::vector<Derived> take_derived() { return std::exchange(derived_, {}); }
  std::set<model::DatasetId> take_scans() { return std::exchange(scans_, {}); }

  // What was read since the last commit is durable with the poll, or will be read again.
  void commit();
  void roll_back();

 private:
  struct Family {
    const model::Schema* schema = nullptr;
    std::string table;
    std::vector<Link> links;
    std::vector<size_t> kept;    // fields behind the key that links are made of
    std::vector<size_t> fields;  // the key's, and these
    std::unique_ptr<Children> children;
  };
  struct Step {
    LinkId id;
    std::vector<model::Cell> before;
    std::optional<std::vector<model::Cell>> after;
  };
  using Record = std::vector<model::Cell>;  // by field; those that are not kept: unchanged

  void find_kept(Family& family) const;
  void scan(model::DatasetId dataset);
  void run(const Step& step, Place group);
  void apply(Family& family, const Step& step, Action action, const model::KeyHash& id);
  void pass_on(const Family& family, const Record& before, const Record* after);
  static Record unpack(const Family& family, const ChildRecord& record);
  static ChildRecord pack(const Family& family, const Record& record);

  std::map<model::DatasetId, Family> families_;
  bool is_due_ = false;
  Place exact_from_;
  // Scanned behind the load: that shows what happened until exact_from_ once and for all.
  std::set<model::DatasetId> asked_;
  std::vector<Step> steps_;
  std::vector<Derived> derived_;
  std::set<model::DatasetId> scans_;
};

}  // namespace syncline::mariadb
