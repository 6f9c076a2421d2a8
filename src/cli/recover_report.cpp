#include "cli/recover_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/terminal_text.hpp"
#include "cli/units.hpp"

namespace arca::cli {

namespace {

using Json = nlohmann::ordered_json;
constexpr double smoothing = 0.3;  // of the rate: what the last second says
constexpr double time_left_max = 1e9;

std::uint64_t items_of(const model::Backlog& backlog) {
  return backlog.item_count[0] + backlog.item_count[1] + backlog.item_count[2];
}

}  // namespace

std::string progress_text(const flow::RecoveryProgress& progress) {
  std::string text = fmt::format(
      "recovered {} items, {}; left {} items, {} in {} writers; {}/s", format_count(progress.items_done.sum()),
      format_bytes(progress.bytes_done), format_count(progress.items_left), format_bytes(progress.bytes_left),
      progress.writers_left, format_bytes(static_cast<std::uint64_t>(progress.bytes_per_second)));
  if (progress.time_left) text += ", done in " + format_duration(*progress.time_left);
  return text;
}

std::string done_text(const flow::DoneItems& done, const std::string& from) {
  std::string text = fmt::format("{} items from {} delivered", format_count(done.delivered), from);
  if (done.parked != 0) text += fmt::format(", {} parked in Cassandra", format_count(done.parked));
  if (done.quarantined != 0)
    text += fmt::format(", {} refused and kept in the quarantine", format_count(done.quarantined));
  return text;
}

Json done_as_json(const flow::DoneItems& done) {
  return {{"items_delivered", done.delivered}, {"items_parked", done.parked}, {"items_quarantined", done.quarantined}};
}

Json writers_as_json(const flow::RecoveryStatus& status) {
  Json list = Json::array();
  for (const flow::RecoveryWriter& writer : status.writers) {
    list.push_back({{"id", model::to_string(writer.id)},
                    {"state", flow::to_string(writer.state)},
                    {"chunks", writer.backlog.chunk_count},
                    {"items", items_of(writer.backlog)},
                    {"bytes", writer.backlog.bytes},
                    {"note", writer.note}});
  }
  return list;
}

std::string writers_as_text(const flow::RecoveryStatus& status) {
  std::string text;
  for (const flow::RecoveryWriter& writer : status.writers) {
    text += fmt::format("  {}  {}  {} items, {}{}{}\n", model::to_string(writer.id), flow::to_string(writer.state),
                        format_count(items_of(writer.backlog)), format_bytes(writer.backlog.bytes),
                        writer.note.empty() ? "" : "  note: ", printable(writer.note));
  }
  return text;
}

Json cassandra_as_json(const RecoveryParts& parts) {
  const auto status = parts.cassandra_status();
  if (!status) return nullptr;
  return {{"connected", status->connected},
          {"ready", status->ready},
          {"segments_left", status->segments_known},
          {"oldest_age_seconds", status->oldest_age ? Json(status->oldest_age->count()) : Json(nullptr)},
          {"near_ttl", status->near_ttl},
          {"last_error", status->last_error}};
}

std::string cassandra_as_text(const RecoveryParts& parts) {
  const auto status = parts.cassandra_status();
  if (!status) return "";
  if (!status->ready)
    return "  Cassandra: not ready" + (status->last_error.empty() ? "" : ": " + printable(status->last_error)) + "\n";
  std::string text = fmt::format("  Cassandra: {} segments left", status->segments_known);
  if (status->oldest_age) text += ", the oldest " + format_duration(*status->oldest_age);
  if (status->near_ttl) text += ", some past half of their TTL";
  return text + "\n";
}

Json scan_as_json(const RecoveryParts& parts) {
  const auto scan = parts.scan_status();
  if (!scan) return nullptr;
  return {{"rows", scan->row_count},
          {"spans", scan->span_count},
          {"foreign_rows", scan->foreign_row_count},
          {"foreign_example", scan->foreign_example},
          {"ranges_done", scan->ranges_done},
          {"ranges", scan->range_count},
          {"last_error", scan->last_error}};
}

std::string scan_as_text(const RecoveryParts& parts) {
  const auto scan = parts.scan_status();
  if (!scan) return "";
  std::string text = fmt::format("  rows: {} read, {} of {} ranges done\n", format_count(scan->row_count),
                                 scan->ranges_done, scan->range_count);
  if (scan->foreign_row_count != 0) {
    text += fmt::format("  {} rows are no OTLP: left as they are; for instance {}\n",
                        format_count(scan->foreign_row_count), printable(scan->foreign_example));
  }
  return text;
}

flow::RecoveryProgress RecoveryRate::progress_of(const flow::RecoveryStatus& status, base::SteadyTime now) {
  flow::RecoveryProgress made;
  made.bytes_done = status.counters.settled_bytes;
  made.items_done = flow::done_items(status.counters);
  made.writers_done = status.finished_writer_count;
  for (const flow::RecoveryLaneStatus& lane : status.lanes) {
    made.bytes_left += lane.backlog.bytes;
    made.items_left += items_of(lane.backlog);
  }
  for (const flow::RecoveryWriter& writer : status.writers) {
    if (writer.state == flow::RecoveryWriter::State::unreadable) continue;
    made.bytes_left += writer.backlog.bytes;
    made.items_left += items_of(writer.backlog);
    ++made.writers_left;
  }
  if (const double seconds = std::chrono::duration<double>(now - before_).count(); seconds > 0) {
    const double last = static_cast<double>(made.bytes_done - bytes_before_) / seconds;
    bytes_per_second_ = smoothing * last + (1 - smoothing) * bytes_per_second_;
  }
  before_ = now;
  bytes_before_ = made.bytes_done;
  made.bytes_per_second = bytes_per_second_;
  if (bytes_per_second_ >= 1) {
    const double left = static_cast<double>(made.bytes_left) / bytes_per_second_;
    made.time_left = base::Duration(static_cast<std::int64_t>(std::min(left, time_left_max) * 1e9));
  }
  return made;
}

}  // namespace arca::cli
