// NoWriters: for those who leave the writers of a state directory to others, or have no state directory at all.
#pragma once

#include <memory>
#include <vector>

#include "flow/dead_writer.hpp"

namespace arca::flow {

// Thread-safe.
class NoWriters final : public Writers {
 public:
  Result<std::vector<journal::WriterEntry>> list() override { return std::vector<journal::WriterEntry>(); }
  Result<std::unique_ptr<DeadWriter>> adopt(model::WriterId id) override {
    return failure(ErrorCode::not_found, "no writer " + model::to_string(id));
  }
};

}  // namespace arca::flow
