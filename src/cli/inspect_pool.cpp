#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/inspect_walk.hpp"
#include "cli/look_again.hpp"
#include "cli/units.hpp"
#include "journal/pool_view.hpp"
#include "model/chunk.hpp"
#include "model/record_grammar.hpp"
#include "otlp/reader.hpp"

namespace arca::cli {

namespace {

using Json = nlohmann::ordered_json;
using journal::ChunkInfo;
using journal::PoolInfo;
using journal::PoolView;
using journal::RangeInfo;

std::string wall_text(std::int64_t nanos) { return format_wall_time(base::WallTime(base::Duration(nanos))); }

const char* state_text(journal::layout::ChunkState state) {
  switch (state) {
    case journal::layout::ChunkState::free:
      return "free";
    case journal::layout::ChunkState::open:
      return "open";
    case journal::layout::ChunkState::full:
      return "full";
  }
  return "invalid";
}

const char* state_text(journal::layout::RangeState state) {
  using journal::layout::RangeState;
  switch (state) {
    case RangeState::free:
      return "free";
    case RangeState::sealed:
      return "sealed";
    case RangeState::delivered:
      return "delivered";
    case RangeState::parked:
      return "parked";
    case RangeState::journaled:
      return "journaled";
    case RangeState::quarantined:
      return "quarantined";
    case RangeState::lost:
      return "lost";
  }
  return "invalid";
}

Json totals_as_json(const model::SignalTotals& totals, std::uint64_t in_memory) {
  return {{"accepted", totals.accepted},       {"delivered", totals.delivered},
          {"parked", totals.parked},           {"journaled", totals.journaled},
          {"quarantined", totals.quarantined}, {"in_memory", in_memory},
          {"refused", totals.refused},         {"lost", totals.lost}};
}

// Shows one pool, top down. Not thread-safe.
class PoolWalk {
 public:
  PoolWalk(const PoolView& view, const PoolInfo& info, int depth, InspectOutput& output)
      : view_(view), info_(info), depth_(depth), output_(output), contexts_(view.contexts()) {}

  Result<void> run(const std::string& path) {
    output_.show(depth_, "pool",
                 {{"path", path},
                  {"writer", model::to_string(model::WriterId{info_.writer})},
                  {"process", info_.process_id},
                  {"created", wall_text(info_.created_at_ns)},
                  {"file_size", info_.file_size},
                  {"small_chunks", info_.small_count},
                  {"large_chunks", info_.large_count},
                  {"next_sequence", info_.next_sequence},
                  {"bytes_in_memory", info_.bytes_in_memory},
                  {"consistent", info_.consistent}});
    for (const model::Signal signal : model::all_signals) {
      const std::size_t i = model::index_of(signal);
      Json facts = {{"signal", model::to_string(signal)}};
      facts.update(totals_as_json(info_.totals[i], info_.in_memory[i]));
      output_.show(depth_ + 1, "totals", facts);
    }
    if (!info_.status_json.empty()) output_.show(depth_ + 1, "status", {{"text", info_.status_json}});
    for (std::size_t i = 0; i < contexts_.size(); ++i) show_context(i);
    for (const ChunkInfo& chunk : info_.chunks) {
      if (const auto done = show_chunk(chunk); !done) return done;
    }
    for (const std::string& damage : info_.damage) output_.damage(depth_ + 1, "pool", damage);
    return {};
  }

 private:
  void show_context(std::size_t index) {
    output_.show(depth_ + 1, "context",
                 {{"id", index + 1},
                  {"resource_bytes", contexts_[index].resource_fields.size()},
                  {"scope_bytes", contexts_[index].scope_fields.size()}});
  }

  Result<void> show_chunk(const ChunkInfo& chunk) {
    output_.show(depth_ + 1, "chunk",
                 {{"index", chunk.index},
                  {"state", state_text(chunk.state)},
                  {"signal", model::to_string(chunk.signal)},
                  {"capacity", chunk.capacity},
                  {"committed_bytes", chunk.committed.bytes},
                  {"committed_items", chunk.committed.items},
                  {"sealed_bytes", chunk.sealed_bytes},
                  {"thread", chunk.owner_thread}});
    const std::vector<std::byte> bytes = view_.chunk_bytes(chunk);
    const auto now = view_.read();
    if (!now) return failure(now.error());
    if (!now->has(chunk)) {  // what was read of it may be another's
      output_.show(depth_ + 2, "changed", {{"index", chunk.index}});
      return {};
    }
    for (const RangeInfo& range : chunk.ranges) {
      output_.show(depth_ + 2, "range",
                   {{"id", model::to_string(model::ChunkId{{info_.writer}, range.sequence})},
                    {"state", state_text(range.state)},
                    {"begin", range.begin},
                    {"end", range.end},
                    {"items", range.item_count},
                    {"sealed", wall_text(range.sealed_at_ns)}});
      show_records(chunk, part(bytes, range.begin, range.end), range.context);
    }
    if (chunk.committed.bytes > chunk.sealed_bytes) {
      output_.show(depth_ + 2, "unsealed",
                   {{"begin", chunk.sealed_bytes},
                    {"end", chunk.committed.bytes},
                    {"items", chunk.committed.items - chunk.sealed_items}});
      show_records(chunk, part(bytes, chunk.sealed_bytes, chunk.committed.bytes), chunk.sealed_context);
    }
    return {};
  }

  static base::Bytes part(const std::vector<std::byte>& bytes, std::size_t begin, std::size_t end) {
    end = std::min(end, bytes.size());
    return begin < end ? base::Bytes(bytes).subspan(begin, end - begin) : base::Bytes();
  }

  void show_records(const ChunkInfo& chunk, base::Bytes range, model::ContextId context) {
    const model::Walk walk = model::walk_records(range, context);
    if (!walk.whole(range)) {
      output_.damage(depth_ + 3, fmt::format("chunk {}", chunk.index),
                     fmt::format("only {} of {} bytes follow the grammar of records", walk.valid_size, range.size()));
    }
    if (!output_.wants_records() || walk.runs.empty()) return;
    const auto framed =
        model::frame_request(walk.runs, [this](model::ContextId id) -> std::optional<model::ContextView> {
          if (id == model::no_context || id > contexts_.size()) return std::nullopt;
          return model::ContextView{contexts_[id - 1].resource_fields, contexts_[id - 1].scope_fields};
        });
    if (!framed) return output_.damage(depth_ + 3, "records", "a context that they name is not there");
    std::vector<std::byte> request;
    for (const base::Bytes slice : framed->slices) request.insert(request.end(), slice.begin(), slice.end());
    output_.show_request(depth_ + 3, chunk.signal, request);
  }

  const PoolView& view_;
  const PoolInfo& info_;
  int depth_;
  InspectOutput& output_;
  std::vector<PoolView::Context> contexts_;
};

}  // namespace

Result<void> inspect_pool(const std::string& path, int depth, InspectOutput& output) {
  const auto view = PoolView::open(path);
  if (!view) return failure(view.error());
  const auto info = read_calmly([&] { return view->read(); });
  if (!info) return failure(info.error());
  return PoolWalk(*view, *info, depth, output).run(path);
}

}  // namespace arca::cli
