#include "cli/query/pool_place.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "cli/look_again.hpp"
#include "cli/query/trace_search.hpp"
#include "journal/pool_view.hpp"
#include "journal/writer_directory.hpp"
#include "model/record_grammar.hpp"

namespace arca::cli::query {

namespace {

using journal::ChunkInfo;
using journal::PoolInfo;
using journal::PoolView;
using journal::RangeInfo;
using journal::layout::RangeState;

// Reads one pool. A live writer goes on meanwhile: it may deliver a chunk and use its memory again, so the bytes of a
// chunk count only if the table says afterwards that it is still the same chunk.
class PoolRead {
 public:
  PoolRead(std::string name, const PoolView& view, const Wanted& wanted, Reader& reader)
      : name_(std::move(name)), view_(view), wanted_(wanted), reader_(reader) {}

  Result<void> run() {
    const auto info = read_calmly([&] { return view_.read(); });
    if (!info) return failure(info.error());
    for (const std::string& damage : info->damage) reader_.damage(name_ + ": " + damage);
    writer_ = info->writer;
    std::vector<ChunkInfo> chunks = info->chunks;
    std::sort(chunks.begin(), chunks.end(),
              [](const ChunkInfo& a, const ChunkInfo& b) { return a.open_order > b.open_order; });
    for (const ChunkInfo& chunk : chunks) {
      if (!wanted_.signals.contains(chunk.signal) || !has_wanted(chunk)) continue;
      if (!reader_.may_read(chunk.committed.bytes)) break;
      const std::vector<std::byte> bytes = view_.chunk_bytes(chunk);
      const auto now = view_.read();
      if (!now) return failure(now.error());
      if (now->has(chunk)) give(chunk, bytes);
    }
    for (const std::uint64_t sequence : given_) reader_.set_given({{writer_}, sequence});
    return {};
  }

 private:
  [[nodiscard]] bool is_wanted(const RangeInfo& range) const {
    if (range.state != RangeState::sealed && !(wanted_.is_following && range.state == RangeState::delivered)) {
      return false;  // the journal, Cassandra or the quarantine has it, or the Collector
    }
    return !is_before(wanted_, base::WallTime(base::Duration(range.sealed_at_ns))) &&
           reader_.wants({{writer_}, range.sequence});
  }
  [[nodiscard]] bool has_wanted(const ChunkInfo& chunk) const {
    return chunk.committed.bytes > chunk.sealed_bytes ||
           std::any_of(chunk.ranges.begin(), chunk.ranges.end(),
                       [&](const RangeInfo& each) { return is_wanted(each); });
  }
  void give(const ChunkInfo& chunk, base::Bytes bytes) {
    for (const RangeInfo& range : chunk.ranges) {
      if (!is_wanted(range)) continue;
      give_records(chunk, part(bytes, range.begin, range.end), range.context);
      given_.insert(range.sequence);  // one chunk may lie in the memory of several threads
    }
    if (chunk.committed.bytes > chunk.sealed_bytes) {
      give_records(chunk, part(bytes, chunk.sealed_bytes, chunk.committed.bytes), chunk.sealed_context);
    }
  }

  static base::Bytes part(base::Bytes bytes, std::size_t begin, std::size_t end) {
    end = std::min(end, bytes.size());
    return begin < end ? bytes.subspan(begin, end - begin) : base::Bytes();
  }

  void give_records(const ChunkInfo& chunk, base::Bytes range, model::ContextId context) {
    if (!may_hold(wanted_, range)) return;
    const model::Walk walk = model::walk_records(range, context);
    if (!walk.whole(range)) {
      reader_.damage(fmt::format("{}: chunk {}: only {} of {} bytes follow the grammar of records", name_, chunk.index,
                                 walk.valid_size, range.size()));
    }
    if (walk.runs.empty()) return;
    auto framed = model::frame_request(walk.runs, [this](model::ContextId id) { return context_of(id); });
    if (!framed) return reader_.damage(fmt::format("{}: chunk {}: a context is not there", name_, chunk.index));
    std::vector<std::byte> request;
    for (const base::Bytes slice : framed->slices) request.insert(request.end(), slice.begin(), slice.end());
    reader_.take({Place::pool, chunk.signal, request, std::nullopt});
  }

  std::optional<model::ContextView> context_of(model::ContextId id) {
    if (id == model::no_context) return std::nullopt;
    // A live writer adds contexts; those that are there never change.
    if (id > contexts_.size()) contexts_ = view_.contexts();
    if (id > contexts_.size()) return std::nullopt;
    return model::ContextView{contexts_[id - 1].resource_fields, contexts_[id - 1].scope_fields};
  }

  std::string name_;
  const PoolView& view_;
  const Wanted& wanted_;
  Reader& reader_;
  std::uint64_t writer_ = 0;
  std::set<std::uint64_t> given_;
  std::vector<PoolView::Context> contexts_;
};

}  // namespace

Result<void> PoolPlace::read(const Wanted& wanted, Reader& reader) {
  if (!file_system_.exists(state_directory_)) {
    return failure(ErrorCode::not_found, state_directory_ + " does not exist");
  }
  const auto writers = journal::list_writers(state_directory_);
  if (!writers) return failure(writers.error());
  for (const journal::WriterEntry& writer : *writers) {
    const std::string name = "pool of writer " + model::to_string(writer.id);
    const auto view = PoolView::open(writer.path + "/pool");
    // Gone with a reboot, or its writer has just been finished, or has not yet made it.
    if (!view && view.error().code() == ErrorCode::not_found) continue;
    const auto done = view ? PoolRead(name, *view, wanted, reader).run() : failure(view.error());
    if (!done) reader.damage(name + ": " + done.error().message());
  }
  return {};
}

}  // namespace arca::cli::query
