#include "point_group.hpp"

#include <algorithm>
#include <chrono>
#include <optional>

#include "masksc/core/log.hpp"
#include "masksc/core/stop.hpp"
#include "masksc/core/stopwatch.hpp"
#include "point_watch.hpp"

namespace masksc {
namespace {

/// A rank of a group that waits longer for the others after a point has failed on it ends the program: they are stuck
/// in the middle of the point.
constexpr std::chrono::seconds patience{60};

/// How a point ended on the ranks of its group, the same on all of them; nothing for success. `control` has the same
/// ranks as the point's own communicator, in which a rank that failed alone has left the others.
std::optional<Failure> settle(const std::exception_ptr& mine, Collectives& control) {
  std::optional<Failure> failure;
  if (mine) failure = describe_failure(mine);
  if (control.size() == 1) return failure;
  const std::string note = failure ? "the point failed on this rank: " + failure->message : std::string();
  control.watch(failure ? patience : std::chrono::seconds(0), [note] { return note; });
  std::vector<std::int32_t> codes(static_cast<std::size_t>(control.size()));
  const std::int32_t code = failure ? static_cast<std::int32_t>(failure->code) : 0;
  control.all_gather(std::span<const std::int32_t>(&code, 1), std::span(codes));
  const auto is = [&](auto wanted) { return std::find_if(codes.begin(), codes.end(), wanted) - codes.begin(); };
  auto from = is([](std::int32_t c) { return c != 0 && c != static_cast<std::int32_t>(ExitCode::stopped); });
  const auto end = static_cast<std::ptrdiff_t>(codes.size());
  if (from == end) from = is([](std::int32_t c) { return c != 0; });
  if (from == end) return {};
  return Failure{static_cast<ExitCode>(codes[static_cast<std::size_t>(from)]),
                 broadcast_text(control, failure ? failure->message : "", static_cast<int>(from))};
}

}  // namespace

PointGroup::PointGroup(const std::vector<Point>& points, const PointSession& session,
                       const std::filesystem::path& folder, std::unique_ptr<Collectives> ranks)
    : points_(points),
      session_(session),
      folder_(folder),
      ranks_(std::move(ranks)),
      control_(ranks_->size() > 1 ? ranks_->split(0) : nullptr) {}

void PointGroup::work(const PointIndices& mine) {
  for (;;) {
    const std::int64_t next = of_root(*ranks_, [&] { return take(mine); });
    if (next < 0 || !run(static_cast<std::size_t>(next))) return;
  }
}

std::int64_t PointGroup::take(const PointIndices& mine) const {
  for (const std::int64_t point : mine) {
    if (stop_requested()) static_cast<void>(session_.mark(stop_mark));
    if (session_.marked(stop_mark)) return -1;
    if (session_.mark(claim_mark(static_cast<std::size_t>(point)))) return point;
  }
  return -1;
}

/// Whether the group goes on: false after a stop.
bool PointGroup::run(std::size_t index) {
  const Point& point = points_[index];
  const Stopwatch stopwatch;
  PointOutcome outcome;
  std::exception_ptr error;
  try {
    const log::Muted muted(log::Level::warning);
    outcome.result = point.run(*ranks_, points_folder(folder_) / point.name);
  } catch (...) {
    error = std::current_exception();
  }
  if (error && control_) note_failure(point, describe_failure(error));
  const std::optional<Failure> failure = settle(error, control_ ? *control_ : *ranks_);
  if (failure && failure->code == ExitCode::stopped) {
    static_cast<void>(session_.mark(stop_mark));
    return false;
  }
  outcome.status = failure ? PointStatus::failed : PointStatus::done;
  if (failure) outcome.failure = *failure;
  outcome.seconds = stopwatch.seconds();
  on_root(*ranks_, [&] {
    write_record(folder_, point, outcome);
    static_cast<void>(session_.mark(end_mark(index)));
  });
  return true;
}

/// The record of a point that failed on this rank, before it waits for the others: where they are stuck in the
/// middle of the point the program ends.
void PointGroup::note_failure(const Point& point, const Failure& failure) const {
  if (failure.code == ExitCode::stopped) return;
  PointOutcome outcome;
  outcome.status = PointStatus::failed;
  outcome.failure = failure;
  try {
    write_record(folder_, point, outcome);
  } catch (const std::exception&) {  // a full disk, or no memory left: the message says what went wrong
  }
}

}  // namespace masksc
