#include "masksc/train/transport.hpp"

#include <c10/core/impl/VirtualGuardImpl.h>

#include <thread>

#include "masksc/dist/tree_sum.hpp"

namespace masksc {
namespace {

template <typename T>
std::span<T> elements(const at::Tensor& host) {
  return {static_cast<T*>(host.data_ptr()), static_cast<std::size_t>(host.numel())};
}

/// A tensor's bytes in host memory: its own, or a copy that goes back.
struct Staged {
  explicit Staged(const at::Tensor& t) : tensor(t), host(t.is_cpu() ? t : t.cpu()) {}
  void give_back() const {
    const at::NoGradGuard no_gradient;
    if (!tensor.is_cpu()) at::Tensor(tensor).copy_(host);
  }
  at::Tensor tensor;
  at::Tensor host;
};

class HostPending final : public Pending {
 public:
  HostPending(std::unique_ptr<Request> request, Staged input, Staged result)
      : input_(std::move(input)), result_(std::move(result)), request_(std::move(request)) {}
  bool test() override { return request_->test(); }
  void finish() override {
    request_->wait();
    result_.give_back();
  }

 private:
  Staged input_;  // kept alive
  Staged result_;
  std::unique_ptr<Request> request_;  // last: when it is given up it waits, with what it moves still there
};

class DonePending final : public Pending {
 public:
  bool test() override { return true; }
  void finish() override {}
};

class HostTransport final : public Transport {
 public:
  explicit HostTransport(Collectives& ranks) : ranks_(ranks) {}

  std::unique_ptr<Pending> all_reduce(const at::Tensor& values) override {
    const Staged staged(values);
    auto request = typed(values, [&]<typename T>(T) { return ranks_.all_reduce_async(elements<T>(staged.host)); });
    return std::make_unique<HostPending>(std::move(request), staged, staged);
  }
  void tree_all_reduce(const at::Tensor& values) override {
    const Staged staged(values);
    masksc::tree_all_reduce(ranks_, elements<float>(staged.host));
    staged.give_back();
  }
  std::unique_ptr<Pending> reduce_scatter(const at::Tensor& input, const at::Tensor& output) override {
    const Staged from(input);
    const Staged to(output);
    auto request = typed(input, [&]<typename T>(T) {
      return ranks_.reduce_scatter_async(std::span<const T>(elements<T>(from.host)), elements<T>(to.host));
    });
    return std::make_unique<HostPending>(std::move(request), from, to);
  }
  std::unique_ptr<Pending> all_gather(const at::Tensor& own, const at::Tensor& all) override {
    const Staged from(own);
    const Staged to(all);
    typed(own, [&]<typename T>(T) {
      ranks_.all_gather(std::span<const T>(elements<T>(from.host)), elements<T>(to.host));
      return std::unique_ptr<Request>();
    });
    to.give_back();
    return std::make_unique<DonePending>();
  }
  [[nodiscard]] bool needs_driving() const override { return ranks_.size() > 1; }

 private:
  template <typename Start>
  static std::unique_ptr<Request> typed(const at::Tensor& tensor, const Start& start) {
    return tensor.scalar_type() == at::kBFloat16 ? start(Bf16{}) : start(0.0F);
  }

  Collectives& ranks_;
};

DeviceElement element_of(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kBFloat16 ? DeviceElement::bf16 : DeviceElement::f32;
}

class DevicePending final : public Pending {
 public:
  DevicePending(std::unique_ptr<DeviceRequest> request, void* stream, at::Tensor input, at::Tensor output)
      : request_(std::move(request)), stream_(stream), input_(std::move(input)), output_(std::move(output)) {}
  bool test() override { return true; }  // NCCL needs no driving
  void finish() override {
    request_->wait(stream_);
    // Host memory (NCCL's stand-in in tests): nothing orders the host after the stream.
    while (output_.is_cpu() && !request_->test()) std::this_thread::yield();
  }

 private:
  std::unique_ptr<DeviceRequest> request_;
  void* stream_;
  at::Tensor input_;  // kept alive
  at::Tensor output_;
};

class DeviceTransport final : public Transport {
 public:
  DeviceTransport(NcclCollectives& nccl, std::function<void*()> current_stream)
      : nccl_(nccl), current_stream_(std::move(current_stream)) {}

  std::unique_ptr<Pending> all_reduce(const at::Tensor& values) override {
    void* const stream = current_stream_();
    auto request = nccl_.all_reduce(values.data_ptr(), count_of(values), element_of(values), stream);
    return std::make_unique<DevicePending>(std::move(request), stream, values, values);
  }
  /// Every rank gathers the values of all and sums them itself, so that NCCL's choice of an algorithm does not matter.
  void tree_all_reduce(const at::Tensor& values) override {
    const at::NoGradGuard no_gradient;
    const at::Tensor all = at::empty({nccl_.size(), values.numel()}, values.options());
    all_gather(values, all.view(-1))->finish();
    for_each_tree_addition(nccl_.size(), [&](std::int64_t to, std::int64_t from) { all[to].add_(all[from]); });
    at::Tensor(values).copy_(all[0]);
  }
  std::unique_ptr<Pending> reduce_scatter(const at::Tensor& input, const at::Tensor& output) override {
    void* const stream = current_stream_();
    auto request =
        nccl_.reduce_scatter(input.data_ptr(), output.data_ptr(), count_of(output), element_of(input), stream);
    return std::make_unique<DevicePending>(std::move(request), stream, input, output);
  }
  std::unique_ptr<Pending> all_gather(const at::Tensor& own, const at::Tensor& all) override {
    void* const stream = current_stream_();
    auto request = nccl_.all_gather(own.data_ptr(), all.data_ptr(), count_of(own), element_of(own), stream);
    return std::make_unique<DevicePending>(std::move(request), stream, own, all);
  }
  [[nodiscard]] bool needs_driving() const override { return false; }

 private:
  static std::size_t count_of(const at::Tensor& tensor) { return static_cast<std::size_t>(tensor.numel()); }

  NcclCollectives& nccl_;
  std::function<void*()> current_stream_;
};

}  // namespace

std::unique_ptr<Transport> host_transport(Collectives& ranks) { return std::make_unique<HostTransport>(ranks); }

std::unique_ptr<Transport> device_transport(NcclCollectives& nccl, std::function<void*()> current_stream) {
  return std::make_unique<DeviceTransport>(nccl, std::move(current_stream));
}

void* current_cuda_stream(at::Device device) {
  const c10::impl::VirtualGuardImpl guard(at::kCUDA);
  return guard.getStreamNativeHandle(guard.getStream(device));
}

}  // namespace masksc
