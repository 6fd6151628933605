// Names and labels: dense arrays, categorical and nullable groups, and the forms that older anndata wrote.
#include "columns.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <variant>

#include "h5ad_uns.hpp"
#include "masksc/core/text.hpp"

namespace masksc {
namespace {

[[noreturn]] void damaged(const ArrayFile& file, const std::string& name, const std::string& what) {
  throw UserError(
      fmt::format("'{}' in '{}' {}; the file is damaged: write it again", shown(name), file.path().string(), what));
}

std::string number_text(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) return fmt::format("{}", static_cast<std::int64_t>(value));
  return fmt::format("{}", value);
}

/// A column as texts, with the numbers behind them where there are any.
struct Column {
  std::vector<std::string> texts;
  std::variant<std::monostate, std::vector<std::int64_t>, std::vector<std::uint64_t>, std::vector<double>> numbers;
  std::vector<std::uint8_t> missing;  // one a value
};

template <typename T>
void take_integers(Column& column, std::vector<T> values) {
  for (const T value : values) column.texts.push_back(fmt::format("{}", value));
  column.missing.resize(values.size());
  column.numbers = std::move(values);
}

void mark_missing(const ArrayFile& file, const std::string& name, Column& column) {
  const auto mask = file.read<std::uint8_t>(name);
  if (mask.size() != column.texts.size()) damaged(file, name, fmt::format("has {} values", mask.size()));
  for (std::size_t i = 0; i < mask.size(); ++i)
    if (mask[i] != 0) column.missing[i] = 1;
}

Column read_array(const ArrayFile& file, const std::string& name, const ArrayInfo& info) {
  Column column;
  if (info.kind == ArrayInfo::Kind::text) {
    column.texts = file.read_text(name);
    for (const std::string& text : column.texts) column.missing.push_back(text.empty() ? 1 : 0);
  } else if (info.kind == ArrayInfo::Kind::boolean) {
    for (const auto flag : file.read<std::int8_t>(name)) column.texts.emplace_back(flag != 0 ? "True" : "False");
    column.missing.resize(column.texts.size());
  } else if (info.kind == ArrayInfo::Kind::integer && info.type == NumericType::u64) {
    take_integers(column, file.read<std::uint64_t>(name));
  } else if (info.kind == ArrayInfo::Kind::integer) {
    take_integers(column, file.read<std::int64_t>(name));
  } else if (info.kind == ArrayInfo::Kind::floating) {
    std::vector<double> values = file.read<double>(name);
    for (const double value : values) {
      column.texts.push_back(number_text(value));
      column.missing.push_back(std::isnan(value) ? 1 : 0);
    }
    column.numbers = std::move(values);
  } else {
    throw UserError(fmt::format("'{}' in '{}' holds neither numbers nor text: choose another column", shown(name),
                                file.path().string()));
  }
  return column;
}

/// An array, or a group of `values` and `mask` (anndata's nullable columns).
Column read_column(const ArrayFile& file, const std::string& name) {
  const ArrayInfo info = file.info(name);
  if (!info.is_group()) return read_array(file, name, info);
  if (!file.exists(name + "/values"))
    throw UserError(
        fmt::format("'{}' in '{}' is a column of encoding-type '{}', which mask-sc does not read: write it "
                    "as text, numbers or a categorical",
                    shown(name), file.path().string(), shown(file.text_attribute(name, "encoding-type").value_or(""))));
  Column column = read_array(file, name + "/values", file.info(name + "/values"));
  if (file.exists(name + "/mask")) mark_missing(file, name + "/mask", column);
  return column;
}

Labels from_codes(const ArrayFile& file, const std::string& codes, std::vector<std::string> names) {
  Labels labels;
  labels.names = std::move(names);
  const auto categories = static_cast<std::int64_t>(labels.names.size());
  for (const std::int64_t code : file.read<std::int64_t>(codes)) {
    if (code < -1 || code >= categories)
      damaged(file, codes, fmt::format("has code {} of {} categories", code, categories));
    labels.codes.push_back(static_cast<std::int32_t>(code));
  }
  return labels;
}

/// The labels of `column`, in the order of `keys`, one a value.
template <typename Key>
Labels from_keys(const std::vector<Key>& keys, const Column& column) {
  std::map<Key, std::int32_t> codes;
  std::map<Key, std::size_t> first;
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (column.missing[i] == 0) first.emplace(keys[i], i);
  Labels labels;
  for (const auto& [key, at] : first) {
    codes.emplace(key, static_cast<std::int32_t>(labels.names.size()));
    labels.names.push_back(column.texts[at]);
  }
  for (std::size_t i = 0; i < keys.size(); ++i) labels.codes.push_back(column.missing[i] != 0 ? -1 : codes.at(keys[i]));
  return labels;
}

/// The smallest signed type that holds all codes, as pandas picks it.
void write_codes(ArrayFile& file, const std::string& name, const Labels& labels) {
  const auto write = [&]<typename T>(T) {
    const std::vector<T> codes(labels.codes.begin(), labels.codes.end());
    file.write<T>(name, codes, {static_cast<std::int64_t>(codes.size())});
  };
  if (labels.names.size() <= 127) return write(std::int8_t{});
  if (labels.names.size() <= 32767) return write(std::int16_t{});
  write(std::int32_t{});
}

}  // namespace

std::vector<std::string> numbered_names(std::int64_t count) {
  std::vector<std::string> names;
  names.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) names.push_back(fmt::format("{}", i));
  return names;
}

