#include "masksc/study/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "masksc/core/error.hpp"
#include "masksc/core/hash.hpp"
#include "masksc/core/number_of.hpp"
#include "masksc/core/text.hpp"
#include "masksc/io/counts_reader.hpp"
#include "masksc/io/inputs.hpp"
#include "masksc/model/host_memory.hpp"
#include "masksc/plan/cost.hpp"
#include "masksc/plan/plan.hpp"
#include "masksc/run/pipeline.hpp"
#include "masksc/run/plan_input.hpp"

namespace masksc {
namespace {

namespace fs = std::filesystem;

/// What a point's options and settings are, and the table that sets both.
struct Setup {
  RunOptions run;
  SweepSettings sweep;
  OptionTable table;

  Setup(const RunOptions& base, const SweepSettings& settings) : run(base), sweep(settings), table(describe_run(run)) {
    describe(table, sweep);
  }
  Setup(const Setup&) = delete;
  Setup& operator=(const Setup&) = delete;

  void assign(const std::string& factor, const std::string& value) {
    for (const auto& [option, text] : assignments(factor, value))
      table.set(option, text, fmt::format("in --sweep {}", shown(factor)));
  }
  /// The value of a factor as its options tell it.
  [[nodiscard]] std::string value_of(const std::string& factor, const std::string& like) const {
    std::string text;
    for (const auto& [option, value] : assignments(factor, like)) {
      const Option* found = table.find(option);
      if (found == nullptr)
        throw UserError(
            fmt::format("--sweep: unknown option '{}'{}", shown(option), suggestion(option, table.names())));
      text += fmt::format("{}{}", text.empty() ? "" : "+", found->get());
    }
    return text;
  }
};

void refuse_unsuitable(const Factor& factor) {
  for (const auto& [option, value] : assignments(factor.name, factor.values.front())) {
    if (option == "seed") throw UserError("--sweep seed: give --seeds, the number of seeds from --seed on");
    for (const char* other :
         {"output", "overwrite", "resume", "device", "plan", "json", "sweep", "design", "seeds", "points-at-once",
          "point", "list", "collect", "time-limit", "stop-signals", "quiet", "tensorboard"})
      if (option == other) throw UserError(fmt::format("--sweep {}: this option is one of the whole sweep", option));
  }
}

/// Work of a run, to begin the dearest first; 1 where no plan can be made.
double cost_of(const SweepPoint& point) {
  try {
    RunOptions options = point.options;
    options.plan.plan = true;
    options.plan.ranks = point.ranks;
    const PlanInput input = plan_input(options);
    return formula_flop(input).model() * static_cast<double>(planned_steps(input)) *
           static_cast<double>(cells_per_step(input)) / point.ranks;
  } catch (const UserError&) {
    return 1;
  }
}

/// Hash of what the files of --input hold. Not when they were written: a file that is copied or touched between two
/// sessions is the same data.
std::string content_of(const std::vector<std::string>& inputs) {
  Hasher hasher;
  std::vector<char> bytes(std::size_t{1} << 20);
  for (const fs::path& input : listed_inputs(inputs)) {
    for (const fs::path& path : input_files(input)) {
      std::ifstream file(path, std::ios::binary);
      do {
        file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        hasher.add(std::span<const char>(bytes.data(), static_cast<std::size_t>(file.gcount())));
      } while (file);
      if (!file.eof()) throw UserError(fmt::format("cannot read --input '{}'", path.string()));
    }
  }
  return hasher.hex();
}

/// All that a point's result depends on; `content`: of its input.
Json identity_of(const SweepPoint& point, const std::string& content) {
  RunOptions options = point.options;
  Json identity = result_values(describe_run(options), {"labels", "sequence-model"});
  identity["input content"] = content;
  return identity;
}

/// Within what file systems take.
std::string short_name(const std::string& name) {
  constexpr std::size_t longest = 180;
  if (name.size() <= longest) return name;
  Hasher hasher;
  hasher.add(name);
  return fmt::format("{}_{}", name.substr(0, longest - 20), hasher.hex().substr(0, 16));
}

}  // namespace

void describe(OptionTable& table, SweepSettings& settings) {
  table.begin_group("Sweep", OptionRole::runtime);
  table.add_list("sweep", settings.factors,
                 "values of an option, e.g. mask-ratio=0.25,0.5; again, or after a blank, for another one",
                 "OPTION=LIST");
  table.add_choice("design", settings.design, {{"grid", DesignKind::grid}, {"star", DesignKind::star}},
                   "every combination of the values, or one option at a time around the other options' values");
  table.add("seeds", settings.seeds, "seeds of each combination, from --seed on");
  table.add("ranks-per-point", settings.ranks_per_point, "ranks of each run; may be swept");
  table.add_choice("scaling", settings.scaling, {{"strong", Scaling::strong}, {"weak", Scaling::weak}},
                   "the global batch with more --ranks-per-point: it stays, or --batch-size is that of a rank");
  table.add("points-at-once", settings.points_at_once,
            "runs at the same time at most (0: as many as the ranks allow; 1: for figures of speed)");
  table.begin_group("Sweep", OptionRole::request);
  table.add("point", settings.point, "work on one point: its number in --list, or array for SLURM_ARRAY_TASK_ID",
            "all|N|array");
  table.add_switch("list", settings.list, "print the points and stop");
  table.add_switch("collect", settings.collect, "train nothing: write the tables of what is there");
}

Sweep make_sweep(const RunOptions& options, const SweepSettings& settings) {
  require_within("seeds", settings.seeds, 1, 1'000'000);
  require_within("points-at-once", settings.points_at_once, 0, 1'000'000);
  Sweep sweep{settings, parse_factors(settings.factors), {}, {}};
  for (Factor& factor : sweep.factors) {
    refuse_unsuitable(factor);
    sweep.base.push_back(Setup(options, settings).value_of(factor.name, factor.values.front()));
    for (std::string& value : factor.values) {
      Setup setup(options, settings);
      setup.assign(factor.name, value);
      value = setup.value_of(factor.name, value);
    }
  }
  for (DesignPoint& design : expand(sweep.factors, settings.design, sweep.base, options.train.seed, settings.seeds)) {
    Setup setup(options, settings);
    for (std::size_t i = 0; i < sweep.factors.size(); ++i) setup.assign(sweep.factors[i].name, design.values[i]);
    setup.run.train.seed = design.seed;
    design.name = short_name(design.name);
    try {
      require_within("ranks-per-point", setup.sweep.ranks_per_point, 1, 1'000'000);
      if (setup.sweep.scaling == Scaling::weak) setup.run.train.batch_size *= setup.sweep.ranks_per_point;
      RunOptions checked = setup.run;
      checked.plan.plan = checked.plan.plan || settings.list;  // needs neither --input nor --output
      validate(checked);
      validate_deterministic(checked.train, checked.engine, static_cast<int>(setup.sweep.ranks_per_point));
    } catch (const UserError& e) {
      throw UserError(fmt::format("point {}: {}", design.name, e.what()));
    }
    sweep.points.push_back({std::move(design), setup.run, static_cast<int>(setup.sweep.ranks_per_point)});
  }
  return sweep;
}

Json values_of(const Sweep& sweep, const DesignPoint& point) {
  Json values = Json::object();
  for (std::size_t i = 0; i < sweep.factors.size(); ++i) values[sweep.factors[i].name] = point.values[i];
  return values;
}

bool ranks_are_swept(const Sweep& sweep) {
  return std::any_of(sweep.factors.begin(), sweep.factors.end(),
                     [](const Factor& factor) { return factor.name == "ranks-per-point"; });
}

std::string list_points(const Sweep& sweep) {
  std::string text;
  for (std::size_t i = 0; i < sweep.points.size(); ++i) {
    const SweepPoint& point = sweep.points[i];
    text += fmt::format("{}\t{}\t{} {}\t", i, point.design.name, point.ranks, point.ranks == 1 ? "rank" : "ranks");
    for (std::size_t f = 0; f < sweep.factors.size(); ++f)
      for (const auto& [option, value] : assignments(sweep.factors[f].name, point.design.values[f]))
        text += fmt::format("--{} {} ", option, value);
    text += fmt::format("--seed {}\n", point.design.seed);
  }
  return text;
}

int chosen_point(const Sweep& sweep) {
  std::string text = sweep.settings.point;
  if (text == "all") return -1;
  const char* whose = "--point";
  if (text == "array") {
    const char* task = std::getenv("SLURM_ARRAY_TASK_ID");
    if (task == nullptr)
      throw UserError("--point array, but SLURM_ARRAY_TASK_ID is not set: this is no task of a Slurm array");
    text = task;
    whose = "SLURM_ARRAY_TASK_ID";
  }
  const auto number = number_of<std::size_t>(text);
  if (!number || *number >= sweep.points.size())
    throw UserError(fmt::format("{} '{}' is no point of this sweep, which has 0 to {} (--list shows them)", whose,
                                shown(text), sweep.points.size() - 1));
  return static_cast<int>(*number);
}

std::vector<Point> work_of(const Sweep& sweep, const RunPlace& place, bool with_identities) {
  std::vector<Point> work;
  std::map<std::vector<std::string>, std::string> contents;  // --input may be swept
  const auto content = [&](const std::vector<std::string>& inputs) {
    const auto known = contents.find(inputs);
    return known != contents.end() ? known->second : contents[inputs] = content_of(inputs);
  };
  for (const SweepPoint& point : sweep.points) {
    Point made;
    made.name = point.design.name;
    if (with_identities) made.identity = identity_of(point, content(point.options.inputs));
    made.ranks = point.ranks;
    made.cost = cost_of(point);
    made.run = [options = point.options, place](Collectives& ranks, const std::filesystem::path& folder) {
      RunOptions mine = options;
      mine.output = folder.string();
      mine.run.quiet = true;  // many runs on one terminal
      mine.keep_same = true;
      start_peak_memory();
      return run_pipeline(mine, place.with(ranks));
    };
    work.push_back(std::move(made));
  }
  return work;
}

std::string describe_metrics(const Json& metrics) {
  std::string text;
  for (const auto& [key, title] : {std::pair("ari", "ARI"), std::pair("silhouette", "silhouette")}) {
    if (!metrics.contains(key) || !metrics.at(key).is_number()) continue;
    text += fmt::format("{}{} {:.3f}", text.empty() ? "" : ", ", title, metrics.at(key).get<double>());
    break;  // without labels the silhouette
  }
  if (metrics.contains("silhouette_pca") && metrics.at("silhouette_pca").is_number())
    text +=
        fmt::format("{}silhouette (PCA) {:.3f}", text.empty() ? "" : ", ", metrics.at("silhouette_pca").get<double>());
  if (metrics.contains("seconds") && metrics.at("seconds").contains("total"))
    text +=
        fmt::format("{}{}", text.empty() ? "" : ", ", format_duration(metrics.at("seconds").at("total").get<double>()));
  return text;
}

}  // namespace masksc
