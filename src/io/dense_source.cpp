// Counts stored as a dense array: rows are streamed and packed to CSR, mostly by skipping runs of zeros.
#include <algorithm>

#include "counts_source.hpp"

namespace masksc {
namespace {

/// Values looked at together: a run of zeros costs one vectorised comparison.
constexpr std::int64_t run = 16;
/// Bytes of dense rows in memory at a time.
constexpr std::int64_t band_bytes = std::int64_t{4} << 20;

template <typename T>
bool all_zero(const T* values) {
  bool any = false;
  for (std::int64_t k = 0; k < run; ++k) any |= values[k] != T{0};
  return !any;
}

template <typename T>
class DenseSource final : public CountsSource {
 public:
  DenseSource(std::unique_ptr<RowStream> stream, const CountsPlace& place)
      : stream_(std::move(stream)), place_(place) {}

  CsrMatrix read_rows(RowRange rows) override {
    CsrMatrix out;
    out.rows = rows.size();
    out.columns = place_.genes();
    out.row_start.reserve(static_cast<std::size_t>(rows.size()) + 1);
    const std::int64_t genes = place_.genes();
    const std::int64_t step = std::max<std::int64_t>(1, band_bytes / (genes * static_cast<std::int64_t>(sizeof(T))));
    band_.resize(static_cast<std::size_t>(std::min(step, std::max<std::int64_t>(rows.size(), 1)) * genes));
    for (std::int64_t begin = rows.begin; begin < rows.end; begin += step) {
      const std::int64_t end = std::min(rows.end, begin + step);
      stream_->read({begin, end}, band_.data());
      for (std::int64_t row = begin; row < end; ++row) append_row(band_.data() + (row - begin) * genes, row, out);
    }
    return out;
  }

 private:
  void append_row(const T* values, std::int64_t row, CsrMatrix& out) {
    const std::int64_t genes = place_.genes();
    std::int64_t gene = 0;
    for (; gene + run <= genes; gene += run)
      if (!all_zero(values + gene)) append_values(values, gene, gene + run, row, out);
    append_values(values, gene, genes, row, out);
    out.row_start.push_back(static_cast<std::int64_t>(out.indices.size()));
  }
  void append_values(const T* values, std::int64_t begin, std::int64_t end, std::int64_t row, CsrMatrix& out) {
    for (std::int64_t gene = begin; gene < end; ++gene) {
      const T value = values[gene];
      if (value == T{0}) continue;
      if (!is_count(value, place_.allow_noninteger)) refuse_count(place_, row, gene, static_cast<double>(value));
      out.indices.push_back(static_cast<std::int32_t>(gene));
      out.values.push_back(static_cast<float>(value));
    }
  }

  std::unique_ptr<RowStream> stream_;
  const CountsPlace& place_;
  std::vector<T> band_;
};

}  // namespace

std::unique_ptr<CountsSource> make_dense_source(const ArrayFile& file, const std::string& name,
                                                const CountsPlace& place) {
  auto stream = file.stream_rows(name);
  return with_numeric_type(stream->info().type, [&]<typename T>(T) -> std::unique_ptr<CountsSource> {
    return std::make_unique<DenseSource<T>>(std::move(stream), place);
  });
}

}  // namespace masksc
