// WriterFiles: the Writers that recovery works on in the program: the writer directories below a state directory.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "flow/dead_writer.hpp"
#include "os/clock.hpp"
#include "os/file_system.hpp"

namespace arca::flow {

// Thread-safe. Both seams outlive it and every writer that it gave out.
class WriterFiles final : public Writers {
 public:
  WriterFiles(std::string state_directory, os::FileSystem& file_system, os::Clock& clock);

  Result<std::vector<journal::WriterEntry>> list() override;
  Result<std::unique_ptr<DeadWriter>> adopt(model::WriterId id) override;

 private:
  const std::string state_directory_;
  os::FileSystem& file_system_;
  os::Clock& clock_;
};

}  // namespace arca::flow
