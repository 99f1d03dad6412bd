#include "host/app/remembered.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include "host/app/control.hpp"

namespace syncline::app {
namespace {

namespace json = boost::json;
using config::ColumnShape, config::SystemShape, config::TableShape;

constexpr const char* kFile = "systems.json";
constexpr int64_t kFormat = 1;

json::object column_to_json(const ColumnShape& column) {
  json::object object = {{"name", column.name},
                         {"type", model::to_string(column.type)},
                         {"nullable", column.is_nullable},
                         {"generated", column.is_generated},
                         {"equivalence", static_cast<int64_t>(column.equivalence)}};
  if (column.may_be) object["may_be"] = model::to_string(*column.may_be);
  if (!column.own_type.empty()) object["own_type"] = column.own_type;
  if (column.is_numbered) object["numbered"] = true;
  return object;
}

json::object table_to_json(const TableShape& table) {
  json::array columns;
  for (const ColumnShape& column : table.columns) columns.push_back(column_to_json(column));
  json::array keys;
  for (const auto& key : table.keys) keys.push_back(json::array(key.begin(), key.end()));
  return {{"name", table.name},
          {"kind", table.kind},
          {"columns", std::move(columns)},
          {"keys", std::move(keys)}};
}

// A member that older files do not have.
std::string text_in(const json::object& object, std::string_view name) {
  const json::value* found = object.if_contains(name);
  return found == nullptr ? std::string() : std::string(found->as_string());
}

std::optional<ColumnShape> column_from_json(const json::value& from) {
  const json::object& object = from.as_object();
  auto type = model::parse_type(std::string_view(object.at("type").as_string()));
  if (!type) return std::nullopt;
  ColumnShape column;
  column.name = object.at("name").as_string();
  column.type = type.value();
  column.is_nullable = object.at("nullable").as_bool();
  column.is_generated = object.at("generated").as_bool();
  column.equivalence = static_cast<model::KeyEquivalence>(object.at("equivalence").as_int64());
  column.own_type = text_in(object, "own_type");
  column.is_numbered = object.contains("numbered");
  const std::string other = text_in(object, "may_be");
  if (other.empty()) return column;
  auto may_be = model::parse_type(other);
  if (!may_be) return std::nullopt;
  column.may_be = may_be.value();
  return column;
}

std::optional<TableShape> table_from_json(const json::value& from) {
  const json::object& object = from.as_object();
  TableShape table;
  table.name = object.at("name").as_string();
  table.kind = text_in(object, "kind");
  for (const json::value& value : object.at("columns").as_array()) {
    auto column = column_from_json(value);
    if (!column) return std::nullopt;
    table.columns.push_back(std::move(*column));
  }
  for (const json::value& key : object.at("keys").as_array()) {
    auto& columns = table.keys.emplace_back();
    for (const json::value& name : key.as_array()) columns.emplace_back(name.as_string());
  }
  return table;
}

std::vector<SystemShape> shapes_from_json(const json::object& object) {
  std::vector<SystemShape> shapes;
  if (object.at("format").as_int64() != kFormat) return shapes;
  for (const auto& [system, tables] : object.at("systems").as_object()) {
    SystemShape& shape = shapes.emplace_back();
    shape.system = system;
    for (const json::value& value : tables.as_array()) {
      auto table = table_from_json(value);
      if (table) shape.tables.push_back(std::move(*table));
    }
  }
  return shapes;
}

}  // namespace

std::vector<SystemShape> read_remembered(const std::string& data_folder) {
  std::ifstream file(std::filesystem::path(data_folder) / kFile);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  boost::system::error_code code;
  const json::value value = json::parse(text, code);
  if (code || !value.is_object()) return {};
  try {
    return shapes_from_json(value.get_object());
  } catch (const std::exception&) {  // how the library says that a member is missing
    return {};
  }
}

Result<void> remember(const std::vector<SystemShape>& shapes, Disk& disk) {
  json::object systems;
  for (const SystemShape& shape : shapes) {
    json::array tables;
    for (const TableShape& table : shape.tables) {
      if (table.unread.empty()) tables.push_back(table_to_json(table));
    }
    systems[shape.system] = std::move(tables);
  }
  const json::value value = json::object{{"format", kFormat}, {"systems", std::move(systems)}};
  return disk.replace(kFile, pretty(value) + "\n");
}

const TableShape* find_table(const std::vector<SystemShape>& shapes, const std::string& system,
                             const std::string& table) {
  const auto shape = std::ranges::find(shapes, system, &SystemShape::system);
  if (shape == shapes.end()) return nullptr;
  const auto found = std::ranges::find(shape->tables, table, &TableShape::name);
  return found == shape->tables.end() ? nullptr : &*found;
}

}  // namespace syncline::app
