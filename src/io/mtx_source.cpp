#include "mtx_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "banded_source.hpp"
#include "masksc/core/error.hpp"
#include "masksc/core/text.hpp"
#include "text_lines.hpp"

namespace masksc {
namespace {

struct MtxEntry {
  std::int64_t feature = 0;  // from 0
  std::int64_t cell = 0;
  double count = 0;
};

/// The entries of a file in their order, each checked but for its count.
class MtxEntries {
 public:
  MtxEntries(const std::filesystem::path& file, std::int64_t features, std::int64_t cells)
      : lines_(file), features_(features), cells_(cells) {
    read_header();
  }
  /// False after the last entry, of which there are as many as the header says.
  bool next(MtxEntry& entry) {
    std::string_view line;
    do {
      if (!lines_.next(line)) {
        if (read_ != entries_)
          lines_.refuse(
              fmt::format("is the last, after {} entries where the header says {}; the file is not whole: "
                          "copy or write it again",
                          read_, entries_));
        return false;
      }
    } while (is_blank(line));
    if (read_ == entries_) lines_.refuse(fmt::format("is one more than the {} entries of the header", entries_));
    ++read_;
    entry = parse(line);
    return true;
  }
  /// Back to the first entry.
  void rewind() {
    lines_.rewind();
    read_header();
  }
  [[nodiscard]] std::int64_t line() const { return lines_.number(); }

 private:
  static bool is_blank(std::string_view line) { return line.find_first_not_of(" \t") == std::string_view::npos; }

  template <typename T>
  static bool take(std::string_view& text, T& value) {
    text.remove_prefix(std::min(text.size(), text.find_first_not_of(" \t")));
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc()) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return text.empty() || text.front() == ' ' || text.front() == '\t';
  }

  void read_header() {
    read_ = 0;
    std::string_view line;
    if (!lines_.next(line)) lines_.refuse("is not there: the file is empty");
    check_banner(line);
    do {
      if (!lines_.next(line)) lines_.refuse("is the last: the file ends before its header does");
    } while (is_blank(line) || line.front() == '%');
    std::int64_t features = 0;
    std::int64_t cells = 0;
    if (!take(line, features) || !take(line, cells) || !take(line, entries_) || !is_blank(line))
      lines_.refuse("holds no sizes: it must have the numbers of features, cells and entries");
    if (features != features_ || cells != cells_)
      lines_.refuse(
          fmt::format("claims {} features x {} cells, but there are {} features and {} barcodes in their files: give "
                      "the three files of one matrix (features x cells)",
                      features, cells, features_, cells_));
    if (entries_ < 0) lines_.refuse(fmt::format("claims {} entries", entries_));
  }
  /// Of the kinds of Matrix Market, coordinates of numbers without symmetry.
  void check_banner(std::string_view line) const {
    std::string text(line);
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    std::vector<std::string_view> words = split(text, " \t");
    std::erase(words, "");
    const bool known = words.size() == 5 && words[0] == "%%matrixmarket" && words[1] == "matrix" &&
                       words[2] == "coordinate" && words[4] == "general" &&
                       (words[3] == "integer" || words[3] == "real" || words[3] == "unsigned-integer");
    if (!known)
      lines_.refuse(
          fmt::format("is '{}': expected '%%MatrixMarket matrix coordinate integer general' (or real)", shown(line)));
  }
  [[nodiscard]] MtxEntry parse(std::string_view line) const {
    MtxEntry entry;
    std::string_view rest = line;
    if (!take(rest, entry.feature) || !take(rest, entry.cell) || !take(rest, entry.count) || !is_blank(rest))
      lines_.refuse(fmt::format("is '{}': expected feature, cell and count, three numbers", shown(line)));
    if (entry.feature < 1 || entry.feature > features_)
      lines_.refuse(fmt::format("has feature {} of {}; they count from 1", entry.feature, features_));
    if (entry.cell < 1 || entry.cell > cells_)
      lines_.refuse(fmt::format("has cell {} of {}; they count from 1", entry.cell, cells_));
    --entry.feature;
    --entry.cell;
    return entry;
  }

  TextLines lines_;
  std::int64_t features_;
  std::int64_t cells_;
  std::int64_t entries_ = 0;
  std::int64_t read_ = 0;
};

class MtxSource final : public BandedSource {
 public:
  MtxSource(const std::filesystem::path& file, const CountsPlace& counts, std::int64_t sorted_bytes,
            std::int64_t band_bytes)
      : BandedSource(counts), entries_(file, counts.stored_columns(), counts.cells()) {
    survey();
    set_band_bytes(sorted_ ? sorted_bytes : band_bytes);
  }

 private:
  /// Reads everything once.
  void survey() {
    MtxEntry entry;
    std::int64_t before = 0;
    while (entries_.next(entry)) {
      sorted_ = sorted_ && entry.cell >= before;
      before = entry.cell;
      const std::int64_t gene = place().gene(entry.feature);
      if (gene < 0) continue;
      if (!is_count(entry.count, place().allow_noninteger)) refuse(entry, gene);
      if (entry.count != 0) expect(entry.cell);
    }
    restart();
  }
  [[noreturn]] void refuse(const MtxEntry& entry, std::int64_t gene) const {
    CountsPlace where = place();
    where.matrix = fmt::format("line {}", entries_.line());
    refuse_count(where, entry.cell, gene, entry.count);
  }
  void restart() {
    entries_.rewind();
    more_ = entries_.next(ahead_);
    reached_ = 0;
  }
  void fill_band() override {
    if (!sorted_ || band().begin < reached_) restart();
    for (; more_ && (!sorted_ || ahead_.cell < band().end); more_ = entries_.next(ahead_)) {
      const std::int64_t gene = place().gene(ahead_.feature);
      if (gene >= 0 && ahead_.count != 0 && in_band(ahead_.cell)) put(ahead_.cell, gene, ahead_.count);
    }
    reached_ = band().end;
  }

  MtxEntries entries_;
  bool sorted_ = true;  // cell by cell
  MtxEntry ahead_;      // the next entry, where there are more
  bool more_ = false;
  std::int64_t reached_ = 0;  // of a sorted file: the entries of the cells before are behind
};

}  // namespace

std::unique_ptr<CountsSource> make_mtx_source(const std::filesystem::path& file, const CountsPlace& place,
                                              std::int64_t sorted_bytes, std::int64_t band_bytes) {
  return std::make_unique<MtxSource>(file, place, sorted_bytes, band_bytes);
}

}  // namespace masksc
