#include "masksc/train/exchange.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace masksc {

GradientExchange::GradientExchange(FlatParameters& parameters, ExchangeSettings settings, Collectives& ranks,
                                   std::unique_ptr<Transport> transport)
    : parameters_(parameters), settings_(settings), ranks_(ranks), transport_(std::move(transport)) {
  ensure(!settings_.tree || !(settings_.bf16 || settings_.shard), "a tree sums whole gradients in float32");
  if (ranks_.size() == 1) settings_.shard = false;
  if (settings_.shard && ranks_.size() > FlatParameters::padding)
    throw UserError(
        fmt::format("--shard-optimizer works for at most {} ranks, not {}", FlatParameters::padding, ranks_.size()));
  cut_buckets();
  if (settings_.shard)
    for (const Bucket& bucket : buckets_) owned_.push_back(own_slice(bucket.sent, ranks_.rank()));
  else
    owned_ = whole_slices(parameters_);
  parameters_.on_gradient([this](int replica, std::size_t i) { arrived(replica, i); });
  if (transport_->needs_driving() && !settings_.tree)
    driver_ = std::jthread([this](const std::stop_token& stop) { drive(stop); });
}

GradientExchange::~GradientExchange() { parameters_.on_gradient({}); }

void GradientExchange::cut_buckets() {
  const std::int64_t ranks = settings_.shard ? ranks_.size() : 1;
  const std::int64_t decayed = parameters_.decayed_count();
  const auto wanted = static_cast<std::int64_t>(settings_.bucket_mib * (1 << 20) / sizeof(float));
  const std::int64_t size = std::max<std::int64_t>(wanted / ranks, 1) * ranks;
  const auto add = [&](std::int64_t begin, std::int64_t end, bool decay) {
    if (begin == end) return;
    const std::int64_t surplus = (ranks - (end - begin) % ranks) % ranks;
    Bucket bucket;
    bucket.begin = begin;
    bucket.end = end;
    // Padding lies before the decayed parameters and behind the others.
    bucket.sent = {FlatParameters::padding + begin - (decay ? surplus : 0), end - begin + surplus, decay};
    buckets_.push_back(std::move(bucket));
  };
  for (std::int64_t end = decayed; end > 0; end -= std::min(size, end))
    add(std::max<std::int64_t>(end - size, 0), end, true);
  add(decayed, parameters_.count(), false);

  expected_.assign(buckets_.size(), 0);
  const auto& specs = parameters_.specs();
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const std::int64_t begin = parameters_.offset(i);
    const std::int64_t end = i + 1 < specs.size() ? parameters_.offset(i + 1) : parameters_.count();
    std::vector<std::size_t> mine;
    for (std::size_t b = 0; b < buckets_.size(); ++b)
      if (begin < buckets_[b].end && end > buckets_[b].begin) mine.push_back(b);
    for (const std::size_t b : mine) ++expected_[b];
    buckets_of_.push_back(std::move(mine));
  }
}

FlatSlice GradientExchange::own_slice(const FlatSlice& sent, int rank) const {
  const std::int64_t length = sent.length / ranks_.size();
  return {sent.begin + rank * length, length, sent.decay};
}

void GradientExchange::begin(int replicas) {
  const std::scoped_lock lock(mutex_);
  started_ = 0;
  full_ = 0;
  for (std::size_t b = 0; b < buckets_.size(); ++b) buckets_[b].missing = expected_[b] * replicas;
  in_last_pass_.assign(static_cast<std::size_t>(replicas), false);
}

void GradientExchange::last_pass(int replica, BucketsFull recorded) {
  const std::scoped_lock lock(mutex_);
  const bool cut = overlaps() || recorded;  // a record is cut also where its first launches do not overlap
  in_last_pass_[static_cast<std::size_t>(replica)] = cut && ranks_.size() > 1 && !settings_.tree;
  recorded_ = std::move(recorded);
}

