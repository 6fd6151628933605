#include "masksc/dist/time_limit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <ctime>
#include <string_view>
#include <vector>

#include "masksc/core/error.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/number_of.hpp"
#include "masksc/core/stop.hpp"

namespace masksc {
namespace {

using Clock = std::chrono::steady_clock;

const Clock::time_point program_start = Clock::now();  // when the program's objects are made, before main

[[noreturn]] void refuse(const std::string& limit) {
  throw UserError(
      fmt::format("--time-limit needs none, MINUTES, MINUTES:SECONDS, HOURS:MINUTES:SECONDS or DAYS-HOURS[:MINUTES[:"
                  "SECONDS]], not '{}'",
                  limit));
}

std::int64_t parse_part(const std::string& limit, std::string_view digits) {
  const auto value = number_of<std::int64_t>(digits);
  if (!value || *value < 0 || *value > 1'000'000'000) refuse(limit);
  return *value;
}

/// "14:03:20", with the date when it is not within a day.
std::string clock_text(std::int64_t epoch_seconds) {
  const auto time = static_cast<std::time_t>(epoch_seconds);
  std::tm local{};
  localtime_r(&time, &local);
  std::array<char, 32> text{};
  const bool near = epoch_seconds - std::time(nullptr) < 24 * 3600;
  std::strftime(text.data(), text.size(), near ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &local);
  return text.data();
}

/// Seconds from now to the stop (negative: no limit), and those from the stop to the limit.
using Plan = std::array<double, 2>;

Plan plan_of_option(std::int64_t limit, double grace) {
  const double passed = std::chrono::duration<double>(Clock::now() - program_start).count();
  return {std::max(static_cast<double>(limit) - grace - passed, 0.0), grace};
}

/// A job that is about to end gets less grace: to stop at once, again and again, would never bring the run to its end.
Plan plan_of_job(std::int64_t end, double grace) {
  const auto left = static_cast<double>(end - std::time(nullptr));
  if (left <= 0) {
    log::warning("time limit: the Slurm job should have ended at {}; the run goes on without a limit", clock_text(end));
    return {-1, grace};
  }
  if (left > grace) return {left - grace, grace};
  log::warning("time limit: the Slurm job ends in {:.0f} s, within the {:.0f} s of --grace; grace is now {:.0f} s",
               left, grace, left / 10);
  return {left - left / 10, left / 10};
}

Plan plan_of(const std::string& own, double grace) {
  Plan plan{-1, grace};
  const char* whose = "the limit";
  if (const std::optional<std::int64_t> limit = parse_time_limit(own)) {
    plan = plan_of_option(*limit, grace);
  } else if (const std::optional<std::int64_t> end = slurm_job_end()) {
    plan = plan_of_job(*end, grace);
    whose = "the job's end";
  }
  if (plan[0] >= 0)
    log::info("time limit: stops at {}, {:.0f} s before {}", clock_text(std::time(nullptr) + std::llround(plan[0])),
              plan[1], whose);
  return plan;
}

}  // namespace

std::optional<std::int64_t> parse_time_limit(const std::string& limit) {
  if (limit == "none") return std::nullopt;
  std::string_view rest = limit;
  std::int64_t days = 0;
  const std::size_t dash = rest.find('-');
  const bool with_days = dash != std::string_view::npos;
  if (with_days) {
    days = parse_part(limit, rest.substr(0, dash));
    rest.remove_prefix(dash + 1);
  }
  std::vector<std::int64_t> parts;
  for (std::size_t begin = 0; begin <= rest.size();) {
    const std::size_t end = std::min(rest.find(':', begin), rest.size());
    parts.push_back(parse_part(limit, rest.substr(begin, end - begin)));
    begin = end + 1;
  }
  if (parts.size() > 3) refuse(limit);
  // After days the first number is hours; without them the last of two or three is seconds, and one alone is minutes.
  if (!with_days && parts.size() == 1) parts = {0, parts[0]};
  if (!with_days && parts.size() == 2 && limit.find(':') != std::string::npos) parts.insert(parts.begin(), 0);
  parts.resize(3, 0);
  return ((days * 24 + parts[0]) * 60 + parts[1]) * 60 + parts[2];
}

void watch_time_limit(const std::string& limit, std::int64_t grace, Collectives& ranks) {
  Plan plan{};
  on_root(ranks, [&] { plan = plan_of(limit, static_cast<double>(grace)); });
  ranks.broadcast(std::span<double>(plan));
  const auto deadline =
      plan[0] < 0 ? Clock::time_point::max()
                  : Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(plan[0]));
  set_stop_deadline(deadline, plan[1]);
}

}  // namespace masksc
