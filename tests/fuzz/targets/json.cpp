// JSON records: what a run folder holds, and the heartbeats of ranks.
#include <array>

#include "common.hpp"
#include "masksc/core/json_text.hpp"
#include "masksc/dist/heartbeat_record.hpp"

namespace {

/// Taken out of a record as the folder of a run does.
std::string input_of(const masksc::Json& record) {
  return masksc::read_json("'run.json'", [&] {
    return record.at("input").value("path", "") + std::to_string(record.at("input").value("bytes", std::int64_t{0})) +
           record.value("labels", "");
  });
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = masksc::fuzz::text_of(data, size);
  masksc::Json record;
  if (masksc::fuzz::accepts([&] { record = masksc::parse_json(text, "'run.json'"); })) {
    masksc::fuzz::require(masksc::parse_json(record.dump(2), "'again'") == record);
    try {
      input_of(record);
    } catch (const masksc::UserError&) {
      // names keys of the record, which are the reader's to print
    }
  }
  std::string beat(text.substr(0, masksc::heartbeat_bytes - 1));
  beat.resize(masksc::heartbeat_bytes - 1, ' ');
  if (const auto decoded = masksc::decode(beat + '\n'))
    masksc::fuzz::require(masksc::encode(*decoded).size() == masksc::heartbeat_bytes);
  return 0;
}
