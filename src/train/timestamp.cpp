#include "masksc/train/timestamp.hpp"

#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace masksc {

Timestamp::Timestamp(at::Device device) : host_(std::chrono::steady_clock::now()) {
  if (device.is_cpu()) return;
  event_ = std::make_shared<c10::Event>(device.type(), c10::EventFlag::BACKEND_DEFAULT);  // events that tell the time
  event_->record(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
}

double Timestamp::since(const Timestamp& earlier) const {
  if (event_ == nullptr) return std::chrono::duration<double>(host_ - earlier.host_).count();
  event_->synchronize();
  return 1e-3 * earlier.event_->elapsedTime(*event_);
}

}  // namespace masksc
