// One table of options feeds the parser, --help, the resolved config.ini and the checks of a resumed run.
// Each stage owns a struct of settings and a `describe(OptionTable&, Settings&)` that adds its fields here.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace masksc {

/// Where an option may stand and what it means for a finished run.
enum class OptionRole {
  result,   // changes the result: a resumed or repeated run must agree; saved in config.ini
  runtime,  // changes only how the run is done (threads, verbosity, cadence); saved in config.ini
  path,     // a file or folder: command line only, never in configurations
  request,  // asks for something else than a run: command line only
};

/// Whether configurations, read and saved, leave it out.
constexpr bool command_line_only(OptionRole role) { return role == OptionRole::path || role == OptionRole::request; }

struct Option {
  std::string name;   // without dashes, e.g. "mask-ratio"
  std::string group;  // heading in --help
  std::string value;  // placeholder in --help, e.g. "N", "FILE", "a|b"; "" for a switch without a value
  std::string help;   // one line, with unit
  OptionRole role = OptionRole::result;
  std::function<void(std::string_view)> set;  // throws UserError that names option and value
  std::function<std::string()> get;           // text that `set` reads back to the same value
  bool repeats = false;                       // each `set` adds to a list
};

class OptionTable {
 public:
  /// Headings for the options added from now on.
  void begin_group(std::string name, OptionRole role = OptionRole::result);

  void add(std::string name, std::int64_t& field, std::string help, std::string value = "N");
  void add(std::string name, double& field, std::string help, std::string value = "X");
  void add(std::string name, std::string& field, std::string help, std::string value = "TEXT");
  /// May be given several times: each value is added to the list. `get` joins them by a blank.
  void add_list(std::string name, std::vector<std::string>& field, std::string help, std::string value);
  /// yes or no.
  void add(std::string name, bool& field, std::string help);
  /// Present or absent on the command line; yes or no in files.
  void add_switch(std::string name, bool& field, std::string help);

  template <typename E>
  void add_choice(std::string name, E& field, std::vector<std::pair<std::string, E>> choices, std::string help) {
    std::vector<std::string> names;
    for (const auto& choice : choices) names.push_back(choice.first);
    add_named(
        std::move(name), names, [&field, choices](std::size_t i) { field = choices[i].second; },
        [&field, choices] {
          std::size_t i = 0;
          while (i + 1 < choices.size() && choices[i].second != field) ++i;
          return i;
        },
        std::move(help));
  }

  [[nodiscard]] const std::vector<Option>& options() const { return options_; }
  [[nodiscard]] const Option* find(std::string_view name) const;
  /// Throws UserError for an unknown name (with the nearest known one) or a value that doesn't parse.
  /// `where` says where it was written, e.g. "on the command line" or "in x.ini".
  void set(std::string_view name, std::string_view value, std::string_view where);
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  void add_named(std::string name, const std::vector<std::string>& choices, std::function<void(std::size_t)> choose,
                 std::function<std::size_t()> chosen, std::string help);
  void add_option(Option option);

  std::vector<Option> options_;
  std::string group_;
  OptionRole role_ = OptionRole::result;
};

/// Checks of values for `validate` functions; each throws a UserError that names --option and the value.
void require_at_least(const char* option, std::int64_t value, std::int64_t least);
void require_positive(const char* option, double value);
void require_not_negative(const char* option, double value);
/// least <= value <= most
void require_within(const char* option, double value, double least, double most);
void require_within(const char* option, std::int64_t value, std::int64_t least, std::int64_t most);
/// 0 <= value < 1
void require_fraction(const char* option, double value);
void require_one_of(const char* option, const std::string& value, const std::vector<std::string>& choices);

}  // namespace masksc
