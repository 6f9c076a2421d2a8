#include "cli/lazy_quarantine.hpp"

#include "os/random.hpp"

namespace arca::cli {

LazyQuarantine::LazyQuarantine(std::string state_directory, std::uint64_t size_max, os::FileSystem& file_system,
                               os::Clock& clock)
    : state_directory_(std::move(state_directory)), size_max_(size_max), file_system_(file_system), clock_(clock) {}

Result<void> LazyQuarantine::keep(const model::Chunk& chunk) {
  const std::lock_guard lock(mutex_);
  if (!journal_) {
    if (const auto opened = open(); !opened) return opened;
  }
  return journal_->append(chunk);
}

Result<void> LazyQuarantine::open() {
  journal::JournalOptions options;
  // Its own name: a journal has one writer, and the dead writer's quarantine may be with another process just now.
  options.writer = model::WriterId{os::system_random().next() | 1U};
  options.directory = state_directory_ + "/quarantine/" + model::to_string(options.writer);
  options.size_max = size_max_;
  auto journal = journal::Journal::open(file_system_, clock_, options);
  if (!journal) return failure(journal.error().with_context("quarantine"));
  journal_ = std::move(*journal);
  return {};
}

}  // namespace arca::cli
