// The manual page of a program, in the language of man(7).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <string_view>

#include "masksc/core/text.hpp"
#include "masksc/core/version.hpp"
#include "option_texts.hpp"

namespace masksc {
namespace {

constexpr std::array programs = {"masksc_checkpoint", "masksc_cluster", "masksc_compare",
                                 "masksc_embed",      "masksc_prepare", "masksc_report",
                                 "masksc_simulate",   "masksc_sweep",   "masksc_train"};

constexpr const char* exit_status = R"(.SH EXIT STATUS
.TP
.B 0
Done.
.TP
.B 2
Your input: an option, a file, a label; the message says what to do.
.TP
.B 3
The environment: I/O, memory, device, network.
.TP
.B 70
A broken invariant: a bug of mask-sc, please report it.
.TP
.B 75
Stopped on request; start again to resume.
.SH ENVIRONMENT
.TP
.B NO_COLOR
Messages on a terminal have no colours.
.SH SEE ALSO
)";

/// Text that means nothing to roff: no escapes, no requests at the start of a line; dashes can be copied.
std::string plain(std::string_view text) {
  std::string out = !text.empty() && (text.front() == '.' || text.front() == '\'') ? "\\&" : "";
  for (const char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else if (c == '\'')
      out += "\\(aq";
    else
      out += c;
  }
  return out;
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

}  // namespace

std::string manual_page(const std::vector<OptionText>& options, const ProgramInfo& program) {
  const std::string summary = program.summary.substr(0, program.summary.find_last_not_of('.') + 1);
  std::string page =
      fmt::format(".TH {} 1 \"\" \"mask\\-sc {}\" \"mask\\-sc\"\n.nh\n.ad l\n", upper(program.name), version());
  page += fmt::format(".SH NAME\n{} \\- {}\n.SH SYNOPSIS\n", program.name, plain(summary));
  bool first = true;
  for (std::string_view line : split(program.usage, "\n")) {
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    page += fmt::format("{}{}\n", first ? "" : ".br\n", plain(line));
    first = false;
  }
  page += fmt::format(".SH DESCRIPTION\n{}\n.PP\n", plain(program.summary));
  page += "Options come from a configuration (\\-\\-config) and from the command line, which wins.\n.SH OPTIONS\n";
  std::string group;
  for (const OptionText& option : options) {
    if (option.group != group) page += fmt::format(".SS {}\n", plain(group = option.group));
    page += fmt::format(".TP\n\\fB\\-\\-{}\\fR", plain(option.name));
    if (!option.value.empty()) page += fmt::format(" \\fI{}\\fR", plain(option.value));
    page += fmt::format("\n{}\n", plain(option.help));
    if (!option.preset.empty()) page += fmt::format("(default: {})\n", plain(option.preset));
  }
  page += exit_status;
  std::string others;
  for (const std::string_view name : programs)
    if (name != program.name) others += fmt::format("{}.BR {} (1)", others.empty() ? "" : " ,\n", name);
  return page + others + "\n";
}

}  // namespace masksc
