// Copying between files, whatever the type: whole arrays, some of their rows, attributes.
#include <fmt/format.h>

#include <algorithm>

#include "array_file_handles.hpp"
#include "lzf.hpp"
#include "masksc/core/apart.hpp"
#include "masksc/core/text.hpp"

namespace masksc {
namespace {

/// Bytes of rows in memory at a time.
constexpr std::int64_t block_bytes = std::int64_t{8} << 20;
/// The most memory for the unpacked chunks of a block.
constexpr std::int64_t greatest_cache = std::int64_t{1} << 30;
/// HDF5 copies larger arrays without a sign of life for too long.
constexpr std::int64_t most_in_one_go = std::int64_t{2} << 30;
constexpr unsigned deflate_level = 4;
constexpr std::size_t longest_attribute = std::size_t{64} << 20;

std::int64_t total(std::span<const RowRange> ranges) {
  std::int64_t sum = 0;
  for (const RowRange& range : ranges) sum += range.size();
  return sum;
}

/// Memory that HDF5 filled with elements of `type`: what they point to is given back.
class Elements {
 public:
  Elements(hid_t type, hid_t space, std::size_t bytes) : type_(type), space_(space), bytes_(bytes) {}
  Elements(const Elements&) = delete;
  Elements& operator=(const Elements&) = delete;
  ~Elements() {
    const bool points =
        H5Tdetect_class(type_, H5T_VLEN) > 0 || H5Tis_variable_str(type_) > 0 || H5Tget_class(type_) == H5T_COMPOUND;
    if (points) H5Dvlen_reclaim(type_, space_, H5P_DEFAULT, bytes_.data());
  }
  [[nodiscard]] std::byte* data() { return bytes_.data(); }

 private:
  hid_t type_;
  hid_t space_;
  std::vector<std::byte> bytes_;
};

/// Whether the property list `creation` of an array names LZF.
bool packed_by_lzf(hid_t creation) {
  unsigned flags = 0;
  unsigned config = 0;
  std::size_t values = 0;
  return H5Pget_filter_by_id2(creation, lzf_filter, &flags, &values, nullptr, 0, nullptr, &config) >= 0;
}

std::vector<std::string> attribute_names(hid_t object) {
  std::vector<std::string> names;
  const auto add = [](hid_t, const char* name, const H5A_info_t*, void* into) -> herr_t {
    static_cast<std::vector<std::string>*>(into)->emplace_back(name);
    return 0;
  };
  H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, nullptr, add, &names);
  return names;
}

/// Rows of an array of any type, a block at a time, to the array that takes the wanted ones.
class RowCopy {
 public:
  RowCopy(const ArrayFile::Impl& from, const std::string& name)
      : from_(from), what_(fmt::format("copy '{}'", shown(name))) {
    Handle probe = from.open_dataset(name);
    info_ = describe_dataset(from, probe.id(), name);
    plausible_size(from, info_, name, info_.size());
    if (info_.shape.empty()) from.damaged(name, "has no rows");
    const Handle stored = from.own(H5Dget_type(probe.id()), H5Tclose, what_);
    type_ = from.own(H5Tcopy(stored.id()), H5Tclose, what_);  // no longer one that the file has a name for
    element_ = H5Tget_size(type_.id());
    for (std::size_t d = 1; d < info_.shape.size(); ++d) row_elements_ *= info_.shape[d];
    const std::int64_t row_bytes = std::max<std::int64_t>(1, row_elements_ * static_cast<std::int64_t>(element_));
    step_ = std::max<std::int64_t>(1, block_bytes / row_bytes);
    if (!info_.chunk.empty() && info_.chunk[0] > 0)
      step_ = (step_ + info_.chunk[0] - 1) / info_.chunk[0] * info_.chunk[0];
    step_ = std::clamp<std::int64_t>(step_, 1, std::max<std::int64_t>(1, greatest_cache / row_bytes));
    const Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
    const auto room = static_cast<std::size_t>(std::clamp(2 * step_ * row_bytes, block_bytes, greatest_cache));
    H5Pset_chunk_cache(access.id(), 12421, room, 1.0);
    dataset_ = from.open_dataset(name, access.id());
  }

