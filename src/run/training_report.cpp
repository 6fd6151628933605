#include "masksc/run/training_report.hpp"

#include "masksc/dist/gpu_name.hpp"
#include "masksc/plan/cost.hpp"
#include "masksc/run/plan_input.hpp"
#include "masksc/train/engine.hpp"

namespace masksc {

Json training_report(const TrainOutcome& trained, const RunOptions& options, const MatrixLayout& layout,
                     at::Device device, int ranks) {
  Json report = describe(trained.parts);
  report["hidden_communication"] = trained.hidden ? Json(*trained.hidden) : Json();
  const double seconds = trained.parts.sum();
  const double cells_of_a_rank = static_cast<double>(trained.cells) / ranks;
  const double flops = seconds > 0 ? formula_step_flop(planned_model(options, layout)) * cells_of_a_rank / seconds : 0;
  report["tflops"] = flops / 1e12;
  report["device"] = report["fraction_of_peak"] = nullptr;
  if (!device.is_cuda()) return report;
  const std::string name = gpu_name(device.index());
  if (name.empty()) return report;
  report["device"] = name;
  const std::string preset = device_preset_of(name);
  if (preset.empty()) return report;
  const DeviceNumbers numbers = device_preset(preset);
  const bool half = working_type(options.train.precision, device.type()) != at::kFloat;
  report["fraction_of_peak"] = flops / (half ? numbers.half_flops : numbers.fp32_flops);
  return report;
}

}  // namespace masksc
