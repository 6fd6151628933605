// Work of a device that is recorded once and then started as a whole: CUDA graphs. A step starts some 60 operations a
// block; recorded, it starts a handful.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "masksc/model/torch.hpp"

namespace masksc {

/// Operations on tensors whose memory stays where it was: what they read is read anew at every launch.
class RecordedWork {
 public:
  RecordedWork() = default;
  RecordedWork(const RecordedWork&) = delete;
  RecordedWork& operator=(const RecordedWork&) = delete;
  virtual ~RecordedWork() = default;
  /// Does the work, after what this thread asked of the device before.
  virtual void launch() = 0;
};

/// Records what a thread, and LibTorch's backward pass for it, asks of a device. Memory of tensors that are made
/// meanwhile belongs to the records of this recorder, which share it: tensors of one record last until the next launch.
class Recorder {
 public:
  Recorder() = default;
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;
  virtual ~Recorder() = default;
  /// Calls `work`, which may call begin() and end(), once the device has done all that it was asked for.
  virtual void run(const std::function<void()>& work) = 0;
  /// What is asked of the device from here on is recorded, and not done.
  virtual void begin() = 0;
  /// ... until here, on this or another thread.
  virtual std::unique_ptr<RecordedWork> end() = 0;
};

/// Recorded work in pieces, with actions of the host between them.
class Recording {
 public:
  /// Records `work`, which may cut() on any thread.
  Recording(Recorder& recorder, const std::function<void(Recording&)>& work);
  /// Called by `work`: launches do `action` here.
  void cut(std::function<void()> action);
  /// Starts the pieces one after the other, with the actions between them.
  void launch() const;

 private:
  struct Piece {
    std::unique_ptr<RecordedWork> work;
    std::function<void()> then;
  };
  Recorder& recorder_;
  std::vector<Piece> pieces_;
};

/// CUDA graphs on this GPU. Throws UserError for a CPU, EnvironmentError where libmasksc_cuda, which is built where
/// CUDA's headers are, cannot be loaded.
std::unique_ptr<Recorder> cuda_recorder(at::Device device);

}  // namespace masksc
