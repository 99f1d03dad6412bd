#include "host/model/frame.hpp"

namespace syncline::model {

bool Frame::is_empty() const {
  return entries.empty() && conflicts.empty() && records.empty() && confirmations.empty() &&
         skips.empty() && locals.empty() && deltas.empty() && progress.empty();
}

namespace {

constexpr size_t kShortText = 15;  // a string keeps these within itself

size_t memory_size(const std::string& text) {
  return text.capacity() > kShortText ? text.capacity() + 1 : 0;
}

size_t memory_size(const CellList& cells) {
  size_t size = cells.capacity() * sizeof(EntryCell);
  for (const EntryCell& cell : cells) size += memory_size(cell.bytes);
  return size;
}

size_t count_size(const Frame& frame) {
  size_t size = sizeof frame + frame.entries.capacity() * sizeof(Entry) +
                frame.records.capacity() * sizeof(RecordImage);
  for (const Entry& entry : frame.entries) {
    size += memory_size(entry.key) + memory_size(entry.cells) + entry.targets.size_on_heap();
  }
  for (const RecordImage& record : frame.records) {
    size += memory_size(record.key) + memory_size(record.state);
    if (!record.cells.is_shared()) size += memory_size(record.cells);  // with its entry
  }
  for (const TableDelta& delta : frame.deltas) size += memory_size(delta.bytes);
  return size;
}

}  // namespace

size_t memory_size(const Frame& frame) {
  return frame.known_size.bytes != 0 ? frame.known_size.bytes : count_size(frame);
}

FramePointer share(Frame&& frame) {
  frame.known_size.bytes = count_size(frame);
  return std::make_shared<const Frame>(std::move(frame));
}

}  // namespace syncline::model
