// Host memory for training: tensors that come and go every step keep their pages.
#pragma once

namespace masksc {

/// From now on LibTorch's CPU tensors come from an allocator that keeps freed blocks of 64 KiB and more for the next
/// tensor of about that size, on huge pages where the kernel grants them. The C library gives large blocks back at
/// once, and the next tensor pays for the same pages again. Call once, before the first tensor.
void use_training_allocator();

/// Gives the kept blocks, and what the C library holds for no one, back to the system: between runs of one process.
void release_kept_memory();

}  // namespace masksc
