#include "tensorboard.hpp"

#include <fmt/format.h>

#include <optional>
#include <utility>
#include <vector>

#include "masksc/core/error.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/run_log.hpp"

namespace masksc {
namespace {

/// A step of the log: `group` is what heads its tags.
struct LoggedStep {
  std::string group;
  ScalarEvent event;
};

/// Numbers of `values` by tag; null is what JSON has for a number that is not finite.
void add_numbers(const Json& values, const std::string& tag, ScalarEvent& event) {
  for (const auto& [name, value] : values.items()) {
    if (value.is_object())
      add_numbers(value, fmt::format("{}/{}", tag, name), event);
    else if (value.is_number() && name != "step" && name != "time")
      event.values.emplace_back(fmt::format("{}/{}", tag, name), value.get<float>());
    else if (value.is_null())
      event.values.emplace_back(fmt::format("{}/{}", tag, name), std::nanf(""));
  }
}

/// None for a line that is no step.
std::optional<LoggedStep> step_of(const Json& line) {
  if (!line.is_object() || !line.contains("loss") || !line.value("step", Json()).is_number_integer() ||
      !line.value("stage", Json()).is_string())
    return std::nullopt;
  LoggedStep step;
  step.group = line.at("stage").get<std::string>();
  if (line.value("encoder", Json()).is_string())
    step.group += fmt::format("_{}", line.at("encoder").get<std::string>());
  step.event.step = line.at("step").get<std::int64_t>();
  const Json time = line.value("time", Json());  // logs of older versions have none
  step.event.seconds = time.is_number() ? time.get<double>() : log_time();
  add_numbers(line, step.group, step.event);
  return step;
}

/// The steps of a log in its order, without those that the run went back behind.
std::map<std::string, std::vector<ScalarEvent>> read_steps(const std::filesystem::path& path) {
  std::map<std::string, std::vector<ScalarEvent>> groups;
  for_each_logged_line(path, [&](const Json& line) {
    auto step = step_of(line);
    if (!step) return;
    std::vector<ScalarEvent>& events = groups[step->group];
    while (!events.empty() && events.back().step >= step->event.step) events.pop_back();
    events.push_back(std::move(step->event));
  });
  return groups;
}

}  // namespace

TensorBoard::TensorBoard(std::filesystem::path log, std::filesystem::path folder)
    : log_(std::move(log)), folder_(std::move(folder)) {
  rewrite();
}

void TensorBoard::add(const Json& line) {
  if (!file_) return;
  const auto step = step_of(line);
  if (!step) return;
  std::int64_t& last = steps_[step->group];
  if (step->event.step <= last) {
    rewrite();  // this step is in the log already
    return;
  }
  try {
    file_->append({&step->event, 1});
    last = step->event.step;
  } catch (const EnvironmentError& e) {
    log::warning("{}; the run goes on, TensorBoard will not see the rest", e.what());
    file_.reset();
  }
}

void TensorBoard::rewrite() {
  try {
    auto file = std::make_unique<EventFile>(folder_);
    steps_.clear();
    for (const auto& [group, events] : read_steps(log_)) {
      file->append(events);
      steps_[group] = events.back().step;
    }
    file_ = std::move(file);
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
      if (is_event_file(entry.path()) && entry.path() != file_->path()) std::filesystem::remove(entry.path());
  } catch (const std::exception& e) {  // EnvironmentError, or the file system's own
    log::warning("{}; the run goes on, TensorBoard will not see the rest", e.what());
    file_.reset();
  }
}

}  // namespace masksc