void GradientExchange::arrived(int replica, std::size_t parameter) {
  const std::scoped_lock lock(mutex_);
  if (static_cast<std::size_t>(replica) >= in_last_pass_.size() || !in_last_pass_[static_cast<std::size_t>(replica)])
    return;
  for (const std::size_t b : buckets_of_[parameter]) --buckets_[b].missing;
  const std::size_t before = full_;
  while (full_ < buckets_.size() && buckets_[full_].missing <= 0) ++full_;
  if (!recorded_)
    start_until(full_);
  else if (full_ > before && full_ < buckets_.size())  // finish() sends the last ones
    recorded_(full_);
}

void GradientExchange::start_full(std::size_t buckets) {
  const std::scoped_lock lock(mutex_);
  if (overlaps()) start_until(buckets);
}

void GradientExchange::start_until(std::size_t buckets) {
  while (started_ < buckets) start(buckets_[started_++]);
  progress();
  if (started_ > 0) travelling_.notify_one();
}

void GradientExchange::progress() {
  for (std::size_t b = 0; b < started_; ++b)
    if (buckets_[b].pending && !buckets_[b].pending->test()) return;
}

/// From the first bucket's departure until finish().
void GradientExchange::drive(const std::stop_token& stop) {
  constexpr std::chrono::milliseconds pause{2};
  std::unique_lock lock(mutex_);
  for (;;) {
    travelling_.wait(lock, stop, [&] { return !in_last_pass_.empty() && started_ > 0; });
    if (stop.stop_requested()) return;
    try {
      progress();
    } catch (const EnvironmentError&) {  // finish() meets it too
      return;
    }
    lock.unlock();
    std::this_thread::sleep_for(pause);
    lock.lock();
  }
}

void GradientExchange::start(Bucket& bucket) {
  const at::NoGradGuard no_gradient;
  parameters_.combine_replicas(bucket.begin, bucket.end - bucket.begin);
  const at::Tensor gradients = parameters_.padded_gradients().narrow(0, bucket.sent.begin, bucket.sent.length);
  bucket.input = settings_.bf16 ? gradients.to(at::kBFloat16) : gradients;
  if (settings_.shard) {
    bucket.output = at::empty({bucket.sent.length / ranks_.size()}, bucket.input.options());
    bucket.pending = transport_->reduce_scatter(bucket.input, bucket.output);
  } else {
    bucket.pending = transport_->all_reduce(bucket.input);
  }
}

void GradientExchange::complete(Bucket& bucket) {
  const at::NoGradGuard no_gradient;
  bucket.pending->finish();
  const FlatSlice to = settings_.shard ? own_slice(bucket.sent, ranks_.rank()) : bucket.sent;
  const at::Tensor gradients = parameters_.padded_gradients().narrow(0, to.begin, to.length);
  const at::Tensor& sums = settings_.shard ? bucket.output : bucket.input;
  if (!sums.is_alias_of(gradients)) at::Tensor(gradients).copy_(sums);
  bucket.pending.reset();
  bucket.input.reset();
  bucket.output.reset();
}

void GradientExchange::finish() {
  {
    const std::scoped_lock lock(mutex_);
    in_last_pass_.clear();
    recorded_ = nullptr;
  }
  if (settings_.tree) {
    finish_tree();
    return;
  }
  if (ranks_.size() == 1) {
    parameters_.combine_replicas(0, parameters_.count());
    return;
  }
  if (!overlaps()) ranks_.barrier();
  time_waiting([&] {
    while (started_ < buckets_.size()) start(buckets_[started_++]);
    for (Bucket& bucket : buckets_) complete(bucket);
  });
}

/// A bucket at a time, for the memory that a transport may need.
void GradientExchange::finish_tree() {
  parameters_.combine_replicas_as_tree();
  if (ranks_.size() == 1) return;
  time_waiting([&] {
    for (const Bucket& bucket : buckets_)
      transport_->tree_all_reduce(parameters_.gradients().narrow(0, bucket.begin, bucket.end - bucket.begin));
  });
}

void GradientExchange::time_waiting(const std::function<void()>& waits) {
  const at::Device device = parameters_.values().device();
  const Timestamp before(device);
  waits();
  waiting_ = Interval{before, Timestamp(device)};
}

