// A device in host memory: streams that do their tasks in order, elements of the device's types, and what
// collectives compute.
#pragma once

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "masksc/dist/nccl_api.hpp"

namespace masksc {

class HostStream {
 public:
  HostStream() : worker_([this] { run(); }) {}
  ~HostStream() {
    {
      const std::scoped_lock lock(mutex_);
      closing_ = true;
    }
    wake_.notify_all();
    worker_.join();
  }
  void push(std::function<void()> task) {
    const std::scoped_lock lock(mutex_);
    tasks_.push_back(std::move(task));
    wake_.notify_all();
  }
  void synchronize() {
    std::promise<void> done;
    push([&] { done.set_value(); });
    done.get_future().wait();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return closing_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      const auto task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  bool closing_ = false;
  std::thread worker_;
};

/// One element as a number, and back. Halves are written by truncation: the tests' values are small integers.
inline double read_element(const void* data, std::size_t i, int type) {
  const auto get = [&]<typename T>(T value) {
    std::memcpy(&value, static_cast<const std::byte*>(data) + i * sizeof(T), sizeof(T));
    return value;
  };
  if (type == nccl::int32) return get(std::int32_t{});
  if (type == nccl::int64) return static_cast<double>(get(std::int64_t{}));
  if (type == nccl::float32) return get(float{});
  if (type == nccl::float64) return get(double{});
  const std::uint32_t bits = get(std::uint16_t{});
  const int exponent_bits = type == nccl::float16 ? 5 : 8;
  const int mantissa_bits = 15 - exponent_bits;
  const int exponent = static_cast<int>((bits & 0x7fffU) >> mantissa_bits);
  if (exponent == 0) return 0;
  const double fraction = std::ldexp(bits & ((1U << mantissa_bits) - 1), -mantissa_bits);
  return ((bits >> 15U) != 0 ? -1 : 1) * std::ldexp(1 + fraction, exponent - ((1 << (exponent_bits - 1)) - 1));
}
inline void write_element(void* data, std::size_t i, int type, double value) {
  const auto put = [&](auto element) {
    std::memcpy(static_cast<std::byte*>(data) + i * sizeof(element), &element, sizeof(element));
  };
  if (type == nccl::int32) return put(static_cast<std::int32_t>(value));
  if (type == nccl::int64) return put(static_cast<std::int64_t>(value));
  if (type == nccl::float32) return put(static_cast<float>(value));
  if (type == nccl::float64) return put(value);
  const int exponent_bits = type == nccl::float16 ? 5 : 8;
  const int mantissa_bits = 15 - exponent_bits;
  int exponent = 0;
  const double fraction = std::frexp(std::abs(value), &exponent);  // value = fraction * 2^exponent, 1/2 <= fraction < 1
  const int biased = exponent - 1 + (1 << (exponent_bits - 1)) - 1;
  const auto mantissa = static_cast<int>(std::ldexp(2 * fraction - 1, mantissa_bits));
  const int bits = value == 0 ? 0 : (biased << mantissa_bits) | mantissa;
  put(static_cast<std::uint16_t>(bits | (value < 0 ? 0x8000 : 0)));
}

/// One rank's call of a collective; `op` and `root` where it has them.
struct HostCall {
  std::string name;
  const void* input = nullptr;
  void* output = nullptr;
  std::size_t count = 0;
  int type = 0;
  int op = 0;
  int root = 0;
};

/// What `rank` gets, given the calls of all ranks.
inline std::vector<double> collective_result(const std::map<int, HostCall>& calls, int rank) {
  const HostCall& mine = calls.at(rank);
  const auto get = [&](int from, std::size_t i) { return read_element(calls.at(from).input, i, mine.type); };
  const int size = static_cast<int>(calls.size());
  std::vector<double> result;
  if (mine.name == "ncclAllGather")
    for (int from = 0; from < size; ++from)
      for (std::size_t i = 0; i < mine.count; ++i) result.push_back(get(from, i));
  if (mine.name == "ncclBroadcast")
    for (std::size_t i = 0; i < mine.count; ++i) result.push_back(get(mine.root, i));
  if (!result.empty()) return result;
  const std::size_t first = mine.name == "ncclReduceScatter" ? static_cast<std::size_t>(rank) * mine.count : 0;
  for (std::size_t i = first; i < first + mine.count; ++i) {
    double value = get(0, i);
    for (int from = 1; from < size; ++from) {
      const double other = get(from, i);
      if (mine.op == nccl::sum) value += other;
      if (mine.op == nccl::max) value = std::max(value, other);
      if (mine.op == nccl::min) value = std::min(value, other);
    }
    result.push_back(value);
  }
  return result;
}

}  // namespace masksc
