// Gradients over ranks: buckets of the flat buffer, each summed as soon as the backward pass has filled it.
//
// Weight matrices (the decayed parameters) are cut into buckets from the end: the backward pass fills the flat buffer
// from there, and while it goes on, full buckets travel. Biases, norms and tokens (1 % of a model) are the last bucket.
// MPI moves data only while it is called: a thread does that every two milliseconds until the backward pass has ended.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "masksc/dist/collectives.hpp"
#include "masksc/train/checkpoint.hpp"
#include "masksc/train/optimizer.hpp"
#include "masksc/train/timestamp.hpp"
#include "masksc/train/transport.hpp"

namespace masksc {

struct ExchangeSettings {
  double bucket_mib = 25;  // of float32 gradients
  bool bf16 = false;       // sums travel and add up in bfloat16
  bool shard = false;      // ZeRO stage 1 (Rajbhandari et al. 2020): each rank gets the sums of its own slices only
  bool tree = false;       // replicas and ranks add up by one binary tree, after the passes; neither bf16 nor shard
};

class GradientExchange {
 public:
  /// Gradients and values travel by `transport`, the rest by `ranks`. Throws UserError when there are more ranks than a
  /// sharded bucket can be cut for.
  GradientExchange(FlatParameters& parameters, ExchangeSettings settings, Collectives& ranks,
                   std::unique_ptr<Transport> transport);
  ~GradientExchange();
  GradientExchange(const GradientExchange&) = delete;
  GradientExchange& operator=(const GradientExchange&) = delete;

  /// What this rank's optimizer updates: everything, or its slice of each bucket.
  [[nodiscard]] const std::vector<FlatSlice>& owned() const { return owned_; }

  [[nodiscard]] bool sharded() const { return settings_.shard; }

  /// A step begins whose passes run on replicas [0, replicas).
  void begin(int replicas);
  /// The next backward pass of this replica is its last one of the step: buckets that are full in all replicas are
  /// combined and start to travel. Replicas call it on their own threads.
  ///
  /// With `recorded` the pass is recorded, not done: nothing travels, and recorded(n) is called where the first n
  /// buckets are full; whenever the record is played, start_full(n) belongs there.
  using BucketsFull = std::function<void(std::size_t buckets)>;
  void last_pass(int replica, BucketsFull recorded = nullptr);
  /// The first `buckets` buckets are full, and travel.
  void start_full(std::size_t buckets);
  /// Combines and sends what has not been sent and waits: gradients() of owned() then hold the sums over replicas and
  /// ranks. A collective.
  void finish();
  /// Hands the updated values of owned() to all ranks. A collective; nothing to do unless sharded.
  void share_values();

  /// Tensors laid out as owned(), one slice after the other, such as optimizer state: elements [begin, end) of the
  /// whole, for each rank its entry of `wanted`, in host memory (copied if `copy`); and this rank's part of a whole
  /// [count()]. The first is a collective.
  [[nodiscard]] at::Tensor gather(const at::Tensor& owned, const std::vector<ParameterShare>& wanted, bool copy);
  [[nodiscard]] at::Tensor own_part(const at::Tensor& whole) const;

  /// Seconds that the last finish() kept this rank's computation waiting. On a GPU it waits for the device.
  [[nodiscard]] double exposed_seconds();
  /// Seconds that the same exchange takes with nothing else to do: the mean of steps 2 and 3. The first three steps do
  /// not overlap; the first one also connects the ranks and touches memory.
  [[nodiscard]] double alone_seconds() const { return alone_; }
  /// Mean share of that time that the backward passes since then hid, from 0 to 1; nothing where there were none, as on
  /// one rank.
  [[nodiscard]] std::optional<double> mean_hidden() const;

 private:
  static constexpr int kStepsAlone = 3;

  struct Bucket {
    std::int64_t begin = 0;  // of the flat values, without padding
    std::int64_t end = 0;
    FlatSlice sent;  // what travels: with padding, so that it has a part for each rank
    int missing = 0;
    at::Tensor input;   // what is being sent
    at::Tensor output;  // sharded: this rank's part of the sums
    std::unique_ptr<Pending> pending;
  };

  void cut_buckets();
  void arrived(int replica, std::size_t parameter);
  void start(Bucket& bucket);
  void start_until(std::size_t buckets);
  void complete(Bucket& bucket);
  void progress();
  void drive(const std::stop_token& stop);
  void finish_tree();
  void time_waiting(const std::function<void()>& waits);
  [[nodiscard]] bool overlaps() const { return steps_alone_ == kStepsAlone; }
  [[nodiscard]] FlatSlice own_slice(const FlatSlice& sent, int rank) const;

  FlatParameters& parameters_;
  ExchangeSettings settings_;
  Collectives& ranks_;
  std::unique_ptr<Transport> transport_;
  std::vector<Bucket> buckets_;                       // in the order in which they travel
  std::vector<std::vector<std::size_t>> buckets_of_;  // of each parameter
  std::vector<int> expected_;                         // parameters of each bucket
  std::vector<FlatSlice> owned_;
  std::mutex mutex_;                 // of what follows: replicas arrive on their own threads
  std::size_t started_ = 0;          // buckets under way; the same order on every rank
  std::size_t full_ = 0;             // buckets, likewise
  BucketsFull recorded_;             // of the pass that is being recorded, if one is
  std::vector<bool> in_last_pass_;   // of each replica
  int steps_alone_ = 0;              // whose exchange had nothing else to do
  std::optional<Interval> waiting_;  // of the last finish(), until it is asked for
  double exposed_ = 0;
  double alone_ = 0;
  double exposed_sum_ = 0;  // of the overlapping steps
  std::int64_t overlapping_steps_ = 0;
  std::condition_variable_any travelling_;
  std::jthread driver_;  // last: it looks at all of the above
};

}  // namespace masksc