  /// The new array in `file`, of which `rows` rows and, unless 0, `columns` columns are taken.
  void create(const ArrayFile::Impl& file, const std::string& name, std::int64_t rows, std::int64_t columns) {
    to_ = &file;
    extents_.assign(info_.shape.begin(), info_.shape.end());
    extents_[0] = static_cast<hsize_t>(rows);
    if (columns > 0) extents_[1] = static_cast<hsize_t>(columns);
    const Handle creation = from_.own(H5Dget_create_plist(dataset_.id()), H5Pclose, what_);
    if (!info_.chunk.empty()) {
      std::vector<hsize_t> chunk(info_.chunk.begin(), info_.chunk.end());
      for (std::size_t d = 0; d < chunk.size(); ++d)
        chunk[d] = std::clamp<hsize_t>(chunk[d], 1, std::max<hsize_t>(1, extents_[d]));
      H5Pset_chunk(creation.id(), static_cast<int>(chunk.size()), chunk.data());
    }
    if (packed_by_lzf(creation.id())) {  // which is read here, not written
      H5Premove_filter(creation.id(), lzf_filter);
      H5Pset_deflate(creation.id(), deflate_level);
    }
    const Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
    H5Pset_create_intermediate_group(links.id(), 1);
    const Handle space(H5Screate_simple(static_cast<int>(extents_.size()), extents_.data(), nullptr), H5Sclose);
    target_ =
        Handle(H5Dcreate2(file.file.id(), name.c_str(), type_.id(), space.id(), links.id(), creation.id(), H5P_DEFAULT),
               H5Dclose);
    check(target_.valid());
  }

  void run(std::span<const RowRange> rows, std::span<const RowRange> columns) {
    std::int64_t written = 0;
    std::size_t at = 0;
    for (std::int64_t begin = 0; begin < info_.rows() && at < rows.size(); begin += step_) {
      const RowRange block{begin, std::min(info_.rows(), begin + step_)};
      std::vector<RowRange> wanted;
      for (; at < rows.size() && rows[at].begin < block.end; ++at) {
        wanted.push_back({std::max(rows[at].begin, block.begin), std::min(rows[at].end, block.end)});
        if (rows[at].end > block.end) break;
      }
      if (wanted.empty()) continue;
      still_working();
      copy_block(block, wanted, columns, written);
      written += total(wanted);
    }
  }

