// JSON that may be damaged, or made to harm: records of runs, manifests of files.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "masksc/core/error.hpp"
#include "masksc/core/json.hpp"

namespace masksc {

/// Deeper nesting would exhaust the stack where values are compared or written out.
constexpr int deepest_json = 32;

/// Throws UserError that begins with `subject` ("'run.json'") when `text` is no JSON, or nested too deeply.
Json parse_json(std::string_view text, const std::string& subject);

/// The JSON in a file. Throws UserError when it can't be read, or as parse_json.
Json read_json_file(const std::filesystem::path& path);

/// The texts of a list, or the one that stands alone. Throws Json::exception for anything else.
std::vector<std::string> texts_of(const Json& value);

/// Runs `read`, which takes values out of JSON. Throws UserError that begins with `subject` when one is missing or of
/// another kind.
template <typename Read>
decltype(auto) read_json(const std::string& subject, Read&& read) {
  try {
    return read();
  } catch (const Json::exception& e) {
    throw UserError(subject + " is damaged: it does not hold what it should (" + e.what() + ")");
  }
}

}  // namespace masksc