double GradientExchange::exposed_seconds() {
  if (!waiting_) return exposed_;
  exposed_ = waiting_->seconds();
  waiting_.reset();
  if (settings_.tree) return exposed_;  // nothing overlaps, so nothing is hidden
  if (overlaps()) {
    exposed_sum_ += exposed_;
    ++overlapping_steps_;
  } else if (++steps_alone_ > 1) {
    alone_ += exposed_ / (kStepsAlone - 1);
  }
  return exposed_;
}

std::optional<double> GradientExchange::mean_hidden() const {
  if (settings_.tree && ranks_.size() > 1) return 0;
  if (overlapping_steps_ == 0 || alone_ <= 0) return std::nullopt;
  return std::clamp(1 - exposed_sum_ / static_cast<double>(overlapping_steps_) / alone_, 0.0, 1.0);
}

void GradientExchange::share_values() {
  if (!settings_.shard) return;
  const at::NoGradGuard no_gradient;
  std::vector<std::unique_ptr<Pending>> pending;
  for (const Bucket& bucket : buckets_) {
    const FlatSlice mine = own_slice(bucket.sent, ranks_.rank());
    const at::Tensor& values = parameters_.padded_values();
    pending.push_back(transport_->all_gather(values.narrow(0, mine.begin, mine.length).clone(),
                                             values.narrow(0, bucket.sent.begin, bucket.sent.length)));
  }
  for (const auto& each : pending) each->finish();
}

at::Tensor GradientExchange::gather(const at::Tensor& owned, const std::vector<ParameterShare>& wanted, bool copy) {
  const ParameterShare& mine = wanted[static_cast<std::size_t>(ranks_.rank())];
  if (!settings_.shard) return host_part(owned, mine, copy);
  // Calls work(first element, length) for what lies in both a slice of `rank` and `share`, in the order of the slices.
  const auto for_each_common = [&](int rank, const ParameterShare& share, const auto& work) {
    std::int64_t before = 0;  // elements of the rank's slices so far
    for (const Bucket& bucket : buckets_) {
      const FlatSlice slice = own_slice(bucket.sent, rank);
      const std::int64_t begin = slice.begin - FlatParameters::padding;
      const std::int64_t first = std::max(begin, share.begin);
      const std::int64_t length = std::min(begin + slice.length, share.end) - first;
      if (length > 0) work(first, length, before + first - begin);
      before += slice.length;
    }
  };
  const at::Tensor host = owned.cpu();
  const float* const values = host.data_ptr<float>();
  std::vector<float> send;
  std::vector<std::int64_t> counts;
  for (const ParameterShare& share : wanted) {
    const std::size_t before = send.size();
    for_each_common(ranks_.rank(), share, [&](std::int64_t /*first*/, std::int64_t length, std::int64_t at) {
      send.insert(send.end(), values + at, values + at + length);
    });
    counts.push_back(static_cast<std::int64_t>(send.size() - before));
  }
  const std::vector<float> received = ranks_.all_to_all(std::span<const float>(send), counts);
  const at::Tensor part = at::empty({mine.end - mine.begin}, at::kFloat);
  auto from = received.begin();
  for (int rank = 0; rank < ranks_.size(); ++rank)
    for_each_common(rank, mine, [&](std::int64_t first, std::int64_t length, std::int64_t /*at*/) {
      std::copy_n(from, length, part.data_ptr<float>() + (first - mine.begin));
      from += length;
    });
  return part;
}

at::Tensor GradientExchange::own_part(const at::Tensor& whole) const {
  if (!settings_.shard) return whole;
  at::Tensor padded = at::zeros_like(parameters_.padded_values());
  padded.narrow(0, FlatParameters::padding, parameters_.count()).copy_(whole);
  std::vector<at::Tensor> parts;
  for (const FlatSlice& slice : owned_) parts.push_back(padded.narrow(0, slice.begin, slice.length));
  return at::cat(parts);
}

}  // namespace masksc
