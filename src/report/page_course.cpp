// The run's side of the page: summary, course of the training, attention, configuration.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "masksc/cluster/outcome.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/json_text.hpp"
#include "masksc/core/text.hpp"
#include "pack.hpp"
#include "page_parts.hpp"

namespace masksc::detail {
namespace {

constexpr std::size_t most_steps = 3000;  // of a curve

void add_card(Json& cards, const std::string& name, const std::string& value, const std::string& note = "") {
  cards.push_back({{"name", name}, {"value", value}, {"note", note}});
}

/// What clusters of another kind than those of K-means are. Runs of older versions don't say.
std::string merged_note(const Json& m) {
  const Json from = m.value("merged_from", Json());
  return from.is_null() ? std::string() : fmt::format(", merged from {}", from.get<std::int64_t>());
}

std::string guidance_note(const Json& m) {
  const std::string by = m.at("guided_by").get<std::string>();
  if (by == "sequence") return "the sequence encoder's answers";
  if (by == "components")
    return m.value("features_from", "") == by ? "principal components, which the features predict"
                                              : "principal components";
  return by == "both" ? "the sequence encoder's answers and principal components" : "";
}

std::string gpu_memory_note(const Json& m) {
  double most = 0;
  const Json all = m.value("peak_gpu_memory_bytes", Json());
  for (const Json& bytes : all.is_array() ? all : Json::array()) most = std::max(most, bytes.get<double>());
  return most > 0 ? format_bytes(most) + " on its GPU" : "";
}

Json summary_of(const Json& m) {
  Json cards = Json::array();
  const auto score = [&](const char* key) {
    return m.at(key).is_null() ? std::string("–") : fmt::format("{:.3f}", m.at(key).get<double>());
  };
  add_card(cards, "ARI", score("ari"));
  add_card(cards, "NMI", score("nmi"));
  add_card(cards, "silhouette", score("silhouette"), silhouette_note(m));
  add_card(cards, "clusters", fmt::format("{}", m.at("clusters").get<std::int64_t>()),
           "by " + m.at("clusters_by").get<std::string>() + merged_note(m) +
               (m.value("clusters_in", Json()) == "components" ? ", of principal components" : ""));
  if (const Json batches = m.value("batch_nmi", Json()); batches.is_number())
    add_card(cards, "NMI of clusters and batches", fmt::format("{:.3f}", batches.get<double>()),
             "0 where each cluster has all batches alike");
  add_card(cards, "cells", fmt::format("{}", m.at("cells").get<std::int64_t>()));
  add_card(cards, "genes used", fmt::format("{}", m.at("genes").get<std::int64_t>()),
           m.value("standardize", "") == "residuals" ? "as Pearson residuals of their counts" : "");
  if (m.contains("guided_by")) add_card(cards, "guided by", m.at("guided_by").get<std::string>(), guidance_note(m));
  if (m.contains("novel_cells"))
    add_card(cards, "novel cells", fmt::format("{}", m.at("novel_cells").get<std::int64_t>()),
             "farther from the reference than 99 % of its own cells");
  if (const Json right = m.value("transfer_accuracy", Json()); right.is_number())
    add_card(cards, "labels carried over", fmt::format("{:.1f} %", 100 * right.get<double>()),
             "of the cells that have one got their own");
  add_card(cards, "time", format_duration(m.at("seconds").at("total").get<double>()),
           m.at("ranks") == 1 ? "1 rank" : fmt::format("{} ranks", m.at("ranks").get<std::int64_t>()));
  if (m.at("cells_per_second").is_number())
    add_card(cards, m.contains("steps") ? "cells/s in training" : "cells/s in embedding",
             fmt::format("{:.0f}", m.at("cells_per_second").get<double>()));
  const Json training = m.value("training", Json::object());
  if (training.contains("tflops")) {
    const Json& share = training.at("fraction_of_peak");
    add_card(cards, "TFLOP/s of a rank", fmt::format("{:.3g}", training.at("tflops").get<double>()),
             share.is_number() ? fmt::format("{:.0f}% of the peak of {}", 100 * share.get<double>(),
                                             training.at("device").get<std::string>())
                               : "");
  }
  double memory = 0;
  for (const Json& bytes : m.at("peak_memory_bytes")) memory = std::max(memory, bytes.get<double>());
  add_card(cards, "peak memory of a rank", format_bytes(memory), gpu_memory_note(m));
  add_card(cards, "seed", fmt::format("{}", m.at("seed").get<std::int64_t>()));
  return cards;
}

/// The curves of a stage by name, at most `most_steps` points each; of a step done twice (after a resume) the last.
Json curves_of(const std::vector<Json>& log, const std::string& stage) {
  static const std::vector<const char*> names = {"loss", "learning_rate", "gradient_norm", "cells_per_second"};
  std::map<std::int64_t, const Json*> steps;
  for (const Json& line : log)
    if (line.is_object() && line.value("stage", "") == stage && !line.contains("event") && line.contains("step") &&
        line.at("step").is_number_integer())
      steps[line.at("step").get<std::int64_t>()] = &line;
  const std::size_t stride = std::max<std::size_t>(1, (steps.size() + most_steps - 1) / most_steps);
  std::map<std::string, std::vector<float>> curves;
  std::size_t number = 0;
  for (const auto& [step, line] : steps) {
    if (number++ % stride != 0) continue;
    curves["step"].push_back(static_cast<float>(step));
    for (const char* name : names) {
      const bool there = line->contains(name) && line->at(name).is_number();
      curves[name].push_back(there ? line->at(name).get<float>() : std::nanf(""));
    }
  }
  Json packed = Json::object();
  for (const auto& [name, values] : curves) {
    const bool all_missing = std::all_of(values.begin(), values.end(), [](float v) { return std::isnan(v); });
    packed[name] = pack(all_missing ? std::vector<float>() : values);
  }
  return packed;
}

float quantile(std::vector<float> values, double share) {
  const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

Json attention_of(const RunContent& run) {
  if (!run.attention || run.attention->cells.empty()) return nullptr;
  const AttentionGrid& grid = *run.attention;
  Json clusters = Json::array();
  for (const AttendedCell& cell : grid.cells) {
    const std::string& name = run.clusters.names.at(static_cast<std::size_t>(cell.cluster));
    if (clusters.empty() || clusters.back().at("cluster") != name)
      clusters.push_back({{"cluster", name}, {"cells", Json::array()}});
    const float most = *std::max_element(cell.attention.begin(), cell.attention.end());
    const float least = *std::min_element(cell.attention.begin(), cell.attention.end());
    clusters.back()["cells"].push_back(
        {{"name", run.cells.at(static_cast<std::size_t>(cell.cell))},
         {"least", least},
         {"most", most},
         {"matrix", pack(quantise<std::uint8_t>(cell.matrix, quantile(cell.matrix, 0.02),
                                                std::max(quantile(cell.matrix, 0.98), 1e-6F), 255.0F))},
         {"attention", pack(quantise<std::uint8_t>(cell.attention, least, most, 255.0F))}});
  }
  return {{"rows", grid.rows},
          {"columns", grid.columns},
          {"patch", {grid.patch_rows, grid.patch_columns}},
          {"genes", grid.genes},
          {"clusters", clusters}};
}

std::string command_of(const RunContent& run) {
  std::string inputs;
  for (const std::string& input : run.inputs) inputs += fmt::format(" --input {}", quoted_word(input));
  if (inputs.empty()) inputs = " --input FILE";
  const auto option = [](const char* name, const std::string& value) {
    return value.empty() ? std::string() : fmt::format(" --{} {}", name, quoted_word(value));
  };
  return fmt::format("mpirun -np {} {} --config {}{}{}{}{}{} --output DIR", run.metrics.at("ranks").get<int>(),
                     run.model.empty() ? "masksc_train" : "masksc_embed",
                     quoted_word(full_path(run.folder / "config.ini").string()), option("model", run.model), inputs,
                     option("labels", run.labels), option("sequence-model", run.sequence_model),
                     option("reference", run.reference));
}

}  // namespace

void add_course(Json& page, const RunContent& run) {
  const std::string subject = fmt::format("'{}/metrics.json'", run.folder.string());
  read_json(subject, [&] {
    page["summary"] = summary_of(run.metrics);
    page["command"] = command_of(run);
    return 0;
  });
  const Json train = curves_of(run.log, "train");
  const Json sequence = curves_of(run.log, "sequence");
  page["training"] = train.empty() && sequence.empty() ? Json(nullptr) : Json{{"train", train}, {"sequence", sequence}};
  page["attention"] = attention_of(run);
  page["configuration"] = run.configuration;
}

}  // namespace masksc::detail
