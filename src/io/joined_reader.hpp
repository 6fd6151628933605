// Several readers as one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "masksc/io/counts_reader.hpp"

namespace masksc {

/// The column of obs that names the input of each cell, where no --batch-key does.
constexpr const char* default_batch_column = "batch";

/// See open_inputs. `names` are short ones that tell the readers' files apart.
std::unique_ptr<CountsReader> join_readers(std::vector<std::unique_ptr<CountsReader>> readers,
                                           const std::vector<std::string>& names, const InputSettings& settings);

}  // namespace masksc
