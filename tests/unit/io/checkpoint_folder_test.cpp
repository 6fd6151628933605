// The folder of checkpoints: which stay, which is taken, what is refused, and what a full disk does.
#include "masksc/io/checkpoint_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include <fstream>
#include <random>

#include "masksc/core/files.hpp"
#include "temporary_folder.hpp"

namespace masksc {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

const CheckpointIdentity identity = {{"data", "abc"}, {"--dim", "128"}};

/// A state that tells its step, dealt out over the ranks.
void save(CheckpointFolder& folder, std::int64_t step, Collectives& ranks, std::size_t size = 3000) {
  const std::vector<float> values(size, static_cast<float>(step));
  folder.begin(step, {{"epoch", step / 10}},
               {{"weights/" + std::to_string(ranks.rank()), {static_cast<std::int64_t>(size)}, values, nullptr}},
               false);
  folder.complete();
}

void save_alone(const fs::path& path, std::int64_t step, Retention retention = {100, 0}) {
  const auto alone = single_rank();
  CheckpointFolder folder(path, "step", identity, retention, *alone);
  save(folder, step, *alone);
}

std::optional<Checkpoint> load_alone(const fs::path& path, const CheckpointIdentity& wanted = identity) {
  const auto alone = single_rank();
  return CheckpointFolder(path, "step", wanted, {}, *alone).load();
}

std::vector<std::string> names(const fs::path& path) {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(path)) found.push_back(entry.path().filename().string());
  std::sort(found.begin(), found.end());
  return found;
}

TEST(Retention, KeepsTheNewestAndOneOfEveryN) {
  const auto kept = [](std::vector<std::int64_t> all, Retention retention) {
    std::vector<std::int64_t> steps;
    for (const std::int64_t step : all) {  // as they are saved
      steps.push_back(step);
      const std::vector<std::size_t> gone = surplus(steps, retention);
      for (auto i = gone.rbegin(); i != gone.rend(); ++i) steps.erase(steps.begin() + static_cast<std::ptrdiff_t>(*i));
    }
    return steps;
  };
  EXPECT_THAT(kept({3, 6, 9, 12}, {2, 0}), ElementsAre(9, 12));
  EXPECT_THAT(kept({3, 6, 9, 12}, {1, 0}), ElementsAre(12));
  EXPECT_THAT(kept({3, 6, 9, 12, 15, 18, 21, 24}, {2, 10}), ElementsAre(12, 21, 24));
  EXPECT_THAT(kept({67, 134, 201, 268, 335}, {1, 100}), ElementsAre(134, 201, 335));
  EXPECT_THAT(kept({5}, {3, 10}), ElementsAre(5));
}

TEST(CheckpointFolder, RanksSaveTogetherAndLatestPointsToTheNewest) {
  const TemporaryFolder folder;
  run_as_threads(3, [&](Collectives& ranks) {
    CheckpointFolder checkpoints(folder / "c", "step", identity, {2, 0}, ranks);
    for (const std::int64_t step : {4, 8, 12}) save(checkpoints, step, ranks);
    const auto found = checkpoints.load();
    ASSERT_TRUE(found);
    EXPECT_EQ(found->step, 12);
    EXPECT_EQ(found->header.at("epoch"), 1);
    EXPECT_EQ(found->seal.has_value(), ranks.is_root());
  });
  EXPECT_THAT(names(folder / "c"), ElementsAre("latest", "step-00000008.h5", "step-00000012.h5"));
  EXPECT_EQ(fs::read_symlink(folder / "c" / "latest"), "step-00000012.h5");
  std::vector<float> values(3000);
  const Seal seal = open_sealed(folder / "c" / "latest", "checkpoint");
  EXPECT_EQ(seal.arrays.size(), 3U);
  read_array(seal, "weights/2", {3000}, values);
  EXPECT_EQ(values, std::vector<float>(3000, 12));
}

TEST(CheckpointFolder, ASaveInTheBackgroundIsThereOnceComplete) {
  const TemporaryFolder folder;
  run_as_threads(2, [&](Collectives& ranks) {
    CheckpointFolder checkpoints(folder / "c", "step", identity, {2, 0}, ranks);
    const auto keeper = std::make_shared<std::vector<float>>(500, 1.0F);
    checkpoints.begin(1, {}, {{"a" + std::to_string(ranks.rank()), {500}, *keeper, keeper}}, true);
    EXPECT_TRUE(checkpoints.pending());
    EXPECT_FALSE(fs::exists(folder / "c" / "step-00000001.h5"));
    while (!checkpoints.written()) {
    }
    checkpoints.complete();
    EXPECT_FALSE(checkpoints.pending());
  });
  EXPECT_EQ(load_alone(folder / "c")->step, 1);
}

TEST(CheckpointFolder, AbandonedStagingFilesGo) {
  const TemporaryFolder folder;
  save_alone(folder / "c", 4);
  write_file(folder / "c" / "x", "other");
  fs::rename(folder / "c" / "x", folder / "c" / ".step-00000008.h5.partial");
  EXPECT_EQ(load_alone(folder / "c")->step, 4);
  EXPECT_THAT(names(folder / "c"), ElementsAre("latest", "step-00000004.h5"));
}

