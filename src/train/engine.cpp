#include "masksc/train/engine.hpp"

#include <ATen/record_function.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "masksc/core/on_threads.hpp"
#include "masksc/dist/tree_sum.hpp"
#include "masksc/model/distributed.hpp"

namespace masksc {
namespace {

constexpr double first_scale = 65536;

void add_to(at::Tensor& sum, const at::Tensor& value) {
  if (value.defined()) sum = sum.defined() ? sum + value : value;
}

at::Tensor detached(const at::Tensor& value) { return value.defined() ? value.detach() : value; }

std::unique_ptr<Transport> transport_of(const FlatParameters& parameters, Collectives& ranks, NcclCollectives* nccl) {
  if (nccl == nullptr) return host_transport(ranks);
  return device_transport(*nccl, [device = parameters.values().device()] { return current_cuda_stream(device); });
}

/// Divides the seconds of all passes as they took on all threads. Of each pass a thread has the timestamps in which it
/// began, had its loss, and had its gradients.
void divide_passes(StepSeconds& seconds, double whole, const std::vector<std::vector<Timestamp>>& timestamps) {
  double forward = 0;
  double backward = 0;
  for (const std::vector<Timestamp>& of_thread : timestamps)
    for (std::size_t i = 0; i + 2 < of_thread.size(); i += 3) {
      forward += of_thread[i + 1].since(of_thread[i]);
      backward += of_thread[i + 2].since(of_thread[i + 1]);
    }
  const double all = forward + backward;
  seconds.forward = all > 0 ? whole * forward / all : 0;
  seconds.backward = whole - seconds.forward;
}

double number(const at::Tensor& value) { return value.defined() ? value.item<double>() : 0; }

}  // namespace

StepSeconds& StepSeconds::operator+=(const StepSeconds& other) {
  data += other.data;
  forward += other.forward;
  backward += other.backward;
  exposed += other.exposed;
  update += other.update;
  return *this;
}

Json describe(const StepSeconds& s) {
  return {{"data", s.data},
          {"forward", s.forward},
          {"backward", s.backward},
          {"exposed_communication", s.exposed},
          {"update", s.update}};
}

TrainingEngine::TrainingEngine(FlatParameters& parameters, const TrainSettings& train, const EngineSettings& engine,
                               Collectives& ranks, int threads, NcclCollectives* nccl,
                               std::unique_ptr<Recorder> recorder)
    : parameters_(parameters),
      settings_(train),
      ranks_(ranks),
      threads_(parameters.values().is_cpu() ? threads : 1),
      shards_(train.deterministic ? train.parts(ranks.size()) / ranks.size() : 0),
      exchange_(parameters,
                {.bucket_mib = bucket_mib_of(engine, parameters.count()),
                 .bf16 = train.reduce_precision == "bf16",
                 .shard = engine.shard_optimizer,
                 .tree = train.deterministic},
                ranks, transport_of(parameters, ranks, nccl)),
      optimizer_(parameters, {.weight_decay = train.weight_decay}, exchange_.owned()) {
  const at::ScalarType type = working_type(train.precision, parameters.values().device());
  parameters_.set_working_type(type, shards_ > 0 ? shards_ : threads_);
  if (type == at::kHalf) scale_ = {first_scale, 0, true};
  ensure(recorder == nullptr || threads_ == 1, "what several threads ask of a device is not recorded");
  if (recorder != nullptr) recorded_.emplace(std::move(recorder));
}

TrainingEngine::~TrainingEngine() { parameters_.set_working_type(at::kFloat); }

/// Passes that follow one another in one replica of the parameters, and what they add up to.
struct TrainingEngine::Lane {
  int replica = 0;
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t stride = 1;
  LossShares sums;
};

/// One a thread, or one a virtual shard.
std::vector<TrainingEngine::Lane> TrainingEngine::lanes_of(std::int64_t passes) const {
  ensure(shards_ == 0 || passes % shards_ == 0, "every shard has the same number of passes");
  std::vector<Lane> lanes(static_cast<std::size_t>(shards_ > 0 ? shards_ : std::min<std::int64_t>(threads_, passes)));
  const auto count = static_cast<std::int64_t>(lanes.size());
  for (std::int64_t i = 0; i < count; ++i)
    lanes[static_cast<std::size_t>(i)] =
        shards_ > 0 ? Lane{static_cast<int>(i), passes / count * i, passes / count * (i + 1), 1, {}}
                    : Lane{static_cast<int>(i), i, passes, count, {}};
  return lanes;
}

at::Tensor TrainingEngine::total_loss(const LossShares& shares, double guidance_weight) const {
  at::Tensor loss = shares.masked;
  if (shares.guidance.defined()) loss = loss + guidance_weight * shares.guidance;
  return scale_.scale != 1 ? loss * scale_.scale : loss;
}

LossShares TrainingEngine::ask_for_pass(const StepPasses& passes, const std::vector<at::Tensor>& inputs,
                                        double guidance_weight, bool last, const std::function<void()>& note) {
  LossShares shares;
  at::Tensor loss;
  {
    RECORD_USER_SCOPE("forward");
    shares = passes.loss(inputs);
    loss = total_loss(shares, guidance_weight);
  }
  note();
  if (last) exchange_.last_pass(ReplicaScope::current());
  RECORD_USER_SCOPE("backward");
  loss.backward();
  return {detached(shares.masked), detached(shares.guidance)};
}

RecordedPass TrainingEngine::record_pass(Recorder& recorder, const StepPasses& passes,
                                         const std::vector<at::Tensor>& inputs, double guidance_weight, bool last) {
  RecordedPass pass;
  for (const at::Tensor& input : inputs) pass.own_inputs.push_back(input.clone());
  at::Tensor loss;
  pass.forward = std::make_unique<Recording>(recorder, [&](Recording& /*whole*/) {
    const LossShares shares = passes.loss(pass.own_inputs);
    loss = total_loss(shares, guidance_weight);
    pass.shares = {detached(shares.masked), detached(shares.guidance)};
  });
  pass.backward = std::make_unique<Recording>(recorder, [&](Recording& recording) {
    if (last)
      exchange_.last_pass(ReplicaScope::current(), [&](std::size_t buckets) {
        recording.cut([this, buckets] { exchange_.start_full(buckets); });
      });
    loss.backward();
  });
  return pass;
}

const RecordedPass* TrainingEngine::recorded_pass(const StepPasses& passes, const std::vector<at::Tensor>& inputs,
                                                  double guidance_weight, bool last) {
  if (!recorded_) return nullptr;
  RecordedPasses::Kind kind = {guidance_weight, scale_.scale, static_cast<double>(ReplicaScope::current()),
                               last ? 1.0 : 0.0};
  kind.insert(kind.end(), passes.constants.begin(), passes.constants.end());
  for (const at::Tensor& input : inputs)
    for (const std::int64_t size : input.sizes()) kind.push_back(static_cast<double>(size));
  return recorded_->find(
      kind, [&](Recorder& recorder) { return record_pass(recorder, passes, inputs, guidance_weight, last); });
}

void TrainingEngine::run_passes(Lane& lane, const StepPasses& passes, double guidance_weight,
                                std::vector<Timestamp>& timestamps) {
  if (shards_ > 0) at::init_num_threads();  // LibTorch's setting reaches a new thread of ours only when asked for
  const ReplicaScope replica(lane.replica);
  const auto note = [&] { timestamps.emplace_back(parameters_.values().device()); };
  for (std::int64_t pass = lane.begin; pass < lane.end; pass += lane.stride) {
    note();
    const bool last = pass + lane.stride >= lane.end;
    const std::vector<at::Tensor> inputs = passes.inputs ? passes.inputs(pass) : std::vector<at::Tensor>();
    const RecordedPass* const recorded = recorded_pass(passes, inputs, guidance_weight, last);
    const LossShares shares = recorded != nullptr ? recorded->launch(inputs, note)
                                                  : ask_for_pass(passes, inputs, guidance_weight, last, note);
    add_to(lane.sums.masked, shares.masked);
    add_to(lane.sums.guidance, shares.guidance);
    note();
  }
}

/// In the order of threads, or by the tree over this rank's shards.
double TrainingEngine::add_up(const std::vector<Lane>& lanes, at::Tensor LossShares::*share) const {
  std::vector<double> terms;
  for (const Lane& lane : lanes) terms.push_back(number(lane.sums.*share));
  return shards_ > 0 ? tree_sum(std::move(terms)) : std::accumulate(terms.begin(), terms.end(), 0.0);
}

double TrainingEngine::time_update(const Interval& update) {
  if (parameters_.values().is_cpu()) return update.seconds();
  const std::optional<Interval> last = std::exchange(update_, update);  // over by now: this step's loss is known
  return last ? last->seconds() : 0;
}

StepReport TrainingEngine::step(const StepPasses& passes, double guidance_weight, double learning_rate,
                                const StepVotes& votes) {
  StepReport report;
  std::vector<Lane> lanes = lanes_of(passes.count);
  std::vector<std::vector<Timestamp>> timestamps(static_cast<std::size_t>(threads_));
  parameters_.zero_gradients();
  exchange_.begin(static_cast<int>(lanes.size()));
  const Timestamp begun(parameters_.values().device());
  on_threads(threads_, static_cast<std::int64_t>(lanes.size()), [&](std::int64_t lane, int thread) {
    run_passes(lanes[static_cast<std::size_t>(lane)], passes, guidance_weight,
               timestamps[static_cast<std::size_t>(thread)]);
  });
  const Timestamp computed(parameters_.values().device());
  {
    RECORD_USER_SCOPE("communication");
    exchange_.finish();
  }
  const Timestamp combined(parameters_.values().device());
  const double masked = add_up(lanes, &LossShares::masked);  // a GPU has computed all of the above when this is read
  const double guidance = add_up(lanes, &LossShares::guidance);
  divide_passes(report.seconds, computed.since(begun), timestamps);
  RECORD_USER_SCOPE("update");

  // Every rank sees the same numbers, so all decide alike. Owned gradients are all of them, whose norm is then rank 0's
  // (of one sum processors of other kinds make other bits), or this rank's slices.
  const auto vote = [](bool yes) { return yes ? 1.0 : 0.0; };
  std::array scalars = {masked,
                        guidance,
                        vote(votes.stop),
                        vote(votes.save),
                        vote(votes.writing),
                        exchange_.sharded() || ranks_.is_root() ? squared_norm(parameters_, exchange_.owned()) : 0};
  report.seconds.exposed = exchange_.exposed_seconds();
  if (shards_ > 0)
    tree_all_reduce(ranks_, scalars);
  else
    ranks_.all_reduce(std::span<double>(scalars));
  report.masked_loss = scalars[0];
  report.guidance_loss = scalars[1];
  report.loss = report.masked_loss + guidance_weight * report.guidance_loss;
  report.votes = {scalars[2] > 0, scalars[3] > 0, scalars[4] > 0};
  report.gradient_norm = std::sqrt(scalars.back()) / scale_.scale;
  const bool finite = std::isfinite(report.loss) && std::isfinite(report.gradient_norm);
  report.skipped = !finite;
  const bool overflow = !finite && std::isfinite(report.loss);  // of gradients, which a lower scale may help
  report.bad = !finite && !(overflow && scale_.can_fall());
  if (finite) {
    optimizer_.step(parameters_, learning_rate, scale_.scale * clipping_divisor(report.gradient_norm, settings_.clip));
    exchange_.share_values();
    parameters_.refresh_working_copy();
  }
  const double scale = scale_.scale;
  if (finite || overflow) scale_.update(overflow);
  if (recorded_ && scale_.scale != scale) recorded_->forget();  // those of the old scale would stay
  report.seconds.update = time_update({combined, Timestamp(parameters_.values().device())});
  return report;
}

SavedState TrainingEngine::state(bool copy) {
  const std::vector<ParameterShare> shares = deal_parameters(parameters_, ranks_.size());
  const ParameterShare& mine = shares[static_cast<std::size_t>(ranks_.rank())];
  SavedState state;
  state.header = {{"optimizer_steps", optimizer_.steps()},
                  {"precision", precision_name(parameters_.working_type())},
                  {"loss_scale", scale_.scale},
                  {"loss_scaling", scale_.dynamic},
                  {"good_steps", scale_.good_steps}};
  add_parameters(state.arrays, parameters_, "weights", mine, host_part(parameters_.values(), mine, copy));
  add_parameters(state.arrays, parameters_, "adam_m", mine, exchange_.gather(optimizer_.first_moment(), shares, copy));
  add_parameters(state.arrays, parameters_, "adam_v", mine, exchange_.gather(optimizer_.second_moment(), shares, copy));
  return state;
}

void TrainingEngine::restore(const Checkpoint& checkpoint) {
  const at::NoGradGuard no_gradient;
  const auto read = [&](const char* group) {
    const at::Tensor whole = at::empty_like(parameters_.values());
    load_parameters(checkpoint.seal, group, parameters_, whole, ranks_);
    return whole;
  };
  const at::Tensor weights = read("weights");
  const at::Tensor first = read("adam_m");
  const at::Tensor second = read("adam_v");
  at::Tensor(parameters_.values()).copy_(weights);
  at::Tensor(optimizer_.first_moment()).copy_(exchange_.own_part(first));
  at::Tensor(optimizer_.second_moment()).copy_(exchange_.own_part(second));
  optimizer_.set_steps(checkpoint.header.at("optimizer_steps").get<std::int64_t>());
  const auto scale = checkpoint.header.at("loss_scale").get<double>();
  // After other precisions fp16's begins anew. (Older checkpoints don't say: they have 1 for those.)
  if (scale_.dynamic && checkpoint.header.value("loss_scaling", scale != 1)) {
    if (recorded_ && scale_.scale != scale) recorded_->forget();
    scale_.scale = scale;
    scale_.good_steps = checkpoint.header.at("good_steps").get<std::int64_t>();
  }
  if (ranks_.is_root())  // older checkpoints do not tell
    tell_of_other_precision(checkpoint.header.value("precision", ""), parameters_.working_type(), checkpoint.step);
  parameters_.refresh_working_copy();
}

}  // namespace masksc
