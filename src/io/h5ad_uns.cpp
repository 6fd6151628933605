// JSON as groups, arrays and scalars that anndata reads back as dict, numpy arrays and scalars.
#include "h5ad_uns.hpp"

#include <algorithm>

namespace masksc {
namespace {

template <typename T>
void write_scalar(ArrayFile& file, const std::string& name, T value) {
  file.write(name, std::span<const T>(&value, 1), {});
  tag_encoding(file, name, "numeric-scalar", "0.2.0");
}

void write_text(ArrayFile& file, const std::string& name, const std::string& text) {
  file.write_text_scalar(name, text);
  tag_encoding(file, name, "string", "0.2.0");
}

template <typename T>
void write_numbers(ArrayFile& file, const std::string& name, const Json& values) {
  file.write<T>(name, values.get<std::vector<T>>(), {static_cast<std::int64_t>(values.size())});
  tag_encoding(file, name, "array", "0.2.0");
}

void write_array(ArrayFile& file, const std::string& name, const Json& values) {
  const auto all = [&](auto&& holds) { return std::all_of(values.begin(), values.end(), holds); };
  const auto size = static_cast<std::int64_t>(values.size());
  if (values.empty() || all([](const Json& v) { return v.is_number(); })) {
    const bool integers = !values.empty() && all([](const Json& v) { return v.is_number_integer(); });
    return integers ? write_numbers<std::int64_t>(file, name, values) : write_numbers<double>(file, name, values);
  }
  if (all([](const Json& v) { return v.is_string(); })) {
    file.write_text(name, values.get<std::vector<std::string>>());
    return tag_encoding(file, name, "string-array", "0.2.0");
  }
  if (all([](const Json& v) { return v.is_boolean(); })) {
    std::vector<std::uint8_t> flags;
    for (const Json& flag : values) flags.push_back(flag.get<bool>() ? 1 : 0);
    file.write_flags(name, flags, {size});
    return tag_encoding(file, name, "array", "0.2.0");
  }
  write_text(file, name, values.dump());
}

}  // namespace

void tag_encoding(ArrayFile& file, const std::string& name, const std::string& type, const std::string& version) {
  file.set_attribute(name, "encoding-type", type);
  file.set_attribute(name, "encoding-version", version);
}

std::string safe_key(std::string key) {
  std::replace(key.begin(), key.end(), '/', '_');
  std::replace(key.begin(), key.end(), '\0', '_');
  if (key.empty() || key == ".") key = "_";
  return key;
}

void write_uns(ArrayFile& file, const std::string& name, const Json& value) {
  if (value.is_null()) return;
  if (value.is_object()) {
    file.create_group(name);
    tag_encoding(file, name, "dict", "0.1.0");
    for (const auto& [key, child] : value.items()) write_uns(file, name + "/" + safe_key(key), child);
  } else if (value.is_array()) {
    write_array(file, name, value);
  } else if (value.is_string()) {
    write_text(file, name, value.get<std::string>());
  } else if (value.is_boolean()) {
    const std::uint8_t flag = value.get<bool>() ? 1 : 0;
    file.write_flags(name, std::span<const std::uint8_t>(&flag, 1), {});
    tag_encoding(file, name, "numeric-scalar", "0.2.0");
  } else if (value.is_number_unsigned()) {
    // Seeds take all 64 bits; all else is signed, as numpy's default.
    const auto number = value.get<std::uint64_t>();
    if (number > INT64_MAX) return write_scalar(file, name, number);
    write_scalar(file, name, static_cast<std::int64_t>(number));
  } else if (value.is_number_integer()) {
    write_scalar(file, name, value.get<std::int64_t>());
  } else {
    write_scalar(file, name, value.get<double>());
  }
}

}  // namespace masksc
