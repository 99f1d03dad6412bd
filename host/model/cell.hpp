// A cell's state and canonical bytes. NULL and unchanged are distinct from every value.
//
// CellView borrows its bytes; Cell owns them. Threads: values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace syncline::model {

// Permanent values: they are written to the journal.
enum class CellState : uint8_t {
  kUnchanged = 0,  // not known here: unsent TOAST, a partial row image, an untouched field
  kNull = 1,
  kValue = 2,
};

struct CellView {
  CellState state = CellState::kUnchanged;
  std::string_view bytes;  // canonical bytes (model/types.hpp); empty unless kValue

  bool operator==(const CellView&) const = default;
};

struct Cell {
  CellState state = CellState::kUnchanged;
  std::string bytes;

  Cell() = default;
  Cell(CellState cell_state, std::string cell_bytes)
      : state(cell_state), bytes(std::move(cell_bytes)) {}
  explicit Cell(const CellView& view) : state(view.state), bytes(view.bytes) {}

  static Cell null() { return {CellState::kNull, {}}; }
  static Cell value(std::string bytes) { return {CellState::kValue, std::move(bytes)}; }

  CellView view() const { return {state, bytes}; }
  bool operator==(const Cell&) const = default;
};

}  // namespace syncline::model
