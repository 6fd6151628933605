// JSON with the order of keys kept (nlohmann-json).
#pragma once

#include <nlohmann/json.hpp>

namespace masksc {
using Json = nlohmann::ordered_json;
}
