// masksc_checkpoint: lists the checkpoints of a run and checks every byte of them.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "command_line.hpp"
#include "masksc/core/error.hpp"
#include "masksc/core/json_text.hpp"
#include "masksc/core/text.hpp"
#include "masksc/dist/runtime.hpp"
#include "masksc/io/checkpoint_folder.hpp"

namespace {

namespace fs = std::filesystem;
using masksc::Json;

const masksc::ProgramInfo program = {"masksc_checkpoint",
                                     "Lists the checkpoints of a run and checks every byte of them.",
                                     "masksc_checkpoint PATH [--json]\n"
                                     "       PATH is the folder of a run, its checkpoints/, or one file",
                                     "path"};

struct CheckpointOptions {
  std::string path;
  bool json = false;
};

masksc::OptionTable describe(CheckpointOptions& options) {
  masksc::OptionTable table;
  table.begin_group("Input", masksc::OptionRole::path);
  table.add("path", options.path, "folder of a run, folder of checkpoints, or one file", "PATH");
  table.begin_group("Output", masksc::OptionRole::request);
  table.add_switch("json", options.json, "JSON on standard output instead of a table");
  return table;
}

/// The files meant by `path`, checkpoints by step and then what else a run goes on from. Throws UserError.
std::vector<fs::path> files_of(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) throw masksc::UserError(fmt::format("there is no '{}'", path.string()));
  if (!fs::is_directory(path)) return {path};
  const fs::path folder = fs::is_directory(path / "checkpoints") ? path / "checkpoints" : path;
  std::vector<fs::path> files = masksc::checkpoint_files(folder, "");
  for (const char* name : {"embedding.h5", "clusters.h5"})
    if (fs::exists(folder / name)) files.push_back(folder / name);
  if (files.empty()) throw masksc::UserError(fmt::format("there are no checkpoints in '{}'", folder.string()));
  return files;
}

std::string time_of(const fs::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return "";
  return fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::localtime(status.st_mtime));
}

Json report(const fs::path& file) {
  Json entry = {{"file", file.string()}, {"valid", false}, {"latest", false}};
  std::error_code error;
  entry["latest"] = fs::equivalent(file, file.parent_path() / "latest", error);
  entry["saved"] = time_of(file);
  try {
    const masksc::Seal seal = masksc::open_sealed(file, "");
    Json whole = seal.header;  // what the file says of itself never wins over what is seen
    entry["valid"] = masksc::read_json(
        "the header", [&] { return !whole.value("stage", whole.at("kind").get<std::string>()).empty(); });
    entry["bytes"] = seal.file_bytes;
    entry["arrays"] = seal.arrays.size();
    whole.update(entry);
    entry.update(whole);
  } catch (const masksc::UserError& e) {
    entry["bytes"] = static_cast<std::int64_t>(fs::file_size(file, error));
    entry["error"] = e.what();
  }
  return entry;
}

std::string number(const Json& entry, const char* name) {
  return entry.contains(name) && entry.at(name).is_number() ? entry.at(name).dump() : "-";
}

std::string table(const std::vector<Json>& entries) {
  std::size_t width = 4;
  for (const Json& entry : entries)
    width = std::max(width, fs::path(entry.at("file").get<std::string>()).filename().string().size());
  std::string text = fmt::format("{:<{}}  {:<9} {:>9} {:>7} {:>9} {:>10}  {:<19}  {}\n", "file", width, "stage", "step",
                                 "epoch", "cursor", "size", "saved", "state");
  for (const Json& entry : entries) {
    const bool valid = entry.at("valid").get<bool>();
    text += fmt::format("{:<{}}  {:<9} {:>9} {:>7} {:>9} {:>10}  {:<19}  {}{}\n",
                        fs::path(entry.at("file").get<std::string>()).filename().string(), width,
                        valid ? masksc::shown(entry.value("stage", entry.at("kind").get<std::string>())) : "-",
                        number(entry, "step"), number(entry, "epoch"), number(entry, "cursor"),
                        masksc::format_bytes(entry.at("bytes").get<double>()), entry.at("saved").get<std::string>(),
                        valid ? "good" : "DAMAGED", entry.at("latest").get<bool>() ? ", latest" : "");
  }
  return text;
}

std::string text_of(const Json& value) {
  return masksc::printable(value.is_string() ? value.get<std::string>() : value.dump());
}

/// What one good file says of its run.
std::string details(const Json& entry) {
  std::string text = "\n";
  for (const auto& [name, value] : entry.items()) {
    if (name == "configuration" || name == "file") continue;
    if (value.is_object())
      for (const auto& [inner, content] : value.items())
        text += fmt::format("  {:<34}{}\n", masksc::shown(name + ": " + inner), text_of(content));
    else
      text += fmt::format("  {:<34}{}\n", masksc::shown(name), text_of(value));
  }
  return text;
}

masksc::ExitCode run(masksc::Runtime& runtime, const CheckpointOptions& options) {
  masksc::on_root(runtime.world(), [&] {
    if (options.path.empty())
      throw masksc::UserError("which checkpoint? give the folder of a run, its checkpoints/, or one file");
    std::vector<Json> entries;
    for (const fs::path& file : files_of(options.path)) entries.push_back(report(file));
    fmt::print("{}", options.json ? Json(entries).dump(2) + "\n" : table(entries));
    if (!options.json && entries.size() == 1 && entries.front().at("valid").get<bool>())
      fmt::print("{}", details(entries.front()));
    std::fflush(stdout);
    std::string errors;
    for (const Json& entry : entries)
      if (!entry.at("valid").get<bool>()) errors += (errors.empty() ? "" : "\n") + entry.at("error").get<std::string>();
    if (!errors.empty()) throw masksc::UserError(errors);
  });
  return masksc::ExitCode::done;
}

}  // namespace

int main(int argc, char** argv) { return masksc::run_program(argc, argv, program, describe, run); }
