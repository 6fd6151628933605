// The rows of all cells on a rank's device, sparse, where dense batches are made of them: no rows move between ranks or
// from host to device while it trains.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "masksc/data/densifier.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/model/torch.hpp"

namespace masksc {

class ResidentCells {
 public:
  /// Brings the rows of all ranks here, standardised already, from one rank after the other. A collective. The
  /// expression must hold its rows (it does not stream).
  ResidentCells(const Expression& expression, at::Device device, Collectives& ranks);

  /// Dense rows of global cells, as Densifier's to the bit: float [cells, width]; zeros for -1.
  [[nodiscard]] at::Tensor rows(std::span<const std::int64_t> cells) const;

  /// Bytes on the device for so many counts that are not 0.
  static double bytes(std::int64_t nonzeros) { return 8.0 * static_cast<double>(nonzeros); }

 private:
  at::Tensor slots_;                     // [nonzeros] int32, place in a dense row
  at::Tensor values_;                    // [nonzeros] float
  at::Tensor empty_;                     // [batches + 1, width] dense rows without counts, the last of zeros
  std::vector<std::int64_t> row_start_;  // [cells + 1]
  std::vector<std::int32_t> batch_of_cell_;
};

/// Whether so many counts stay on the device by `wanted`, --data-on-device: auto says yes for a GPU where they take a
/// quarter of the `memory` that it has.
bool stays_on_device(const std::string& wanted, std::int64_t nonzeros, bool gpu, double memory);

/// The resident cells, where the rows of `expression` stay on the device; else null. A collective; the same on all
/// ranks. Throws UserError where `wanted` is yes and the rows are streamed from disk.
std::unique_ptr<ResidentCells> choose_resident(const std::string& wanted, const Expression& expression,
                                               at::Device device, Collectives& ranks);

}  // namespace masksc