TEST(CheckpointFolder, NamesTheFirstDifference) {
  const TemporaryFolder folder;
  save_alone(folder / "c", 4);
  const std::vector<std::pair<CheckpointIdentity, std::string>> others = {
      {{{"data", "xyz"}, {"--dim", "64"}}, "data is abc there and xyz here"},
      {{{"data", "abc"}, {"--dim", "64"}}, "--dim is 128 there and 64 here"},
      {{{"data", "abc"}}, "--dim is 128 there and missing here"},
      {{{"data", "abc"}, {"--dim", "128"}, {"--heads", "4"}}, "--heads is missing there and 4 here"}};
  for (const auto& [other, difference] : others) {
    try {
      load_alone(folder / "c", other);
      ADD_FAILURE() << difference;
    } catch (const DamagedFile& e) {
      ADD_FAILURE() << e.what();
    } catch (const UserError& e) {
      EXPECT_THAT(e.what(), HasSubstr(difference));
    }
  }
  EXPECT_EQ(load_alone(folder / "c")->step, 4) << "it stays as it was";
}

/// What two good checkpoints, of steps 4 and 8, become when the newer one is damaged.
TEST(CheckpointFolder, DamagedInThreeHundredWaysTheOneBeforeIsTaken) {
  const TemporaryFolder folder;
  const fs::path c = folder / "c";
  save_alone(c, 4);
  save_alone(c, 8);
  const fs::path newest = c / "step-00000008.h5";
  const std::string good = read_file(newest);
  const std::string older = read_file(c / "step-00000004.h5");
  std::mt19937 random(11);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same damage every time
  for (int i = 0; i < 300; ++i) {
    std::string bad = good;
    const std::size_t at = random() % good.size();
    switch (i % 6) {
      case 0:
      case 1:
        bad[at] = static_cast<char>(bad[at] ^ (1 << random() % 8));
        break;
      case 2:
        bad.resize(at);
        break;
      case 3:
        bad = older;  // swapped: good, but of another step
        break;
      case 4:  // a page of the older one: a write that never reached the disk
        for (std::size_t b = at / 4096 * 4096; b < std::min(bad.size(), at / 4096 * 4096 + 4096); ++b)
          bad[b] = b < older.size() ? older[b] : '\0';
        if (bad == good) bad[at] = static_cast<char>(bad[at] ^ 1);
        break;
      default:  // the format before this one: HDF5 without a seal
        bad = good.substr(0, good.rfind("{\"format\""));
    }
    write_file(newest, bad);
    const auto found = load_alone(c);
    ASSERT_TRUE(found) << i;
    EXPECT_EQ(found->step, 4) << i;
    EXPECT_TRUE(fs::exists(newest.string() + ".damaged")) << i;
    EXPECT_FALSE(fs::exists(newest)) << i;
  }
  fs::remove(newest);
  EXPECT_EQ(load_alone(c)->step, 4) << "a missing one";
  write_file(newest, good);
  EXPECT_EQ(load_alone(c)->step, 8);
}

TEST(CheckpointFolder, APathIsAFileOrAFolder) {
  const TemporaryFolder folder;
  const fs::path c = folder / "c";
  save_alone(c, 4);
  save_alone(c, 8);
  const auto alone = single_rank();
  CheckpointFolder other(folder / "other", "step", identity, {}, *alone);
  EXPECT_FALSE(other.load());
  EXPECT_EQ(other.load(c).step, 8);
  EXPECT_EQ(other.load(c / "latest").step, 8);
  EXPECT_EQ(other.load(c / "step-00000004.h5").step, 4);
  EXPECT_THROW(other.load(folder / "none"), UserError);
  EXPECT_THROW(other.load(folder / "other"), UserError);
  CheckpointFolder sequence(folder / "other", "sequence", identity, {}, *alone);
  EXPECT_THROW(sequence.load(c / "step-00000004.h5"), UserError);
}

/// A disk of a few pages, filled so far that a save finds less room with every try.
class SmallDisk {
 public:
  SmallDisk() : mounted_(::mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, "size=512k") == 0) {}
  ~SmallDisk() {
    if (mounted_) ::umount2(folder_.path().c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  [[nodiscard]] bool mounted() const { return mounted_; }
  [[nodiscard]] const fs::path& path() const { return folder_.path(); }
  /// Leaves `pages` free.
  void leave(std::size_t pages) const {
    const fs::path filler = path() / "filler";
    fs::remove(filler);
    struct statvfs status {};
    ::statvfs(path().c_str(), &status);
    if (status.f_bavail <= pages) return;
    std::ofstream(filler, std::ios::binary) << std::string((status.f_bavail - pages) * status.f_bsize, 'x');
  }

 private:
  TemporaryFolder folder_;
  bool mounted_;
};

TEST(CheckpointFolder, AFullDiskAtAnyWriteLeavesTheLastGoodOne) {
  const SmallDisk disk;
  if (!disk.mounted()) GTEST_SKIP() << "needs the right to mount a small tmpfs (root)";
  const fs::path c = disk.path() / "c";
  std::size_t failed = 0;
  bool saved = false;
  for (std::size_t pages = 0; !saved; ++pages) {
    ASSERT_LT(pages, 100U);
    fs::remove_all(c);
    disk.leave(120);
    save_alone(c, 4);
    disk.leave(pages);
    run_as_threads(2, [&](Collectives& ranks) {
      CheckpointFolder folder(c, "step", identity, {2, 0}, ranks);
      try {
        save(folder, 8, ranks, 20000);
        if (ranks.is_root()) saved = true;
      } catch (const EnvironmentError& e) {
        EXPECT_THAT(e.what(), HasSubstr("No space"));
        if (ranks.is_root()) ++failed;
      }
      EXPECT_FALSE(folder.pending());
    });
    EXPECT_EQ(load_alone(c)->step, saved ? 8 : 4) << pages << " pages";
    if (saved) continue;
    EXPECT_THAT(names(c), ElementsAre("latest", "step-00000004.h5")) << pages << " pages";
  }
  EXPECT_GT(failed, 30U) << "two arrays of 80 kB are 40 pages";
}

}  // namespace
}  // namespace masksc
