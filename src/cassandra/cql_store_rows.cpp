// Rows for look-up: one partition a batch, so that a batch is one mutation; a large one in parts.
#include <algorithm>
#include <vector>

#include "cassandra/cql_store_state.hpp"
#include "cassandra/store_call.hpp"
#include "cassandra/store_columns.hpp"

namespace arca::cassandra {
namespace {

// A batch is held in memory at once by coordinator and replicas, and far below the largest mutation (16 MiB).
constexpr std::uint32_t batch_rows_max = 128;
constexpr std::size_t batch_bytes_max = 256ULL << 10U;

// Rows of one partition, cut into batches as they come.
class Cutter {
 public:
  // A row has `column_count` values, and about so many bytes that are copied.
  Cutter(Statement statement, std::int64_t timestamp_us, std::size_t row_count, std::size_t column_count,
         std::size_t row_bytes)
      : statement_(statement),
        timestamp_us_(timestamp_us),
        rows_left_(row_count),
        column_count_(column_count),
        row_bytes_(row_bytes) {}

  // `add` appends the values of one row.
  template <class Add>
  void row(Add add) {
    if (batches_.empty() || batches_.back().row_count >= batch_rows_max ||
        batches_.back().values.bytes() >= batch_bytes_max) {
      batches_.push_back({statement_, {}, 0, timestamp_us_});
      const std::size_t expected = std::min<std::size_t>(rows_left_, batch_rows_max);
      batches_.back().values.reserve(expected * column_count_, expected * row_bytes_);
    }
    rows_left_ -= std::min<std::size_t>(rows_left_, 1);
    add(batches_.back().values);
    ++batches_.back().row_count;
  }
  [[nodiscard]] std::vector<Batch>& batches() noexcept { return batches_; }

 private:
  const Statement statement_;
  const std::int64_t timestamp_us_;
  std::size_t rows_left_;
  const std::size_t column_count_;
  const std::size_t row_bytes_;
  std::vector<Batch> batches_;
};

void send_batch(Cql& cql, Batch&& batch, AnswerCallback&& done) noexcept {
  if (batch.row_count > 1) return cql.batch(std::move(batch), std::move(done));
  Request request;
  request.statement = batch.statement;
  request.values = std::move(batch.values);
  request.timestamp_us = batch.timestamp_us;
  cql.execute(std::move(request), std::move(done));
}

// `cut` adds its rows to a cutter; copying them may take more memory than there is.
template <class Cut>
void send_rows(Cql& cql, Cutter cutter, Cut cut, StoreDone done) noexcept {
  attempt_with(std::move(done), [&](const Kept<StoreDone>& kept) {
    cut(cutter);
    std::vector<Batch>& batches = cutter.batches();
    if (batches.empty()) return (*kept)({});
    const auto all = std::make_shared<Joined>(batches.size(), kept);
    const AnswerCallback arrive = [all](const Answer& answer) { all->arrive(status_of(answer)); };
    std::vector<AnswerCallback> callbacks(batches.size(), arrive);
    for (std::size_t i = 0; i < batches.size(); ++i) send_batch(cql, std::move(batches[i]), std::move(callbacks[i]));
  });
}

}  // namespace

void CqlStore::put_rows(const TraceRows& rows, std::int64_t timestamp_us, StoreDone done) noexcept {
  std::size_t data_bytes = 0;  // that are copied
  if (rows.owner == nullptr)
    for (const SpanRow& span : rows.rows) data_bytes += span.trace_data.size();
  const auto cut = [&rows](Cutter& cutter) {
    for (const SpanRow& span : rows.rows) {
      cutter.row([&](Values& values) {
        values.text(rows.trace_id).text(span.span_id).timestamp(span.start).text(span.service).text(span.operation);
        if (rows.owner != nullptr) {
          values.borrow(span.trace_data, rows.owner);
        } else {
          values.blob(span.trace_data);
        }
      });
    }
  };
  send_rows(state_->cql,
            Cutter(state_->statements.put_row, timestamp_us, rows.rows.size(), 6,
                   rows.trace_id.size() + 80 + data_bytes / std::max<std::size_t>(1, rows.rows.size())),
            cut, std::move(done));
}

void CqlStore::put_entries(const TraceEntries& entries, std::int64_t timestamp_us, StoreDone done) noexcept {
  const std::int16_t shard = index_shard_of(entries);
  const auto cut = [&entries, shard](Cutter& cutter) {
    for (const TraceEntry& entry : entries.entries) {
      cutter.row([&](Values& values) {
        values.text(entries.service)
            .timestamp(entries.bucket)
            .smallint(shard)
            .bigint(entry.start.time_since_epoch().count())
            .text(entry.trace_id)
            .bigint(entry.duration.count())
            .text(entry.operation)
            .integer(signed_of(entry.span_count))
            .integer(signed_of(entry.error_count));
      });
    }
  };
  send_rows(state_->cql,
            Cutter(state_->statements.put_entry, timestamp_us, entries.entries.size(), 9, entries.service.size() + 96),
            cut, std::move(done));
}

void CqlStore::put_names(const std::string& service, const std::vector<std::string>& operations,
                         StoreDone done) noexcept {
  const auto add_service = [&service](Cutter& cutter) {
    cutter.row([&](Values& values) { values.text(kind_service).text("").text(service); });
  };
  const auto add_operations = [&](Cutter& cutter) {
    for (const std::string& operation : operations) {
      cutter.row([&](Values& values) { values.text(kind_operation).text(service).text(operation); });
    }
  };
  attempt_with(std::move(done), [&](const Kept<StoreDone>& kept) {
    const auto both = std::make_shared<Joined>(2, kept);
    const auto arrive = [both](StoreStatus status) { both->arrive(std::move(status)); };
    StoreDone of_service = arrive;
    StoreDone of_operations = arrive;
    const Statement put = state_->statements.put_name;
    send_rows(state_->cql, Cutter(put, 0, 1, 3, 64), add_service, std::move(of_service));
    send_rows(state_->cql, Cutter(put, 0, operations.size(), 3, 64), add_operations, std::move(of_operations));
  });
}

void CqlStore::mark_rows(const SegmentName& segment, std::int32_t position, StoreDone done) noexcept {
  const auto make = [&] {
    Request request;
    request.statement = state_->statements.mark_rows;
    request.timestamp_us = write_time_of_position(position);
    request.values.integer(position);
    state_->add_key(request.values, segment);
    return request;
  };
  send_request(state_->cql, make, std::move(done));
}

}  // namespace arca::cassandra
