#include "cassandra/row_joiner.hpp"

#include <utility>

#include "otlp/reader.hpp"

namespace arca::cassandra {
namespace {

class Counter final : public otlp::RequestVisitor {
 public:
  void on_span(const otlp::SpanView& span) override {
    ++span_count;
    has_ids = has_ids && span.trace_id.size() == 16 && span.span_id.size() == 8;
  }
  std::uint32_t span_count = 0;
  bool has_ids = true;
};

}  // namespace

RowJoiner::RowJoiner(std::uint64_t size_max, std::int64_t begin_token)
    : size_max_(size_max), begin_token_(begin_token), token_(begin_token), safe_token_(begin_token) {}

RowJoiner::Taken RowJoiner::add(std::int64_t token, base::Bytes trace_data) {
  Taken taken;
  Counter counter;
  const Result<void> read = otlp::visit_request(model::Signal::traces, trace_data, counter);
  // Bytes that are something else can follow the grammar by chance; without spans or ids they are no traces.
  if (!read) {
    taken.refusal = read.error().message();
  } else if (counter.span_count == 0) {
    taken.refusal = "it holds no span";
  } else if (!counter.has_ids) {
    taken.refusal = "it holds a span without ids";
  }
  if (token != token_) safe_token_ = token_;
  const std::size_t size = taken.refusal.empty() ? trace_data.size() : 0;
  if (!bytes_.empty() && bytes_.size() + size > size_max_) taken.before = take();
  token_ = token;
  ++row_count_;
  if (!taken.refusal.empty()) return taken;
  bytes_.insert(bytes_.end(), trace_data.begin(), trace_data.end());
  span_count_ += counter.span_count;
  return taken;
}

std::optional<JoinedRows> RowJoiner::finish() {
  if (row_count_ == 0) return std::nullopt;
  safe_token_ = token_;
  return take();
}

JoinedRows RowJoiner::take() {
  JoinedRows made;
  made.request = model::Payload::own(std::exchange(bytes_, {}));
  made.span_count = std::exchange(span_count_, 0);
  made.row_count = std::exchange(row_count_, 0);
  made.safe_token = safe_token_;
  return made;
}

}  // namespace arca::cassandra
