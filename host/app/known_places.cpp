#include "host/app/known_places.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>

#include <boost/json/parse.hpp>

#include "host/app/control.hpp"
#include "host/app/daemon.hpp"

namespace syncline::app {
namespace {

namespace json = boost::json;

constexpr const char* kFile = "places.json";
constexpr int64_t kFormat = 1;

KnownPlaces places_in(const std::string& text) {
  KnownPlaces places;
  boost::system::error_code code;
  const json::value value = json::parse(text, code);
  if (code || !value.is_object()) return places;
  try {
    const json::object& object = value.get_object();
    if (object.at("format").as_int64() != kFormat) return places;
    for (const auto& [system, place] : object.at("systems").as_object()) {
      auto bytes = from_hex(place.as_string());
      if (bytes) places[system] = {std::move(bytes).value()};
    }
  } catch (const std::exception&) {  // how the library says that a member is missing
    return {};
  }
  return places;
}

}  // namespace

KnownPlaces read_places(const std::string& data_folder) {
  std::ifstream file(std::filesystem::path(data_folder) / kFile);
  return places_in({std::istreambuf_iterator<char>(file), {}});
}

Result<void> keep_places(const KnownPlaces& places, Disk& disk) {
  json::object systems;
  for (const auto& [system, place] : places) systems[system] = to_hex(place.bytes);
  const json::value value = json::object{{"format", kFormat}, {"systems", std::move(systems)}};
  return disk.replace(kFile, pretty(value) + "\n");
}

Result<void> forget_place(const std::string& system, Disk& disk) {
  SYN_TRY(const bool is_there, disk.exists(kFile));
  if (!is_there) return success();
  SYN_TRY(const std::string text, disk.read_all(kFile));
  KnownPlaces places = places_in(text);
  if (places.erase(system) == 0) return success();
  return keep_places(places, disk);
}

}  // namespace syncline::app
