#include "masksc/train/resident.hpp"

#include <ATen/DeviceAccelerator.h>

#include <algorithm>

#include "masksc/core/error.hpp"
#include "masksc/train/context.hpp"

namespace masksc {
namespace {

/// Brings the elements that rank `root` has, `size` of them, into `whole` from `begin` on.
template <typename T>
void bring(int root, std::vector<T>& own, std::int64_t size, const at::Tensor& whole, std::int64_t begin,
           Collectives& ranks) {
  std::vector<T> theirs;
  std::vector<T>& values = root == ranks.rank() ? own : theirs;
  values.resize(static_cast<std::size_t>(size));
  ranks.broadcast(std::span(values), root);
  whole.narrow(0, begin, size).copy_(at::from_blob(values.data(), {size}, whole.scalar_type()));
}

}  // namespace

ResidentCells::ResidentCells(const Expression& expression, at::Device device, Collectives& ranks)
    : batch_of_cell_(expression.batch_of_cell) {
  ensure(!expression.streams(), "resident cells are in memory first");
  const Densifier densifier(expression);
  const CsrMatrix& own = expression.values;

  std::vector<std::int64_t> sizes;
  for (std::int64_t row = 0; row < own.rows; ++row) sizes.push_back(static_cast<std::int64_t>(own.row_size(row)));
  sizes = ranks.all_gather_varied(std::span<const std::int64_t>(sizes));
  row_start_.assign(1, 0);
  for (const std::int64_t size : sizes) row_start_.push_back(row_start_.back() + size);

  std::vector<std::int32_t> slots(own.indices.size());
  std::vector<float> values(own.values.size());
  for (std::int64_t row = 0; row < own.rows; ++row) {
    const auto first = static_cast<std::size_t>(own.row_start[static_cast<std::size_t>(row)]);
    densifier.scale(own.row_indices(row), own.row_values(row), std::span(slots).subspan(first, own.row_size(row)),
                    std::span(values).subspan(first, own.row_size(row)), expression.batch(expression.rows.begin + row));
  }
  slots_ = at::empty({row_start_.back()}, at::TensorOptions(at::kInt).device(device));
  values_ = at::empty({row_start_.back()}, at::TensorOptions(at::kFloat).device(device));
  for (int rank = 0; rank < ranks.size(); ++rank) {
    const RowRange rows = rows_of_rank(expression.cells, rank, ranks.size());
    const std::int64_t begin = row_start_[static_cast<std::size_t>(rows.begin)];
    const std::int64_t size = row_start_[static_cast<std::size_t>(rows.end)] - begin;
    bring(rank, slots, size, slots_, begin, ranks);
    bring(rank, values, size, values_, begin, ranks);
  }

  const std::int64_t batches = expression.scaling.batches;
  std::vector<float> empty;
  for (std::int32_t batch = 0; batch < batches; ++batch) {
    const auto row = densifier.empty_row(batch);
    empty.insert(empty.end(), row.begin(), row.end());
  }
  empty.resize(empty.size() + static_cast<std::size_t>(densifier.width()));
  empty_ = to_tensor(empty, device).view({batches + 1, densifier.width()});
}

bool stays_on_device(const std::string& wanted, std::int64_t nonzeros, bool gpu, double memory) {
  return wanted == "yes" || (wanted == "auto" && gpu && ResidentCells::bytes(nonzeros) <= memory / 4);
}

std::unique_ptr<ResidentCells> choose_resident(const std::string& wanted, const Expression& expression,
                                               at::Device device, Collectives& ranks) {
  if (wanted == "yes" && expression.streams())
    throw UserError(
        "--data-on-device yes, but the counts do not fit into the host's memory and stay on disk: take auto, raise "
        "--data-memory, or use more ranks");
  const std::int64_t nonzeros = ranks.all_reduce(expression.values.nonzeros());
  double memory = 0;
  if (device.is_cuda()) {
    at::accelerator::emptyCache();  // what an earlier run of this process has left counts as taken
    memory = static_cast<double>(at::accelerator::getMemoryInfo(device.index()).first);
  }
  const bool stays = !expression.streams() && stays_on_device(wanted, nonzeros, device.is_cuda(), memory);
  if (ranks.all_reduce(std::int32_t{stays ? 1 : 0}, ReduceOp::min) == 0) return nullptr;
  return std::make_unique<ResidentCells>(expression, device, ranks);
}

at::Tensor ResidentCells::rows(std::span<const std::int64_t> cells) const {
  const auto count = static_cast<std::int64_t>(cells.size());
  std::vector<std::int64_t> asked(3 * cells.size());  // of each row: where it starts, its size, and its empty row
  std::int64_t total = 0;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const bool real = cells[i] >= 0;
    const auto cell = static_cast<std::size_t>(std::max<std::int64_t>(cells[i], 0));
    const std::int64_t size = real ? row_start_[cell + 1] - row_start_[cell] : 0;
    asked[i] = row_start_[cell] - total;  // of the place in the batch's counts, to that among all
    asked[cells.size() + i] = size;
    asked[2 * cells.size() + i] = !real ? empty_.size(0) - 1 : batch_of_cell_.empty() ? 0 : batch_of_cell_[cell];
    total += size;
  }
  const at::Tensor rows = to_tensor(asked, {3, count}, values_.device());
  const at::Tensor row = at::repeat_interleave(rows[1], std::optional<std::int64_t>(total));  // of each count
  const at::Tensor from = at::arange(total, rows.options()) + rows[0].index_select(0, row);
  const std::int64_t width = empty_.size(1);
  at::Tensor dense = empty_.index_select(0, rows[2]);
  dense.view(-1).scatter_(0, row * width + slots_.index_select(0, from), values_.index_select(0, from));
  return dense;
}

}  // namespace masksc
