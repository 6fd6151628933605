#include "masksc/core/options.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "masksc/core/error.hpp"
#include "masksc/core/number_of.hpp"
#include "masksc/core/text.hpp"

namespace masksc {
namespace {

template <typename T>
T parse_number(const std::string& name, std::string_view text, const char* what) {
  const auto value = number_of<T>(text);
  if (!value) throw UserError(fmt::format("--{} needs {}, not '{}'", name, what, shown(text)));
  return *value;
}

bool parse_bool(const std::string& name, std::string_view text) {
  if (text == "yes" || text == "true" || text == "1" || text.empty()) return true;
  if (text == "no" || text == "false" || text == "0") return false;
  throw UserError(fmt::format("--{} needs yes or no, not '{}'", name, shown(text)));
}

/// Texts go to JSON records, which hold UTF-8 alone, and, where they are `saved`, to a line of config.ini, from which
/// the same text must come back.
void check_text(const std::string& name, std::string_view text, bool saved) {
  if (!is_utf8(text)) throw UserError(fmt::format("--{} '{}' is not UTF-8: rename it", name, shown(text)));
  if (!saved || text.empty()) return;
  constexpr std::string_view blank = " \t\r\n\v\f";
  const bool control =
      std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  if (control || text.find('#') != std::string_view::npos || blank.find(text.front()) != std::string_view::npos ||
      blank.find(text.back()) != std::string_view::npos)
    throw UserError(fmt::format(
        "--{} '{}' can't be saved in a configuration: it must not hold '#' or control characters, nor begin "
        "or end with a blank; rename it",
        name, shown(text)));
}

}  // namespace

void OptionTable::begin_group(std::string name, OptionRole role) {
  group_ = std::move(name);
  role_ = role;
}

void OptionTable::add_option(Option option) {
  ensure(find(option.name) == nullptr, "two options of one name");
  option.group = group_;
  option.role = role_;
  options_.push_back(std::move(option));
}

void OptionTable::add(std::string name, std::int64_t& field, std::string help, std::string value) {
  auto set = [name, &field](std::string_view text) {
    field = parse_number<std::int64_t>(name, text, "a whole number");
  };
  add_option(
      {std::move(name), {}, std::move(value), std::move(help), {}, set, [&field] { return fmt::format("{}", field); }});
}

void OptionTable::add(std::string name, double& field, std::string help, std::string value) {
  auto set = [name, &field](std::string_view text) {
    const auto number = parse_number<double>(name, text, "a number");
    if (!std::isfinite(number)) throw UserError(fmt::format("--{} needs a finite number, not '{}'", name, shown(text)));
    field = number;
  };
  add_option(
      {std::move(name), {}, std::move(value), std::move(help), {}, set, [&field] { return fmt::format("{}", field); }});
}

void OptionTable::add(std::string name, std::string& field, std::string help, std::string value) {
  const bool saved = !command_line_only(role_);
  // A configuration leaves empty values out: they would come back as the default.
  auto set = [name, &field, saved, needed = saved && !field.empty()](std::string_view text) {
    if (needed && text.empty()) throw UserError(fmt::format("--{} has no value", name));
    check_text(name, text, saved);
    field = std::string(text);
  };
  add_option({std::move(name), {}, std::move(value), std::move(help), {}, set, [&field] { return field; }});
}

void OptionTable::add_list(std::string name, std::vector<std::string>& field, std::string help, std::string value) {
  auto set = [name, &field, saved = !command_line_only(role_)](std::string_view text) {
    check_text(name, text, saved);
    field.emplace_back(text);
  };
  add_option({std::move(name),
              {},
              std::move(value),
              std::move(help),
              {},
              set,
              [&field] { return fmt::format("{}", fmt::join(field, " ")); },
              true});
}

void OptionTable::add(std::string name, bool& field, std::string help) {
  auto set = [name, &field](std::string_view text) { field = parse_bool(name, text); };
  add_option({std::move(name), {}, "yes|no", std::move(help), {}, set, [&field] { return field ? "yes" : "no"; }});
}

void OptionTable::add_switch(std::string name, bool& field, std::string help) {
  add(std::move(name), field, std::move(help));
  options_.back().value.clear();
}

void OptionTable::add_named(std::string name, const std::vector<std::string>& choices,
                            std::function<void(std::size_t)> choose, std::function<std::size_t()> chosen,
                            std::string help) {
  auto set = [name, choices, choose](std::string_view text) {
    const auto at = std::find(choices.begin(), choices.end(), text);
    if (at == choices.end())
      throw UserError(fmt::format("--{} needs one of {}, not '{}'", name, fmt::join(choices, ", "), shown(text)));
    choose(static_cast<std::size_t>(at - choices.begin()));
  };
  add_option(
      {std::move(name), {}, fmt::format("{}", fmt::join(choices, "|")), std::move(help), {}, set, [choices, chosen] {
         return choices[chosen()];
       }});
}

const Option* OptionTable::find(std::string_view name) const {
  const auto at = std::find_if(options_.begin(), options_.end(), [&](const Option& o) { return o.name == name; });
  return at == options_.end() ? nullptr : &*at;
}

std::vector<std::string> OptionTable::names() const {
  std::vector<std::string> all;
  for (const Option& option : options_) all.push_back(option.name);
  return all;
}

void OptionTable::set(std::string_view name, std::string_view value, std::string_view where) {
  const Option* option = find(name);
  if (option == nullptr)
    throw UserError(fmt::format("unknown option '{}' {}{}", shown(name), where, suggestion(name, names())));
  try {
    option->set(value);
  } catch (const UserError& e) {
    throw UserError(fmt::format("{} ({})", e.what(), where));
  }
}

void require_at_least(const char* option, std::int64_t value, std::int64_t least) {
  if (value < least) throw UserError(fmt::format("--{} must be at least {}, not {}", option, least, value));
}

void require_positive(const char* option, double value) {
  if (!(value > 0)) throw UserError(fmt::format("--{} must be positive, not {}", option, value));
}

void require_not_negative(const char* option, double value) {
  if (!(value >= 0)) throw UserError(fmt::format("--{} must not be negative, not {}", option, value));
}

void require_within(const char* option, double value, double least, double most) {
  if (!(value >= least && value <= most))
    throw UserError(fmt::format("--{} must lie between {} and {}, not {}", option, least, most, value));
}

void require_within(const char* option, std::int64_t value, std::int64_t least, std::int64_t most) {
  if (value < least || value > most)
    throw UserError(fmt::format("--{} must lie between {} and {}, not {}", option, least, most, value));
}

void require_fraction(const char* option, double value) {
  if (!(value >= 0 && value < 1)) throw UserError(fmt::format("--{} must lie in [0, 1), not {}", option, value));
}

void require_one_of(const char* option, const std::string& value, const std::vector<std::string>& choices) {
  if (std::find(choices.begin(), choices.end(), value) == choices.end())
    throw UserError(fmt::format("--{} needs one of {}, not '{}'", option, fmt::join(choices, ", "), shown(value)));
}

}  // namespace masksc
