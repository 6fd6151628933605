// Writing sealed files from all ranks.
#include <fmt/format.h>

#include <utility>

#include "masksc/core/stopwatch.hpp"
#include "masksc/core/version.hpp"
#include "masksc/io/array_file.hpp"
#include "sealed_layout.hpp"

namespace masksc {
namespace {

/// The arrays of one rank with their checksums; places are not known yet.
std::string describe_own(const std::vector<ArraySource>& arrays) {
  Json own = Json::array();
  for (const ArraySource& array : arrays) {
    Hasher hasher;
    hasher.add(array.values);
    own.push_back(describe_array(
        {array.name, array.shape, 0, static_cast<std::int64_t>(array.values.size_bytes()), hasher.hex()}));
  }
  return own.dump();
}

/// The texts of all ranks, in rank order, on rank 0.
std::vector<std::string> gather_texts(Collectives& ranks, const std::string& own) {
  const auto length = static_cast<std::int64_t>(own.size());
  const auto lengths = ranks.gather_varied(std::span<const std::int64_t>(&length, 1));
  const auto bytes = ranks.gather_varied(std::span(reinterpret_cast<const std::uint8_t*>(own.data()), own.size()));
  std::vector<std::string> texts;
  auto from = bytes.begin();
  for (const std::int64_t each : lengths) {
    texts.emplace_back(from, from + each);
    from += each;
  }
  return texts;
}

/// The HDF5 part with room for all arrays, then manifest and seal. Fills in the places; returns the file's size.
std::int64_t lay_out(const std::filesystem::path& path, const Json& header, std::vector<SealedArray>& arrays) {
  ArrayFile hdf5 = ArrayFile::create(path, /*alignment=*/4096);
  hdf5.set_attribute("/", "format", fmt::format("mask-sc {} {}", header.at("kind").get<std::string>(), sealed_format));
  hdf5.write_text_scalar("header", header.dump());
  for (SealedArray& array : arrays) array.offset = hdf5.reserve(array.name, array.shape);
  hdf5.close();
  const RawFile file(path, O_RDWR);
  const std::int64_t body = file.size();
  const std::string seal = make_seal(header, arrays, hash_rest(file, arrays, body));
  file.write(body, std::as_bytes(std::span(seal)));
  file.flush();
  return body + static_cast<std::int64_t>(seal.size());
}

}  // namespace

SealedWrite::SealedWrite(std::filesystem::path path, std::string kind, Json header, std::vector<ArraySource> arrays,
                         Collectives& ranks, bool background)
    : path_(std::move(path)), staged_(staging_path(path_)), ranks_(ranks), arrays_(std::move(arrays)) {
  const std::vector<std::string> all = gather_texts(ranks_, describe_own(arrays_));
  const auto offsets = of_root(ranks_, [&] {  // of all arrays, in rank order
    file_.emplace(path_);
    Json whole = {{"kind", kind}, {"version", version_and_commit()}};
    if (!header.is_null()) whole.update(header);
    std::vector<SealedArray> laid;
    for (const std::string& text : all)
      for (const Json& array : parse_json(text)) laid.push_back(parse_array(array));
    bytes_ = lay_out(staged_, whole, laid);
    std::vector<std::int64_t> places;
    for (const SealedArray& array : laid) places.push_back(array.offset);
    return places;
  });
  ranks_.broadcast(std::span(&bytes_, 1));
  const auto mine = static_cast<std::int64_t>(arrays_.size());
  std::vector<std::int64_t> counts(static_cast<std::size_t>(ranks_.size()));
  ranks_.all_gather(std::span<const std::int64_t>(&mine, 1), std::span(counts));
  std::int64_t before = 0;
  for (int rank = 0; rank < ranks_.rank(); ++rank) before += counts[static_cast<std::size_t>(rank)];
  offsets_.assign(offsets.begin() + before, offsets.begin() + before + mine);
  if (background)
    thread_ = std::jthread([this] { write_own(); });
  else
    write_own();
}

SealedWrite::~SealedWrite() = default;  // the thread is joined first, then the staged file goes

void SealedWrite::write_own() noexcept {
  const Stopwatch stopwatch;
  try {
    if (!arrays_.empty()) {
      const RawFile file(staged_, O_WRONLY);
      for (std::size_t i = 0; i < arrays_.size(); ++i) file.write(offsets_[i], std::as_bytes(arrays_[i].values));
      file.flush();
    }
  } catch (...) {
    error_ = std::current_exception();
  }
  seconds_ = stopwatch.seconds();
  written_ = true;
}

void SealedWrite::finish() {
  if (thread_.joinable()) thread_.join();
  arrays_.clear();
  agree(ranks_, error_);
  on_root(ranks_, [&] { file_->publish(); });
}

void write_sealed(const std::filesystem::path& path, const std::string& kind, Json header,
                  std::vector<ArraySource> arrays) {
  const auto alone = single_rank();
  SealedWrite(path, kind, std::move(header), std::move(arrays), *alone).finish();
}

}  // namespace masksc
