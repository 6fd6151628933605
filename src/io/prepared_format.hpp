// The names and the version that writer and reader of prepared files share.
#pragma once

#include <cstdint>

namespace masksc::prepared {

constexpr const char* format_key = "masksc";
constexpr const char* format_name = "prepared counts";
constexpr const char* version_key = "version";
constexpr std::int64_t version = 2;
constexpr const char* fingerprint_key = "fingerprint";
constexpr const char* label_column_key = "label_column";
constexpr const char* ordered_key = "ordered";  // of the groups of labels and batches
constexpr const char* batch_column_key = "batch_column";

}  // namespace masksc::prepared
