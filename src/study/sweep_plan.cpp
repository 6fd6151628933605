// What --plan says of the points of a sweep: the same figures that their runs would measure.
#include <fmt/format.h>

#include "masksc/plan/cost.hpp"
#include "masksc/plan/plan.hpp"
#include "masksc/run/plan_input.hpp"
#include "masksc/study/sweep.hpp"

namespace masksc {
namespace {

Json plan_point(const Sweep& sweep, const SweepPoint& point) {
  RunOptions options = point.options;
  options.plan.plan = true;
  if (ranks_are_swept(sweep)) options.plan.ranks = point.ranks;
  Json row = {{"name", point.design.name}, {"values", values_of(sweep, point.design)}, {"ranks", options.plan.ranks}};
  try {
    const PlanInput input = plan_input(options);
    const auto cells = static_cast<double>(cells_per_step(input));
    const std::int64_t rows = rows_of(input).batch;
    const double step = step_time(input, rows, input.ranks).total();
    // Strong scaling is against the whole batch on one rank, weak against one rank's share on one.
    const bool weak = row["values"].value("scaling", "") == "weak" || sweep.settings.scaling == Scaling::weak;
    const std::int64_t rows_alone = weak ? rows : cells_per_step(input);
    const double alone = static_cast<double>(rows_alone) / step_time(input, rows_alone, 1).total();
    row["batch"] = cells;
    row["step_seconds"] = step;
    row["cells_per_second"] = cells / step;
    row["efficiency"] = cells / step / (alone * static_cast<double>(input.ranks));
    row["memory_bytes"] = memory_of(input).peak();
    row["fits"] = memory_of(input).peak() <= input.device.memory;
    row["training_seconds"] = step * static_cast<double>(planned_steps(input));
  } catch (const UserError& e) {
    row["error"] = e.what();
  }
  return row;
}

}  // namespace

Json plan_sweep(const Sweep& sweep) {
  Json points = Json::array();
  for (const SweepPoint& point : sweep.points) points.push_back(plan_point(sweep, point));
  return {{"points", points}};
}

std::string plan_sweep_table(const Sweep& sweep) {
  std::string text = "|";
  std::string rule = "\n|";
  for (const Factor& factor : sweep.factors) {
    text += fmt::format(" {} |", factor.name);
    rule += "---|";
  }
  if (!ranks_are_swept(sweep)) text += " ranks |";
  text += " cells a step | ms a step | cells/s | efficiency | memory a rank, MiB | training, hours |";
  text += rule + (ranks_are_swept(sweep) ? "---|---|---|---|---|---|\n" : "---|---|---|---|---|---|---|\n");
  for (const SweepPoint& point : sweep.points) {
    const Json row = plan_point(sweep, point);
    text += "|";
    for (const std::string& value : point.design.values) text += fmt::format(" {} |", value);
    if (!ranks_are_swept(sweep)) text += fmt::format(" {} |", row.at("ranks").get<std::int64_t>());
    if (row.contains("error")) {
      text += fmt::format(" {} | | | | |\n", row.at("error").get<std::string>());
      continue;
    }
    text +=
        fmt::format(" {:.0f} | {:.2f} | {:.0f} | {:.3f} | {:.0f}{} | {:.2f} |\n", row.at("batch").get<double>(),
                    row.at("step_seconds").get<double>() * 1e3, row.at("cells_per_second").get<double>(),
                    row.at("efficiency").get<double>(), row.at("memory_bytes").get<double>() / (1 << 20),
                    row.at("fits").get<bool>() ? "" : " (too much)", row.at("training_seconds").get<double>() / 3600);
  }
  return text;
}

}  // namespace masksc
