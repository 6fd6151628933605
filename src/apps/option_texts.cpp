#include "option_texts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "masksc/core/text.hpp"

namespace masksc {
namespace {

constexpr int left_columns = 36;  // of names and values

/// Adds `text`, broken at blanks so that lines stay within `columns`; lines after the first begin at `left_columns`.
void add_wrapped(std::string& out, std::string_view text, int columns) {
  const int room = std::max(columns - left_columns, 24);
  int used = 0;
  for (const std::string_view word : split(text, " ")) {
    const int length = static_cast<int>(word.size());
    if (used > 0 && columns > 0 && used + 1 + length > room) {
      out += fmt::format("\n{:{}}", "", left_columns);
      used = 0;
    }
    out += fmt::format("{}{}", used > 0 ? " " : "", word);
    used += length + (used > 0 ? 1 : 0);
  }
}

}  // namespace

std::vector<OptionText> option_texts(const OptionTable& table) {
  std::vector<OptionText> texts;
  for (const Option& option : table.options())
    texts.push_back({option.group, option.name, option.value, option.help, option.value.empty() ? "" : option.get()});
  const char* general = "General";
  texts.push_back({general, "config", "FILE", "options from an INI file (name = value); the command line wins", ""});
  texts.push_back({general, "completion", "bash|zsh|fish", "print the completions of this program for a shell", ""});
  texts.push_back({general, "man", "", "print the manual page of this program, for man -l -", ""});
  texts.push_back({general, "help", "", "this text", ""});
  texts.push_back({general, "version", "", "version and commit", ""});
  return texts;
}

std::string help_text(const std::vector<OptionText>& options, const ProgramInfo& program, int columns) {
  std::string text = fmt::format("{}\n\nUsage: {}\n", program.summary, program.usage);
  std::string group;
  for (const OptionText& option : options) {
    if (option.group != group) text += fmt::format("\n{}\n", group = option.group);
    const std::string left = fmt::format("  --{}{}{}", option.name, option.value.empty() ? "" : " ", option.value);
    text += fmt::format("{:<{}}", left, left_columns);
    if (left.size() >= left_columns) text += fmt::format("\n{:{}}", "", left_columns);
    add_wrapped(text, option.preset.empty() ? option.help : fmt::format("{} [{}]", option.help, option.preset),
                columns);
    text += "\n";
  }
  return text;
}

}  // namespace masksc
