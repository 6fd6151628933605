// Copying a group with all that is in it from one file to another.
#pragma once

#include <string>

#include "masksc/io/array_file.hpp"

namespace masksc {

/// Copies `name` of `from`, an array or a group, to `to`; links that lead nowhere are left out. Categories that anndata
/// 0.7 kept aside, found by a reference that holds in one file only, become those of today. Throws UserError as
/// copy_array does, and where groups hold each other in circles.
void copy_tree(const ArrayFile& from, const std::string& name, ArrayFile& file, const std::string& to);

}  // namespace masksc
