// Recording in host memory: what LibTorch's dispatcher is asked for is noted instead of done, as CUDA graphs do it:
// operations with their arguments, results at fixed places.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

#include <memory>
#include <utility>
#include <vector>

#include "masksc/train/recording.hpp"

namespace masksc {

/// While a piece is recorded its operations are done as well, as nothing else tells the shapes of results; what they
/// wrote to is put back at the end. Each thread records for itself.
class HostRecorder final : public Recorder {
 public:
  HostRecorder() {
    static const torch::Library registered = [] {
      torch::Library library(torch::Library::IMPL, "_", key, __FILE__, __LINE__);
      library.fallback(torch::CppFunction::makeFromBoxedFunction<&note>());
      return library;
    }();
  }
  void run(const std::function<void()>& work) override { work(); }
  void begin() override {
    current = std::make_shared<Piece>();
    c10::impl::tls_set_dispatch_key_included(key, true);
  }
  std::unique_ptr<RecordedWork> end() override {
    c10::impl::tls_set_dispatch_key_included(key, false);
    const auto piece = std::exchange(current, nullptr);
    piece->undo();
    return std::make_unique<Work>(piece);
  }

  static constexpr c10::DispatchKey key = c10::DispatchKey::Fake;  // below autograd, and nobody's
  /// Where operations go while a thread records.
  static void note(const c10::OperatorHandle& operation, torch::jit::Stack* stack) {
    const c10::impl::ExcludeDispatchKeyGuard inner(key);
    Piece& piece = *current;
    const auto arguments = static_cast<std::int64_t>(operation.schema().arguments().size());
    Step step{operation, {stack->end() - arguments, stack->end()}, {}};
    for (std::size_t i = 0; i < step.arguments.size(); ++i) {
      const c10::AliasInfo* const alias = operation.schema().arguments()[i].alias_info();
      if (alias != nullptr && alias->isWrite() && step.arguments[i].isTensor())
        piece.keep(step.arguments[i].toTensor());
    }
    operation.callBoxed(stack);
    const auto results = static_cast<std::int64_t>(operation.schema().returns().size());
    step.results.assign(stack->end() - results, stack->end());
    piece.steps.push_back(std::move(step));
  }

 private:
  struct Step {
    c10::OperatorHandle operation;
    std::vector<c10::IValue> arguments;
    std::vector<c10::IValue> results;
  };
  struct Piece {
    std::vector<Step> steps;
    std::vector<std::pair<at::Tensor, at::Tensor>> before;  // tensors that operations wrote to, and what they held

    void keep(const at::Tensor& tensor) { before.emplace_back(tensor, tensor.clone()); }
    void undo() {
      const at::NoGradGuard none;
      while (!before.empty()) {
        before.back().first.copy_(before.back().second);
        before.pop_back();
      }
    }
  };
  class Work final : public RecordedWork {
   public:
    explicit Work(std::shared_ptr<Piece> piece) : piece_(std::move(piece)) {}
    void launch() override {
      const at::NoGradGuard none;
      for (const Step& step : piece_->steps) {
        torch::jit::Stack stack(step.arguments);
        step.operation.callBoxed(stack);
        for (std::size_t i = 0; i < step.results.size(); ++i) give(stack[i], step.results[i]);
      }
    }

   private:
    static void give(const c10::IValue& from, const c10::IValue& to) {
      if (to.isTensor() && to.toTensor().defined()) {
        const at::Tensor there = to.toTensor();
        if (!there.is_alias_of(from.toTensor())) there.copy_(from.toTensor());
      } else if (to.isTensorList()) {
        for (std::size_t i = 0; i < to.toTensorVector().size(); ++i)
          give(from.toTensorVector()[i], to.toTensorVector()[i]);
      }
    }
    std::shared_ptr<Piece> piece_;
  };

  static inline thread_local std::shared_ptr<Piece> current;
};

}  // namespace masksc
