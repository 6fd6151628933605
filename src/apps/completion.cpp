// Completions for shells: names of options, the words that their values may be, files and folders.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "masksc/core/error.hpp"
#include "masksc/core/text.hpp"
#include "option_texts.hpp"

namespace masksc {
namespace {

/// What may stand for a value, as its placeholder says: "auto|never|PATH" is two words, or a file.
struct Values {
  std::vector<std::string> words;
  bool files = false;
  bool folders = false;
};

Values values_of(const std::string& placeholder) {
  Values values;
  for (const std::string_view one : split(placeholder, "|")) {
    if (one == "FILE" || one == "PATH")
      values.files = true;
    else if (one == "DIR")
      values.folders = true;
    else if (!one.empty() && std::all_of(one.begin(), one.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
             }))
      values.words.emplace_back(one);
  }
  return values;
}

/// What a word without dashes may be; nothing for programs that take none.
Values positional_values(const std::vector<OptionText>& options, const ProgramInfo& program) {
  for (const OptionText& option : options)
    if (option.name == program.positional) return values_of(option.value);
  return {};
}

std::string replaced(std::string_view text, std::string_view characters, std::string_view prefix) {
  std::string out;
  for (const char c : text) {
    if (characters.find(c) != std::string_view::npos) out += prefix;
    out += c;
  }
  return out;
}

/// `text` within single quotes of bash and zsh.
std::string shell_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string bash_case(const std::string& pattern, const Values& values) {
  std::string body;
  if (!values.words.empty())
    body += fmt::format(" words={}", shell_quoted(fmt::format("{}", fmt::join(values.words, " "))));
  if (values.files || values.folders) body += values.files ? " files=f" : " files=d";
  return fmt::format("    {}){} ;;\n", pattern, body);
}

std::string bash(const std::vector<OptionText>& options, const ProgramInfo& program) {
  std::string cases;
  std::vector<std::string> names;
  for (const OptionText& option : options) {
    names.push_back(fmt::format("--{}", option.name));
    if (!option.value.empty()) cases += bash_case(names.back(), values_of(option.value));
  }
  const Values word = positional_values(options, program);
  cases += bash_case("*", {.words = names, .files = false, .folders = false});
  const char* dashless = word.files ? "f" : (word.folders ? "d" : "");
  return fmt::format(R"(# Completions of {0} for bash, made by {0} --completion bash.
_{0}() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} words='' files='' word
  # --option=value comes as three words.
  if [[ $current == = ]]; then
    current=
  elif [[ $before == = ]]; then
    before=${{COMP_WORDS[COMP_CWORD - 2]}}
  fi
  case $before in
{1}  esac
  if [[ $words == --* && $current != -* ]]; then files={2}; fi
  COMPREPLY=()
  while IFS= read -r word; do
    COMPREPLY+=("$word")
  done < <(
    if [[ -n $words ]]; then compgen -W "$words" -- "$current"; fi
    if [[ -n $files ]]; then compgen -"$files" -- "$current"; fi
  )
  if [[ -n $files ]]; then compopt -o filenames 2>/dev/null; fi
}}
complete -F _{0} {0}
)",
                     program.name, cases, dashless);
}

/// What zsh is to do for a value.
std::string zsh_action(const Values& values) {
  const char* files = values.files ? "_files" : (values.folders ? "_files -/" : "");
  if (values.words.empty()) return *files == '\0' ? " " : files;
  const std::string words = fmt::format("({})", fmt::join(values.words, " "));
  return *files == '\0' ? words : fmt::format(R"({{_alternative "words\:word\:{}" "files\:file\:{}"}})", words, files);
}

std::string zsh(const std::vector<OptionText>& options, const ProgramInfo& program) {
  std::string specs;
  for (const OptionText& option : options) {
    const std::string help = replaced(option.help, "[]\\", "\\");
    specs += fmt::format(" \\\n    {}",
                         shell_quoted(option.value.empty() ? fmt::format("*--{}[{}]", option.name, help)
                                                           : fmt::format("*--{}=[{}]:{}:{}", option.name, help,
                                                                         replaced(option.value, ":\\", "\\"),
                                                                         zsh_action(values_of(option.value)))));
  }
  if (!program.positional.empty())
    specs += fmt::format(" \\\n    {}", shell_quoted(fmt::format("*:{}:{}", program.positional,
                                                                 zsh_action(positional_values(options, program)))));
  return fmt::format(R"(#compdef {0}
# Completions of {0} for zsh, made by {0} --completion zsh.
_{0}() {{
  _arguments{1}
}}
if [[ $funcstack[1] == _{0} ]]; then
  _{0} "$@"
else
  compdef _{0} {0}
fi
)",
                     program.name, specs);
}

std::string fish_quoted(std::string_view text) { return fmt::format("'{}'", replaced(text, "'\\", "\\")); }

std::string fish(const std::vector<OptionText>& options, const ProgramInfo& program) {
  const auto arguments = [](const Values& values) {
    std::vector<std::string> words = values.words;
    if (values.folders) words.emplace_back("(__fish_complete_directories)");
    std::string text = values.files ? " -F" : " -f";
    if (!words.empty()) text += fmt::format(" -a {}", fish_quoted(fmt::format("{}", fmt::join(words, " "))));
    return text;
  };
  std::string text = fmt::format("# Completions of {0} for fish, made by {0} --completion fish.\ncomplete -c {0}{1}\n",
                                 program.name, arguments(positional_values(options, program)));
  for (const OptionText& option : options)
    text += fmt::format("complete -c {} -l {}{} -d {}\n", program.name, option.name,
                        option.value.empty() ? "" : fmt::format(" -r{}", arguments(values_of(option.value))),
                        fish_quoted(option.help));
  return text;
}

}  // namespace

std::string completion_script(const std::string& shell, const std::vector<OptionText>& options,
                              const ProgramInfo& program) {
  if (shell == "bash") return bash(options, program);
  if (shell == "zsh") return zsh(options, program);
  if (shell == "fish") return fish(options, program);
  throw UserError(fmt::format("--completion needs one of bash, zsh, fish, not '{}'", shown(shell)));
}

}  // namespace masksc
