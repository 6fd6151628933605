// Categories of several files as one.
#pragma once

#include <string>
#include <unordered_map>
#include <utility>

#include "masksc/core/types.hpp"

namespace masksc {

/// The labels of all files one after the other, their names in the order in which the files have them first; ordered
/// if those of each file are, and are the same (as pandas.concat has it).
class CategoryUnion {
 public:
  void add(const Labels& labels) {
    all_.ordered = labels.ordered && (first_ || (all_.ordered && labels.names == all_.names));
    first_ = false;
    std::vector<std::int32_t> code;
    for (const std::string& name : labels.names) {
      const auto [at, added] = codes_.emplace(name, static_cast<std::int32_t>(all_.names.size()));
      if (added) all_.names.push_back(name);
      code.push_back(at->second);
    }
    for (const std::int32_t was : labels.codes)
      all_.codes.push_back(was < 0 ? -1 : code[static_cast<std::size_t>(was)]);
  }
  [[nodiscard]] Labels take() { return std::move(all_); }

 private:
  Labels all_;
  bool first_ = true;
  std::unordered_map<std::string, std::int32_t> codes_;
};

}  // namespace masksc
