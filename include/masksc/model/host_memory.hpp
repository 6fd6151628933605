// Host memory for training: tensors that come and go every step keep their pages.
#pragma once

namespace masksc {

/// From now on LibTorch's CPU tensors of 64 KiB and more come from an allocator that keeps freed memory for the next
/// tensors, of any size, on huge pages where the kernel grants them. The C library gives large blocks back at once, and
/// the next tensor pays for the same pages again. Call once, before the first tensor.
void use_training_allocator();

/// The kept memory, and what the C library holds for no one, goes back to the system: between stages.
void release_kept_memory();

/// From now on peak_memory() counts anew: several runs of one process each tell of their own. Kept memory is released
/// first. Where the kernel does not allow it (Linux's /proc/self/clear_refs), it goes on counting.
void start_peak_memory();

}  // namespace masksc
