// The one file that sees Boost.Program_options.
#include "command_line.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "masksc/core/configuration.hpp"
#include "masksc/core/error.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/text.hpp"
#include "masksc/core/version.hpp"
#include "option_texts.hpp"

namespace masksc {
namespace {

namespace po = boost::program_options;

/// What takes a switch back.
std::string off(const std::string& name) { return "no-" + name; }

/// The arguments, with --NAME=yes and --NAME=no of switches as --NAME and --no-NAME.
std::vector<std::string> without_values_of_switches(int argc, char** argv, const std::vector<OptionText>& options) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  for (std::string& argument : arguments) {
    const std::size_t sign = argument.find('=');
    if (!argument.starts_with("--") || sign == std::string::npos) continue;
    const std::string name = argument.substr(2, sign - 2), value = argument.substr(sign + 1);
    const bool is_switch = std::any_of(options.begin(), options.end(), [&](const OptionText& option) {
      return option.name == name && option.value.empty();
    });
    if (!is_switch) continue;
    if (value != "yes" && value != "no")
      throw UserError(fmt::format("--{} '{}': give yes or no, or the option alone for yes", name, shown(value)));
    argument = "--" + (value == "yes" ? name : off(name));
  }
  return arguments;
}

po::options_description describe_for_boost(const std::vector<OptionText>& options) {
  po::options_description description;
  for (const OptionText& option : options)
    if (option.value.empty())
      for (const std::string& name : {option.name, off(option.name)})
        description.add_options()(name.c_str(), po::value<std::string>()->zero_tokens(), "");
    else
      description.add_options()(option.name.c_str(), po::value<std::string>(), "");
  return description;
}

std::vector<std::string> known_names(const std::vector<OptionText>& options) {
  std::vector<std::string> names;
  for (const OptionText& option : options) names.push_back(option.name);
  return names;
}

std::string bare(std::string name) {
  name.erase(0, name.find_first_not_of('-'));
  return name.substr(0, name.find('='));
}

std::vector<po::option> parse_arguments(int argc, char** argv, const std::vector<OptionText>& options) {
  const po::options_description description = describe_for_boost(options);
  using namespace po::command_line_style;
  try {
    return po::command_line_parser(without_values_of_switches(argc, argv, options))
        .options(description)
        .style(allow_long | long_allow_adjacent | long_allow_next)
        .run()
        .options;
  } catch (const po::unknown_option& e) {
    const std::string name = bare(e.get_option_name());
    throw UserError(
        fmt::format("unknown option --{}{} (--help lists all)", shown(name), suggestion(name, known_names(options))));
  } catch (const po::error_with_option_name& e) {
    throw UserError(fmt::format("{} (--help tells its values)", printable(e.what())));
  } catch (const po::error& e) {
    throw UserError(fmt::format("cannot read the command line: {}", printable(e.what())));
  }
}

/// Far more than all options with their longest values.
constexpr std::size_t longest_configuration = std::size_t{1} << 22;

void apply_file(const std::string& path, OptionTable& table) {
  std::string text;
  try {
    text = read_file(path, longest_configuration);
  } catch (const UserError& e) {
    throw UserError(fmt::format("--config: {}", e.what()));
  }
  apply_configuration(text, path, table);
}

/// Columns of the terminal that standard output is; 0 when it is none.
int output_columns() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/// What an argument asks to be printed in place of a run, if it does.
std::optional<std::string> printed(const po::option& argument, const std::vector<OptionText>& options,
                                   const ProgramInfo& program) {
  if (argument.string_key == "help") return help_text(options, program, output_columns());
  if (argument.string_key == "version") return fmt::format("{} {}\n", program.name, version_and_commit());
  if (argument.string_key == "man") return manual_page(options, program);
  if (argument.string_key == "completion") return completion_script(argument.value.front(), options, program);
  return std::nullopt;
}

}  // namespace

bool answer_command_line(int argc, char** argv, const OptionTable& table, const ProgramInfo& program, bool speaks) {
  const std::vector<OptionText> options = option_texts(table);
  for (const po::option& argument : parse_arguments(argc, argv, options)) {
    const auto text = printed(argument, options, program);
    if (!text) continue;
    if (speaks) fmt::print("{}", *text);
    return true;
  }
  return false;
}

void parse_command_line(int argc, char** argv, OptionTable& table, const ProgramInfo& program) {
  const std::vector<po::option> arguments = parse_arguments(argc, argv, option_texts(table));
  for (const po::option& argument : arguments)
    if (argument.string_key == "config") apply_file(argument.value.front(), table);
  for (const po::option& argument : arguments) {
    if (argument.string_key == "config") continue;
    if (argument.position_key == 0 && !program.positional.empty()) {
      table.set(program.positional, argument.value.front(), "on the command line");
      continue;
    }
    if (argument.position_key >= 0)
      throw UserError(fmt::format("unexpected argument '{}'; options start with --", shown(argument.value.front())));
    const bool taken_back = table.find(argument.string_key) == nullptr;  // the parser knows no others but off(NAME)
    const std::string& name = argument.string_key;
    const std::string value = taken_back ? "no" : argument.value.empty() ? "yes" : argument.value.front();
    table.set(taken_back ? name.substr(off("").size()) : name, value, "on the command line");
  }
}

std::string typed_command(int argc, char** argv, int ranks) {
  std::string text = ranks > 1 ? fmt::format("mpirun -np {} ", ranks) : "";
  text += std::filesystem::path(argv[0]).filename().string();
  for (int i = 1; i < argc; ++i) text += " " + quoted_word(argv[i]);
  return text;
}

}  // namespace masksc
