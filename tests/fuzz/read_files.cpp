// Reads damaged and hostile files as the programs do, each in a process of its own, and tells what came of it.
//
//   fuzz_read_files CASES WATCHED KEPT
//
// CASES: a file with one "PATH<tab>KIND" a line. WATCHED: a folder that no file may lead to. KEPT: a folder for the
// files that failed. Right are counts, or a UserError or EnvironmentError in printable text; where HDF5 itself crashes
// or gets stuck, a UserError that says so. Failures are: a crash, a sanitizer's report in our own code, any other
// exception, a look into WATCHED, more than a minute. Prints a table of kinds and outcomes; exit code 1 when anything
// failed.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>
#include <vector>

#include "masksc/core/apart.hpp"
#include "masksc/core/error.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/text.hpp"
#include "masksc/io/annotations.hpp"
#include "masksc/io/h5ad_copy.hpp"
#include "masksc/io/h5ad_writer.hpp"
#include "masksc/io/prepared.hpp"
#include "masksc/preprocess/prepare.hpp"

namespace {

namespace fs = std::filesystem;

struct Case {
  fs::path path;
  std::string kind;
};

/// What the process of a case says by its exit code.
enum Verdict : int { read = 10, refused = 11, surroundings = 12, unexpected = 13, hdf5_crashed = 14 };

constexpr unsigned time_limit = 60;  // seconds, on a machine that does other things as well

void require(bool holds, const std::string& what) {
  if (!holds) throw masksc::InvariantError(what);
}

/// The counts in blocks, as the programs read them: the same as in one piece.
masksc::CsrMatrix read_counts(masksc::CountsReader& reader) {
  const masksc::CsrMatrix whole = reader.read_rows({0, reader.cells()});
  constexpr std::int64_t step = 7;
  for (std::int64_t begin = 0; begin < reader.cells(); begin += step) {
    const masksc::RowRange rows{begin, std::min(reader.cells(), begin + step)};
    const masksc::CsrMatrix block = reader.read_rows(rows);
    for (std::int64_t row = rows.begin; row < rows.end; ++row) {
      const auto a = whole.row_indices(row), b = block.row_indices(row - begin);
      const auto x = whole.row_values(row), y = block.row_values(row - begin);
      require(std::equal(a.begin(), a.end(), b.begin(), b.end()) && std::equal(x.begin(), x.end(), y.begin(), y.end()),
              fmt::format("cell {} read twice differs", row));
      require(std::all_of(a.begin(), a.end(), [&](std::int32_t gene) { return gene >= 0 && gene < whole.columns; }),
              "a gene index beyond the genes");
    }
  }
  const masksc::Labels& labels = reader.labels();
  require(labels.empty() || static_cast<std::int64_t>(labels.codes.size()) == reader.cells(), "one label a cell");
  for (const std::int32_t code : labels.codes)
    require(code >= -1 && code < static_cast<std::int32_t>(labels.names.size()), "a label without a name");
  return whole;
}

/// Dense counts for the second reader (run.py): cells and genes as int64, then float32.
void save_counts(const masksc::CsrMatrix& counts, const fs::path& path) {
  if (counts.rows * counts.columns > 100000) return;
  std::vector<float> dense(static_cast<std::size_t>(counts.rows * counts.columns));
  for (std::int64_t row = 0; row < counts.rows; ++row)
    for (std::size_t i = 0; i < counts.row_size(row); ++i)
      dense[static_cast<std::size_t>(row * counts.columns + counts.row_indices(row)[i])] = counts.row_values(row)[i];
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(&counts.rows), sizeof(counts.rows));
  out.write(reinterpret_cast<const char*>(&counts.columns), sizeof(counts.columns));
  out.write(reinterpret_cast<const char*>(dense.data()), static_cast<std::streamsize>(dense.size() * sizeof(float)));
}

/// Everything that masksc_prepare and masksc_train do with an input before the model.
void read_like_programs(const fs::path& path, const masksc::InputSettings& settings, const fs::path& scratch) {
  masksc::run_apart(fmt::format("'{}'", path.string()), [&] {
    const auto reader = masksc::open_counts(path, settings);
    const masksc::CsrMatrix counts = read_counts(*reader);
    const bool plainly = settings.layer.empty() && settings.labels.empty();
    if (plainly && settings.feature_type == masksc::gene_expression) save_counts(counts, path.string() + ".counts");
    return std::string();
  });
  const bool prepared = masksc::is_prepared(path);
  if (!prepared) masksc::prepare_counts({path}, settings, scratch);
  const auto self = masksc::single_rank();
  const masksc::PreparedFile file(prepared ? path : scratch, *self);
  const masksc::RowRange rows{0, file.cells()};
  if (!settings.labels.empty()) static_cast<void>(file.labels());
  require(static_cast<std::int64_t>(file.cell_names(rows).size()) == file.cells(), "one name a cell");
  masksc::PreparationSettings preparation;
  preparation.matrix = "4x8";
  preparation.patch = "2";
  const masksc::Expression expression = prepare_expression(file.read_rows(rows), file.cells(), rows, file.gene_names(),
                                                           file.highly_variable(), preparation, *self);
  require(expression.values.rows == file.cells() && expression.layout.columns == 8, "the expression of all cells");
}