 private:
  /// What fails is the reading, unless the disk of the new file says otherwise.
  void check(bool good) const {
    if (to_->write_failed()) to_->fail(what_);
    if (!good) from_.fail(what_);
  }
  void copy_block(RowRange block, std::span<const RowRange> wanted, std::span<const RowRange> columns,
                  std::int64_t to) {
    std::vector<hsize_t> start(extents_.size(), 0);
    std::vector<hsize_t> count(info_.shape.begin(), info_.shape.end());
    start[0] = static_cast<hsize_t>(block.begin);
    count[0] = static_cast<hsize_t>(block.size());
    const Handle source = from_.own(H5Dget_space(dataset_.id()), H5Sclose, what_);
    const Handle memory(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr), H5Sclose);
    H5Sselect_hyperslab(source.id(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
    Elements all(type_.id(), memory.id(), static_cast<std::size_t>(block.size() * row_elements_) * element_);
    check(H5Dread(dataset_.id(), type_.id(), memory.id(), source.id(), H5P_DEFAULT, all.data()) >= 0);

    const std::vector<std::byte> packed = pack(all.data(), block, wanted, columns);
    count.assign(extents_.begin(), extents_.end());
    start[0] = static_cast<hsize_t>(to);
    count[0] = static_cast<hsize_t>(total(wanted));
    const Handle place(H5Dget_space(target_.id()), H5Sclose);
    const Handle taken(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr), H5Sclose);
    H5Sselect_hyperslab(place.id(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
    check(H5Dwrite(target_.id(), type_.id(), taken.id(), place.id(), H5P_DEFAULT, packed.data()) >= 0);
  }
  [[nodiscard]] std::vector<std::byte> pack(const std::byte* all, RowRange block, std::span<const RowRange> rows,
                                            std::span<const RowRange> columns) const {
    const std::size_t row_bytes = static_cast<std::size_t>(row_elements_) * element_;
    std::vector<std::byte> packed;
    for (const RowRange& range : rows) {
      const std::byte* first = all + static_cast<std::size_t>(range.begin - block.begin) * row_bytes;
      if (columns.empty())
        packed.insert(packed.end(), first, first + static_cast<std::size_t>(range.size()) * row_bytes);
      const std::size_t cell = columns.empty() ? 0 : row_bytes / static_cast<std::size_t>(info_.shape[1]);
      for (std::int64_t row = 0; !columns.empty() && row < range.size(); ++row, first += row_bytes)
        for (const RowRange& part : columns)
          packed.insert(packed.end(), first + static_cast<std::size_t>(part.begin) * cell,
                        first + static_cast<std::size_t>(part.end) * cell);
    }
    return packed;
  }

  const ArrayFile::Impl& from_;
  const ArrayFile::Impl* to_ = nullptr;
  std::string what_;
  ArrayInfo info_;
  Handle type_;
  Handle dataset_;
  Handle target_;
  std::vector<hsize_t> extents_;
  std::size_t element_ = 1;
  std::int64_t row_elements_ = 1;
  std::int64_t step_ = 1;  // rows of a block
};

}  // namespace

void ArrayFile::copy_attributes(const ArrayFile& from, const std::string& name, const std::string& to) {
  const auto lock = lock_hdf5();
  const std::string what = fmt::format("copy the attributes of '{}'", shown(name));
  const Handle source = from.impl_->open_object(name);
  const Handle target = impl_->open_object(to);
  for (const std::string& key : attribute_names(source.id())) {
    if (H5Aexists(target.id(), key.c_str()) > 0) continue;
    const Handle attribute = from.impl_->own(H5Aopen(source.id(), key.c_str(), H5P_DEFAULT), H5Aclose, what);
    const Handle stored = from.impl_->own(H5Aget_type(attribute.id()), H5Tclose, what);
    const Handle type = from.impl_->own(H5Tcopy(stored.id()), H5Tclose, what);
    const Handle space = from.impl_->own(H5Aget_space(attribute.id()), H5Sclose, what);
    if (H5Tdetect_class(type.id(), H5T_REFERENCE) > 0) continue;  // to a place of the other file
    const hssize_t count = H5Sget_simple_extent_npoints(space.id());
    const std::size_t element = H5Tget_size(type.id());
    if (count < 0 || element == 0 || static_cast<std::size_t>(count) > longest_attribute / element)
      from.impl_->damaged(name, fmt::format("has an attribute '{}' of impossible size", shown(key)));
    Elements values(type.id(), space.id(), std::max<std::size_t>(1, static_cast<std::size_t>(count) * element));
    if (count > 0) from.impl_->check(H5Aread(attribute.id(), type.id(), values.data()), what);
    const Handle made = impl_->own(
        H5Acreate2(target.id(), key.c_str(), type.id(), space.id(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose, what);
    if (count > 0) impl_->check(H5Awrite(made.id(), type.id(), values.data()), what);
  }
}

void ArrayFile::copy_array(const ArrayFile& from, const std::string& name, const std::string& to) {
  const auto lock = lock_hdf5();
  const Handle source = from.impl_->open_dataset(name);
  const ArrayInfo found = describe_dataset(*from.impl_, source.id(), name);
  if (found.stored_bytes > most_in_one_go && !found.shape.empty()) {
    const RowRange all{0, found.rows()};
    return copy_rows(from, name, to, {&all, 1});
  }
  const Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_create_intermediate_group(links.id(), 1);
  const Handle how(H5Pcreate(H5P_OBJECT_COPY), H5Pclose);
  H5Pset_copy_object(how.id(), H5O_COPY_WITHOUT_ATTR_FLAG);
  const herr_t result = H5Ocopy(source.id(), ".", impl_->file.id(), to.c_str(), how.id(), links.id());
  const std::string what = fmt::format("copy '{}'", shown(name));
  if (impl_->write_failed()) impl_->fail(what);
  if (result < 0) from.impl_->fail(what);
  copy_attributes(from, name, to);
}

void ArrayFile::copy_rows(const ArrayFile& from, const std::string& name, const std::string& to,
                          std::span<const RowRange> rows, std::span<const RowRange> columns) {
  const auto lock = lock_hdf5();
  RowCopy copy(*from.impl_, name);
  copy.create(*impl_, to, total(rows), total(columns));
  copy.run(rows, columns);
  copy_attributes(from, name, to);
}

}  // namespace masksc
