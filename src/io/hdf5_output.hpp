#pragma once
#include <functional>
#include <string>
#include <vector>

#include "elver/io.hpp"
#include "io/hdf5.hpp"
#include "io/partial_file.hpp"

namespace elver {

/// An HDF5 file that appears whole or not at all: what the writers of formats that lie in HDF5 share.
class Hdf5Output {
 public:
  explicit Hdf5Output(const std::filesystem::path& path);
  ~Hdf5Output();
  Hdf5Output(const Hdf5Output&) = delete;
  Hdf5Output& operator=(const Hdf5Output&) = delete;

  /// Calls `work(file)` under HDF5's lock. Errors speak of the file that was asked for, not of the hidden one.
  void run(const std::function<void(hid_t file)>& work);
  /// Streams the values of a signal into a new data set of the group: `block(pixels)` gives them in C order, until it is
  /// called again. Chunks are whole spectra, packed side by side. Values of maps wait, as copies, until there are enough
  /// of them to keep all threads packing; the data set is there at once. Call it outside of run.
  void write_array(const std::string& group, const std::string& name, const SignalHeader& header,
                   const std::function<const std::byte*(PixelRange)>& block, const RunContext& context);
  void commit();

 private:
  struct Waiting;
  void guarded(const std::function<void()>& work);
  void write_waiting(const RunContext& context);
  PartialFile partial_;
  hdf5::Handle file_;  // closed before the hidden file is removed
  std::vector<Waiting> waiting_;
  std::uint64_t waiting_bytes_ = 0;
  unsigned threads_ = 0;  ///< that whoever wrote the last of them allows: all that commit() may use of its context
};

}  // namespace elver