/// What --keep-input does, to a result and all; of several inputs it keeps obs.
void keep_like_programs(const std::vector<fs::path>& paths, const masksc::InputSettings& settings,
                        const fs::path& scratch) {
  const fs::path kept = scratch.string() + ".kept.h5";
  const fs::path result = scratch.string() + ".result.h5ad";
  masksc::prepare_counts(paths, settings, scratch, kept);
  const auto self = masksc::single_rank();
  const masksc::PreparedFile file(scratch, *self);
  masksc::H5adWriter writer(result, file.cell_names({0, file.cells()}), file.gene_names());
  writer.keep(kept, {});
  writer.finish();
  for (const fs::path& made : {scratch, kept, result}) fs::remove(made);
}

/// What masksc_cluster does with a file, but for the clusters.
void copy_like_programs(const fs::path& path, const masksc::InputSettings& settings, const fs::path& scratch) {
  const std::string cells = masksc::run_apart(fmt::format("'{}'", path.string()), [&] {
    const std::int64_t count = masksc::count_cells(path);
    static_cast<void>(masksc::has_obs_column(path, "group"));
    require(masksc::read_obsm(path, "X_pca", count).rows == count, "features of all cells");
    if (!settings.labels.empty())
      require(static_cast<std::int64_t>(masksc::read_obs_labels(path, settings.labels).codes.size()) == count,
              "labels");
    return std::to_string(count);
  });
  const fs::path result = scratch.string() + ".result.h5ad";
  masksc::copy_with_clusters(path, result,
                             {.name = "group", .labels = {std::vector<std::int32_t>(std::stoul(cells), 0), {"0"}}});
  fs::remove(result);
}

bool is_printable(const std::string& text) { return masksc::printable(text) == text; }

int read_case(const fs::path& path) {
  const fs::path scratch = path.string() + ".prepared";
  bool any = false;
  bool environment = false;
  bool crashed = false;
  using Settings = masksc::InputSettings;
  const std::vector<Settings> h5ad = {
      {"", "", true}, {"", "group", false}, {"counts", "name", true}, {"raw", "batch", true}};
  const std::vector<Settings> plain = {{"", "", true}, {"", "yes", true}};
  const std::vector<Settings> tenx = {{"", "", true, "GRCh38"}, {"", "", true, "", "Antibody Capture"}};
  const bool is_10x = path.filename().string().find("10x") != std::string::npos;
  for (const Settings& settings : is_10x ? tenx : path.extension() == ".h5ad" ? h5ad : plain) {
    try {
      read_like_programs(path, settings, scratch);
      any = true;
      if (path.extension() == ".h5ad") keep_like_programs({path}, settings, scratch);
      if (path.extension() == ".h5ad" && settings.labels.empty()) keep_like_programs({path, path}, settings, scratch);
      if (path.extension() == ".h5ad") copy_like_programs(path, settings, scratch);
    } catch (...) {
      const masksc::Failure failure = masksc::describe_failure(std::current_exception());
      masksc::log::error("layer '{}' labels '{}': exit code {}: {}", settings.layer, settings.labels,
                         static_cast<int>(failure.code), failure.message);
      if (failure.code == masksc::ExitCode::invariant || !is_printable(failure.message)) return unexpected;
      environment = environment || failure.code == masksc::ExitCode::environment;
      crashed = failure.message.find("the library that reads it") != std::string::npos;
      if (crashed) break;
    }
    fs::remove(scratch);
  }
  return crashed ? hdf5_crashed : any ? read : environment ? surroundings : refused;
}

