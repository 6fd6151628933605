// Parameters, and tensors laid out like them (moments), as arrays of a checkpoint: by name and unsharded, so that any
// number of ranks loads them; dealt out over the ranks for writing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "masksc/dist/collectives.hpp"
#include "masksc/io/sealed_file.hpp"
#include "masksc/model/parameters.hpp"

namespace masksc {

/// Consecutive parameters [first, last), which fill elements [begin, end) of the flat buffers.
struct ParameterShare {
  std::size_t first = 0;
  std::size_t last = 0;
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// Nearly equal shares of all parameters, one a rank; some may be empty.
std::vector<ParameterShare> deal_parameters(const FlatParameters& parameters, int ranks);

/// Elements of `share` in host memory: the tensor's own, or a copy if `copy` or it lies on a device.
at::Tensor host_part(const at::Tensor& flat, const ParameterShare& share, bool copy);

/// Adds `group`/NAME for each parameter of `share`; `part` holds its elements, in host memory.
void add_parameters(std::vector<ArraySource>& arrays, const FlatParameters& parameters, const std::string& group,
                    const ParameterShare& share, const at::Tensor& part);

/// Adds a tensor as array `name`; it must lie in host memory.
void add_tensor(std::vector<ArraySource>& arrays, const std::string& name, const at::Tensor& tensor);

/// Reads all of `group` into `flat` [count()]. Throws UserError when names or shapes do not fit, DamagedFile.
void read_parameters(const Seal& seal, const std::string& group, const FlatParameters& parameters,
                     const at::Tensor& flat);

/// read_parameters on rank 0, whose file `seal` is (others have none), and `flat` on all ranks. A collective; throws on
/// all.
void load_parameters(const std::optional<Seal>& seal, const std::string& group, const FlatParameters& parameters,
                     const at::Tensor& flat, Collectives& ranks);

/// Reads array `name` into `tensor`. Throws as read_parameters.
void read_tensor(const Seal& seal, const std::string& name, at::Tensor& tensor);

}  // namespace masksc
