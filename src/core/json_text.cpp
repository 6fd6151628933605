#include "masksc/core/json_text.hpp"

#include <fmt/format.h>

#include "masksc/core/files.hpp"
#include "masksc/core/text.hpp"

namespace masksc {

Json parse_json(std::string_view text, const std::string& subject) {
  const auto shallow = [&](int depth, Json::parse_event_t, const Json&) {
    if (depth > deepest_json)
      throw UserError(fmt::format("{} is damaged: its JSON is nested more than {} deep", subject, deepest_json));
    return true;
  };
  try {
    return Json::parse(text, shallow);
  } catch (const Json::exception& e) {
    throw UserError(fmt::format("{} is damaged: it is no JSON ({})", subject, printable(e.what())));
  }
}

Json read_json_file(const std::filesystem::path& path) {
  return parse_json(read_file(path), fmt::format("'{}'", path.string()));
}

std::vector<std::string> texts_of(const Json& value) {
  if (value.is_array()) return value.get<std::vector<std::string>>();
  const auto text = value.get<std::string>();
  return text.empty() ? std::vector<std::string>{} : std::vector<std::string>{text};
}

}  // namespace masksc
