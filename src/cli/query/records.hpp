// Records that are kept beyond the request in which they stood: each with its bytes and what stood above it, so that a
// request can be made of it again. Used by the lists and the views of `arca query`.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "cli/query/filter.hpp"
#include "cli/query/telemetry_place.hpp"
#include "otlp/reader.hpp"

namespace arca::cli::query {

// So many records a list remembers to have seen: what comes twice, from two places, is shown once.
constexpr std::size_t seen_max = 10'000'000;

// Resource and scope as they stood on the wire.
struct Context {
  std::string service;
  std::string scope;
  std::vector<std::byte> resource_fields;  // all fields of ResourceX but the scopes
  std::vector<std::byte> scope_fields;     // all fields of ScopeX but the records
};

struct Record {
  std::shared_ptr<const Context> context;
  std::vector<std::byte> message;  // Span, LogRecord or Metric
};

// An export request of these records, in their order; those that follow each other under one context stand together.
std::vector<std::byte> make_request(const std::vector<const Record*>& records);

// Walks requests and knows the owner of each record; whoever looks for records derives from it. Not thread-safe.
class RecordVisitor : public otlp::RequestVisitor {
 public:
  void on_resource(const otlp::ResourceView& resource) final;
  void on_scope(const otlp::ScopeView& scope) final;
  // Visits a piece.
  Result<void> visit(const Piece& piece);

 protected:
  [[nodiscard]] const Owner& owner() const noexcept { return owner_; }
  [[nodiscard]] Place place() const noexcept { return place_; }
  // What can be kept of a record.
  Record keep(base::Bytes message);

 private:
  Owner owner_;
  Place place_ = Place::pool;
  base::Bytes resource_message_;
  base::Bytes scope_message_;
  std::string scope_name_;
  std::shared_ptr<const Context> context_;  // made when it is first needed
};

struct SpanRecord {
  Record record;
  otlp::SpanView span;  // of record.message
  PlaceSet places;
};

struct LogRecord {
  Record record;
  otlp::LogView log;
  PlaceSet places;
};

std::uint64_t hash_of(base::Bytes bytes) noexcept;

// The spans and log records of some traces, each once however often it lies somewhere.
class TraceRecords final : public RecordVisitor {
 public:
  // Keeps no more than so many spans and as many log records of each trace.
  TraceRecords(const std::vector<TraceId>& traces, std::size_t limit);

  struct Trace {
    std::vector<SpanRecord> spans;
    std::vector<LogRecord> logs;
    bool cut = false;
  };
  void on_span(const otlp::SpanView& span) override;
  void on_log(const otlp::LogView& log) override;
  [[nodiscard]] const Trace& trace(const TraceId& id) const { return traces_.at(id); }

 private:
  struct Hash {
    std::size_t operator()(const TraceId& id) const noexcept { return base::load<std::uint64_t>(id.data() + 8); }
  };
  Trace* find(base::Bytes id);

  const std::size_t limit_;
  std::unordered_map<TraceId, Trace, Hash> traces_;
  std::unordered_map<std::uint64_t, std::size_t> span_at_;  // by trace and span id
  std::unordered_map<std::uint64_t, std::size_t> log_at_;   // by content
};

}  // namespace arca::cli::query