std::string legacy_categories(const ArrayFile& file, const std::string& name) {
  if (!file.exists(name) || file.info(name).kind != ArrayInfo::Kind::integer) return "";
  for (auto slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
    const std::string place = name.substr(0, slash) + "/__categories" + name.substr(slash);
    if (file.exists(place)) return place;
  }
  return "";
}

Labels read_labels(const ArrayFile& file, const std::string& name, std::int64_t cells, bool all_may_be_missing) {
  Labels labels;
  const std::string categories = legacy_categories(file, name);
  if (file.exists(name + "/codes") && file.exists(name + "/categories")) {
    labels = from_codes(file, name + "/codes", read_column(file, name + "/categories").texts);
    labels.ordered = file.flag_attribute(name, "ordered");
  } else if (!categories.empty()) {
    labels = from_codes(file, name, read_column(file, categories).texts);
    labels.ordered = file.flag_attribute(categories, "ordered");
  } else {
    const Column column = read_column(file, name);
    labels = std::visit(
        [&]<typename Keys>(const Keys& numbers) {
          if constexpr (std::is_same_v<Keys, std::monostate>)
            return from_keys(column.texts, column);
          else
            return from_keys(numbers, column);
        },
        column.numbers);
  }
  if (static_cast<std::int64_t>(labels.codes.size()) != cells)
    throw UserError(fmt::format("'{}' in '{}' has {} labels for {} cells: give one label a cell", shown(name),
                                file.path().string(), labels.codes.size(), cells));
  if (labels.names.empty() && !all_may_be_missing)
    throw UserError(fmt::format("every label in '{}' of '{}' is missing: choose another column", shown(name),
                                file.path().string()));
  return labels;
}

std::vector<double> read_numbers(const ArrayFile& file, const std::string& name) {
  const Column column = read_column(file, name);
  return std::visit(
      [&]<typename Values>(const Values& values) {
        std::vector<double> numbers(column.texts.size(), std::nan(""));
        if constexpr (!std::is_same_v<Values, std::monostate>)
          for (std::size_t i = 0; i < values.size(); ++i)
            if (column.missing[i] == 0) numbers[i] = static_cast<double>(values[i]);
        return numbers;
      },
      column.numbers);
}

std::vector<std::string> read_texts(const ArrayFile& file, const std::string& name) {
  if (!file.exists(name + "/codes")) return read_column(file, name).texts;
  return texts_of(read_labels(file, name, file.info(name + "/codes").rows()));
}

std::vector<std::string> texts_of(const Labels& labels) {
  std::vector<std::string> texts;
  for (const std::int32_t code : labels.codes)
    texts.push_back(code < 0 ? "" : labels.names[static_cast<std::size_t>(code)]);
  return texts;
}

Labels without_missing(Labels labels) {
  static const std::set<std::string> missing = {"", "nan", "NaN", "None", "<NA>"};
  std::vector<std::int32_t> code;
  std::vector<std::string> names;
  for (std::string& name : labels.names) {
    const bool is_label = !missing.contains(name);
    code.push_back(is_label ? static_cast<std::int32_t>(names.size()) : -1);
    if (is_label) names.push_back(std::move(name));
  }
  for (std::int32_t& label : labels.codes)
    if (label >= 0) label = code[static_cast<std::size_t>(label)];
  labels.names = std::move(names);
  return labels;
}

Labels read_obs_labels(const ArrayFile& file, const std::string& column, std::int64_t cells, const char* option) {
  const std::vector<std::string> columns = frame_columns(file, "obs");
  if (std::find(columns.begin(), columns.end(), column) == columns.end())
    throw UserError(fmt::format("--{} '{}': obs of '{}' has no such column{}; there are: {}", option, shown(column),
                                file.path().string(), suggestion(column, columns), shown(columns)));
  Labels labels = without_missing(read_labels(file, "obs/" + column, cells));
  if (std::all_of(labels.codes.begin(), labels.codes.end(), [](std::int32_t code) { return code < 0; }))
    throw UserError(
        fmt::format("--{} '{}': no cell of '{}' has a label there; give another column, or leave the option out",
                    option, shown(column), file.path().string()));
  return labels;
}

void write_categorical(ArrayFile& file, const std::string& name, const Labels& labels) {
  file.create_group(name);
  tag_encoding(file, name, "categorical", "0.2.0");
  file.set_flag_attribute(name, "ordered", labels.ordered);
  write_codes(file, name + "/codes", labels);
  tag_encoding(file, name + "/codes", "array", "0.2.0");
  file.write_text(name + "/categories", labels.names);
  tag_encoding(file, name + "/categories", "string-array", "0.2.0");
}

std::vector<std::uint8_t> read_flags(const ArrayFile& file, const std::string& name, std::int64_t count) {
  if (!file.exists(name)) return {};
  const bool nullable = file.info(name).is_group();
  const std::string values = nullable ? name + "/values" : name;
  if (!file.exists(values)) return {};
  const ArrayInfo info = file.info(values);
  if ((info.kind != ArrayInfo::Kind::boolean && info.kind != ArrayInfo::Kind::integer) || info.size() != count)
    return {};
  auto flags = file.read<std::uint8_t>(values);
  if (nullable && file.exists(name + "/mask")) {
    const auto mask = file.read<std::uint8_t>(name + "/mask");
    for (std::size_t i = 0; i < std::min(mask.size(), flags.size()); ++i) flags[i] = mask[i] != 0 ? 0 : flags[i];
  }
  for (std::uint8_t& flag : flags) flag = flag != 0 ? 1 : 0;
  return flags;
}

}  // namespace masksc