pid_t start(const Case& what) {
  const pid_t child = ::fork();
  if (child != 0) return child;
#ifndef MASKSC_SANITIZED  // under it ASAN_OPTIONS=hard_rss_limit_mb
  const rlimit memory{rlim_t{4} << 30U, rlim_t{4} << 30U};
  ::setrlimit(RLIMIT_AS, &memory);
#endif
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  const int log = ::open((what.path.string() + ".log").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::dup2(log, STDERR_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::alarm(time_limit);
  masksc::set_patience(std::chrono::seconds(1));
  masksc::log::configure(0, masksc::log::Level::error);
  ::_exit(read_case(what.path));
}

/// Whether a sanitizer complains in `log` about code that isn't HDF5's. The library is not instrumented: what is said
/// of it comes from the functions of the C library that it calls.
bool reports_our_code(const fs::path& log) {
  std::ifstream in(log);
  bool in_report = false;
  for (std::string line; std::getline(in, line);) {
    if (line.find("runtime error:") != std::string::npos || line.find("LeakSanitizer") != std::string::npos)
      return true;
    in_report = in_report || line.find("ERROR: AddressSanitizer") != std::string::npos;
    if (!in_report || line.find("    #") != 0) continue;
    const auto is_in = [&](const char* name) { return line.find(name) != std::string::npos; };
    if (is_in("libsanitizer") || is_in("__asan") || is_in("__interceptor") || is_in("libc")) continue;
    if (line.find("libhdf5") == std::string::npos) return true;
    in_report = false;  // the first frame that counts is HDF5's
  }
  return in_report;
}

std::string outcome_of(int status, const fs::path& log) {
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) return "HANG";
  if (WIFSIGNALED(status)) return fmt::format("CRASH {}", ::strsignal(WTERMSIG(status)));
  if (reports_our_code(log)) return "SANITIZER";
  switch (WEXITSTATUS(status)) {
    case read:
      return "read";
    case refused:
      return "refused";
    case surroundings:
      return "refused for memory";
    case hdf5_crashed:
      return "refused after HDF5 crashed apart";
    default:
      return "UNEXPECTED";
  }
}

bool is_failure(const std::string& outcome) { return std::isupper(static_cast<unsigned char>(outcome[0])) != 0; }

/// Whether anything in the watched folder was opened since the last call.
bool looked(int watch) {
  std::array<char, 4096> events{};
  bool any = false;
  while (::read(watch, events.data(), events.size()) > 0) any = true;
  return any;
}

void keep(const Case& what, const fs::path& folder) {
  fs::create_directories(folder);
  for (const char* end : {"", ".log"})
    fs::copy_file(what.path.string() + end, folder / (what.path.filename().string() + end),
                  fs::copy_options::overwrite_existing);
}

using Table = std::map<std::string, std::map<std::string, int>>;

/// Reads all cases, as many at a time as there are cores; returns the failures.
int read_all(const std::vector<Case>& cases, int watch, const fs::path& kept, Table& table) {
  std::map<pid_t, std::size_t> running;
  const std::size_t jobs = std::max(1U, std::thread::hardware_concurrency());
  int failures = 0;
  std::size_t next = 0;
  while (next < cases.size() || !running.empty()) {
    if (next < cases.size() && running.size() < jobs) {
      running[start(cases[next])] = next;
      ++next;
      continue;
    }
    int status = 0;
    const pid_t ended = ::waitpid(-1, &status, 0);
    const Case& what = cases[running.at(ended)];
    running.erase(ended);
    const std::string outcome = looked(watch) ? "LOOKED ELSEWHERE" : outcome_of(status, what.path.string() + ".log");
    ++table[what.kind][outcome];
    ++table["all"][outcome];
    if (!is_failure(outcome)) continue;
    ++failures;
    keep(what, kept);
    fmt::print("{}: {} ({})\n", outcome, (kept / what.path.filename()).string(), what.kind);
    std::fflush(stdout);
  }
  return failures;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: fuzz_read_files CASES WATCHED KEPT\n");
    return 2;
  }
  std::vector<Case> cases;
  std::ifstream list(argv[1]);
  for (std::string line; std::getline(list, line);)
    cases.push_back({line.substr(0, line.find('\t')), line.substr(line.find('\t') + 1)});
  const int watch = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (watch < 0 || ::inotify_add_watch(watch, argv[2], IN_OPEN | IN_ACCESS) < 0) {
    fmt::print(stderr, "cannot watch {}: {}\n", argv[2], std::strerror(errno));
    return 3;
  }
  Table table;
  const int failures = read_all(cases, watch, argv[3], table);
  for (const auto& [kind, outcomes] : table) {
    std::string line = fmt::format("{:<18}", kind);
    for (const auto& [outcome, count] : outcomes) line += fmt::format("  {} {}", count, outcome);
    fmt::print("{}\n", line);
  }
  return failures > 0 ? 1 : 0;
}
