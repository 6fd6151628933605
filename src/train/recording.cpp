#include "masksc/train/recording.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include "masksc/core/error.hpp"

namespace masksc {

Recording::Recording(Recorder& recorder, const std::function<void(Recording&)>& work) : recorder_(recorder) {
  recorder_.run([&] {
    recorder_.begin();
    work(*this);
    pieces_.push_back({recorder_.end(), nullptr});
  });
}

void Recording::cut(std::function<void()> action) {
  pieces_.push_back({recorder_.end(), std::move(action)});
  recorder_.begin();
}

void Recording::launch() const {
  for (const Piece& piece : pieces_) {
    piece.work->launch();
    if (piece.then) piece.then();
  }
}

std::unique_ptr<Recorder> cuda_recorder(at::Device device) {
  if (!device.is_cuda())
    throw UserError(
        "--cuda-graph needs a GPU, and this run computes on the CPU: leave it out, or take a node with one");
  const auto failed = [](const char* why) {
    return EnvironmentError(
        fmt::format("--cuda-graph: {}; leave it out, or build where CUDA's headers are (CUDA_HOME)", why));
  };
  void* const module = dlopen("libmasksc_cuda.so", RTLD_NOW | RTLD_LOCAL);  // libtorch_cuda is there: device.is_cuda()
  if (module == nullptr) throw failed(dlerror());
  using Make = Recorder* (*)(int);
  const auto make = reinterpret_cast<Make>(dlsym(module, "masksc_cuda_recorder"));
  if (make == nullptr) throw failed(dlerror());
  return std::unique_ptr<Recorder>(make(device.index()));
}

}  // namespace masksc
