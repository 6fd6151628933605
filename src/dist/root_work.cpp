#include "masksc/dist/root_work.hpp"

#include <algorithm>
#include <vector>

#include "masksc/core/hash.hpp"
#include "masksc/core/host.hpp"

namespace masksc {

int ranks_on_node(Collectives& ranks) {
  Hasher hasher;
  hasher.add(host_name());
  const auto mine = static_cast<std::int64_t>(std::stoull(hasher.hex().substr(0, 15), nullptr, 16));
  std::vector<std::int64_t> all(static_cast<std::size_t>(ranks.size()));
  ranks.all_gather(std::span<const std::int64_t>(&mine, 1), std::span(all));
  return static_cast<int>(std::count(all.begin(), all.end(), mine));
}

}  // namespace masksc
