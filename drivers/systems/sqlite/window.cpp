#include "drivers/systems/sqlite/detail/window.hpp"

#include <utility>

namespace syncline::sqlite {
namespace {

ports::RowOp row_op(ChangeOp op) {
  if (op == ChangeOp::kInsert) return ports::RowOp::kInsert;
  return ports::RowOp::kUpdate;
}

}  // namespace

void Window::add(ChangeRecord&& change) {
  switch (change.op) {
    case ChangeOp::kOrigin:
      return;
    case ChangeOp::kMarker:
      marker_ = items_.size();
      items_.push_back(
          {.is_marker = true, .at_ms = change.at_ms, .payload = std::move(change.payload)});
      return;
    case ChangeOp::kImage:
      return add_image(std::move(change));
    default:
      return change.is_ours ? add_our_row(std::move(change)) : add_user_row(std::move(change));
  }
}

void Window::look_ahead(ChangeRecord&& change) {
  if (change.op == ChangeOp::kMarker || change.op == ChangeOp::kOrigin) return;
  if (change.record >= progress_.size()) return;
  Progress& known = progress_[change.record];
  if (std::exchange(known.is_looked_at, true)) return;
  if (change.op == ChangeOp::kImage) {
    if (known.users != kNone) {
      items_[known.users].values = Values::kImage;
      items_[known.users].payload = std::move(change.payload);
    }
  } else if (known.users != kNone) {
    Item& item = items_[known.users];
    const bool has_moved_on = item.is_gone && item.moved_to && *item.moved_to != change.record;
    item.is_dropped = !has_moved_on;
    if (has_moved_on) item.values = Values::kGone;
  } else if (known.ours != kNone) {
    items_[known.ours].values = Values::kWritten;
  }
}

void Window::add_user_row(ChangeRecord&& change) {
  std::optional<size_t> moved_from = first_place(change);
  if (moved_from && change.moved_from) {
    tell_place(*moved_from, *change.moved_from, change.record);
  }
  std::optional<size_t> moved_to;
  Progress& known = progress(change.record);
  ports::RowOp first_op = row_op(change.op);
  if (known.users != kNone) {
    Item& before = items_[known.users];
    before.is_dropped = true;
    first_op = before.op;
    moved_to = before.moved_to;
    if (change.op != ChangeOp::kInsert) moved_from = before.moved_from;
  }
  if (known.ours != kNone) items_[known.ours].values = Values::kWritten;
  known.ours = kNone;
  known.users = push(change);
  items_.back().op = first_op;
  items_.back().is_gone = change.op == ChangeOp::kDelete;
  items_.back().moved_from = moved_from;
  items_.back().moved_to = moved_to;
}

// The first row of a key tells where it went, however often it moved; those that came behind it
// there were not in the run before.
void Window::tell_place(size_t origin, size_t before, size_t now) {
  const Progress& from = progress(origin);
  if (from.users == kNone) return;
  std::optional<size_t>& to = items_[from.users].moved_to;
  if (!to || *to == before) to = now;
}

// The record whose row it was before the run, also where the row has moved more than once.
std::optional<size_t> Window::first_place(const ChangeRecord& change) {
  if (!change.moved_from) return std::nullopt;
  const Progress& from = progress(*change.moved_from);
  if (from.users == kNone || !items_[from.users].moved_from) return change.moved_from;
  return items_[from.users].moved_from;
}

void Window::add_image(ChangeRecord&& change) {
  Progress& known = progress(change.record);
  if (known.users == kNone) return;  // the user's rows were shown before this run
  items_[known.users].values = Values::kImage;
  items_[known.users].payload = std::move(change.payload);
  known.users = kNone;
}

// A row of ours without an image behind a user's comes from a trigger of theirs that touched a
// record we did not mean to write: theirs, then, and shown with their other rows.
void Window::add_our_row(ChangeRecord&& change) {
  Progress& known = progress(change.record);
  if (known.users != kNone) return add_user_row(std::move(change));
  ports::RowOp first_op = row_op(change.op);
  if (known.ours != kNone) {
    Item& before = items_[known.ours];
    if (before.marker == marker_) {
      before.is_dropped = true;
      first_op = before.op;
    } else {
      before.values = Values::kWritten;
    }
  }
  known.ours = push(change);
  items_.back().is_ours = true;
  items_.back().op = first_op;
}

Window::Progress& Window::progress(size_t record) {
  if (record >= progress_.size()) progress_.resize(record + 1);
  return progress_[record];
}

size_t Window::push(const ChangeRecord& change) {
  Item& item = items_.emplace_back();
  item.at_ms = change.at_ms;
  item.record = change.record;
  item.marker = marker_;
  return items_.size() - 1;
}

}  // namespace syncline::sqlite
