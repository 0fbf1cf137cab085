#pragma once
#include "elver/io.hpp"
#include "io/hdf5.hpp"

/// What a HyperSpy signal holds besides its data. For the writer.
namespace elver {

/// The groups axis-0, axis-1, ...
void write_axes(hid_t group, const SignalHeader& header);
/// The groups metadata and original_metadata, which HyperSpy requires.
void write_metadata(hid_t group, const SignalHeader& header);

}  // namespace elver
