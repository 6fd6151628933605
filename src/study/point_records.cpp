#include "point_records.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "masksc/core/descriptor.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/json_text.hpp"
#include "masksc/core/text.hpp"

namespace masksc {
namespace {

namespace fs = std::filesystem;

std::string text_of(const Json& object, const std::string& key) {
  if (!object.contains(key)) return "(none)";
  const Json& value = object.at(key);
  const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  return text.empty() ? "(none)" : shown(text);
}

/// "epochs = 3, now it is 4": the first key in which two objects differ.
std::string first_difference(const Json& was, const Json& is) {
  Json all = was;
  all.update(is);
  for (const auto& [key, _] : all.items()) {
    if (was.contains(key) && is.contains(key) && was.at(key) == is.at(key)) continue;
    if (was.contains(key) && was.at(key).is_object() && is.contains(key) && is.at(key).is_object())
      return first_difference(was.at(key), is.at(key));
    return fmt::format("{} = {}, now it is {}", key, text_of(was, key), text_of(is, key));
  }
  return "another identity";
}

}  // namespace

fs::path points_folder(const fs::path& folder) { return folder / "points"; }
fs::path record_path(const fs::path& folder, const Point& point) {
  return points_folder(folder) / (point.name + ".json");
}

void write_record(const fs::path& folder, const Point& point, const PointOutcome& outcome) {
  Json record = {{"name", point.name}, {"identity", point.identity}, {"seconds", outcome.seconds}};
  if (outcome.status == PointStatus::done) {
    record["status"] = "done";
    record["result"] = outcome.result;
  } else {
    record["status"] = "failed";
    record["error"] = printable(outcome.failure.message, true);
    record["exit_code"] = static_cast<int>(outcome.failure.code);
  }
  write_file(record_path(folder, point), record.dump(2) + "\n");
}

PointOutcome read_record(const fs::path& folder, const Point& point, bool ignore_others) {
  const fs::path path = record_path(folder, point);
  PointOutcome outcome;
  if (!fs::exists(path)) return outcome;
  const std::string subject = fmt::format("'{}'", path.string());
  const Json record = parse_json(read_file(path), subject);
  read_json(subject, [&] {
    const Json& identity = record.at("identity");
    if (!identity.is_object() || identity != point.identity) {
      if (ignore_others) return;
      throw UserError(fmt::format("'{}' holds {} with {}; choose another --output, or replace it with --overwrite",
                                  folder.string(), point.name,
                                  first_difference(identity.is_object() ? identity : Json::object(), point.identity)));
    }
    outcome.seconds = record.at("seconds").get<double>();
    if (record.at("status").get<std::string>() == "done") {
      outcome.status = PointStatus::done;
      outcome.result = record.at("result");
    } else {
      outcome.status = PointStatus::failed;
      outcome.failure = {static_cast<ExitCode>(record.at("exit_code").get<int>()),
                         record.at("error").get<std::string>()};
    }
  });
  return outcome;
}

std::set<std::string> recorded_names(const fs::path& folder) {
  std::set<std::string> names;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(points_folder(folder), none)) {
    const fs::path file = entry.path().filename();
    if (file.extension() == ".json" && !file.string().starts_with(".")) names.insert(file.stem().string());
  }
  return names;
}

std::string session_name(int only) { return only < 0 ? ".session" : fmt::format(".session-{}", only); }

void PointSession::begin() const {
  std::error_code error;
  fs::remove_all(folder_, error);
  if (!error) fs::create_directories(folder_, error);
  if (error) throw EnvironmentError(fmt::format("cannot make folder '{}': {}", folder_.string(), error.message()));
}

void PointSession::end() const noexcept {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

bool PointSession::mark(const std::string& name) const {
  const fs::path path = folder_ / name;
  if (Descriptor(::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600))) return true;
  if (errno == EEXIST) return false;
  throw EnvironmentError(fmt::format("cannot make '{}': {}; all ranks must see and may write --output", path.string(),
                                     std::strerror(errno)));
}

bool PointSession::marked(const std::string& name) const {
  std::error_code ignored;
  return fs::exists(folder_ / name, ignored);
}

}  // namespace masksc
