// The inside of RowScanner: what its two sources share.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "cassandra/async_state.hpp"
#include "cassandra/row_joiner.hpp"
#include "cassandra/row_scanner.hpp"

namespace arca::cassandra {

class RowScanner::State final : public AsyncState {
 public:
  struct Statements {
    Statement read_scan;
    Statement read_rows;
    Statement put_scan;
  };

  State(Cql& cql, os::Clock& clock, RowScannerOptions options, Statements statements)
      : cql_(cql),
        clock_(clock),
        options_(std::move(options)),
        statements_(statements),
        page_size_(options_.page_size) {
    status_.range_count = options_.range_count;
  }

  base::SteadyTime tend(base::SteadyTime now);
  [[nodiscard]] bool is_drained() const;
  [[nodiscard]] RowScannerStatus status() const;
  Result<std::optional<model::Claim>> claim(model::SignalSet signals, base::SteadyTime now);
  Result<void> settle(const model::Ack& ack);
  void release(const model::ChunkId& id, base::SteadyTime not_before);
  void forget_release_times();
  base::SteadyTime next_claim_at(model::SignalSet signals, base::SteadyTime now);
  [[nodiscard]] model::Backlog backlog() const;

 private:
  struct Piece {  // a chunk that was made
    JoinedRows rows;
    std::uint32_t range = 0;
    bool is_claimed = false;
    bool is_settled = false;
    base::SteadyTime not_before = base::SteadyTime::min();
    std::uint32_t attempt_count = 0;
  };
  struct Range {
    std::int64_t token = 0;  // everything up to it is settled
    std::int64_t written_token = 0;
    std::uint64_t row_count = 0;
    bool is_read = false;  // to its end
    bool is_done = false;  // and the progress says so
    bool is_writing = false;
    base::SteadyTime written_at = base::SteadyTime::min();
    base::SteadyTime again_at = base::SteadyTime::min();
    std::uint32_t failure_count = 0;
  };

  void after_answer() override { pump(clock_.steady_now()); }
  void after_failure(const char* what) noexcept override;
  base::SteadyTime pump(base::SteadyTime now);
  void read_progress(std::vector<std::byte> page);
  void take_progress(const Answer& answer);
  void read_page();
  void take_page(const Answer& answer);
  void fit_page_size(const Answer& answer);
  void take_row(const Row& row);
  void keep(std::optional<JoinedRows> rows);
  void end_range();
  void advance();
  base::SteadyTime write_progress(base::SteadyTime now);
  void report_once(const Error& error);
  bool fail(const Answer& answer, const char* what);

  Cql& cql_;
  os::Clock& clock_;
  const RowScannerOptions options_;
  const Statements statements_;

  // Protected by the lock, all that follows.
  bool knows_progress_ = false;
  std::vector<bool> is_done_before_;       // ranges that an earlier run has done
  std::map<std::uint32_t, Range> ranges_;  // begun by an earlier run, or by this one
  std::uint32_t next_ = 0;                 // the range that is read
  std::optional<RowJoiner> joiner_;        // of it
  std::vector<std::byte> paging_state_;
  std::uint32_t page_size_;                // less than asked for while pages do not come in time: large rows
  std::uint32_t good_page_count_ = 0;      // of this size, in a row
  std::map<std::uint64_t, Piece> pieces_;  // by sequence: in the order of their making
  std::uint64_t sequence_ = 0;
  bool is_asking_ = false;
  std::uint32_t failure_count_ = 0;
  base::SteadyTime again_at_ = base::SteadyTime::min();
  std::string reported_;
  RowScannerStatus status_;
};

}  // namespace arca::cassandra
