// Work that may crash, in a process of its own. HDF5 follows a damaged structure out of bounds or in circles whatever
// is checked before; a file from elsewhere must not take a run of many ranks with it.
#pragma once

#include <chrono>
#include <functional>
#include <string>

namespace masksc {

/// Runs `work` in a forked process and returns its text; the caller's memory stays as it was. An exception of `work` is
/// thrown here as the Error it stands for. Throws UserError that begins with `subject` ("'counts.h5ad'") when the
/// process crashes, or spends more than a minute of processor time without a call of still_working(). Within such a
/// process it just calls `work`. What `work` was writing when it crashed is for the caller to remove.
std::string run_apart(const std::string& subject, const std::function<std::string()>& work);

/// Tells in the work of run_apart that it gets on; elsewhere it does nothing.
void still_working();

/// How long work may take without a call of still_working(), in processor time; for tests. Whole seconds.
void set_patience(std::chrono::seconds wanted);

}  // namespace masksc
