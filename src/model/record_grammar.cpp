#include "model/record_grammar.hpp"

#include "base/varint.hpp"

namespace arca::model {

namespace {

// Takes one record (tag, length, message) off the front of `rest`; nothing if there is no whole one.
bool take_record(base::Bytes& rest) noexcept {
  base::Bytes behind = rest.subspan(1);
  const auto length = base::read_varint(behind);
  if (!length || *length > behind.size()) return false;
  rest = behind.subspan(*length);
  return true;
}

}  // namespace

Walk walk_records(base::Bytes range, ContextId context) {
  Walk walk;
  walk.last_context = context;
  base::Bytes rest = range;
  const std::byte* run_begin = rest.data();
  std::uint32_t count = 0;
  const auto close_run = [&] {
    if (count != 0) {
      const auto size = static_cast<std::size_t>(rest.data() - run_begin);
      walk.runs.push_back({walk.last_context, {run_begin, size}, count});
    }
    count = 0;
  };
  while (!rest.empty()) {
    if (rest.front() == context_mark) {
      if (rest.size() < context_mark_size) break;
      close_run();
      walk.last_context = base::load<ContextId>(rest.data() + 1);
      rest = rest.subspan(context_mark_size);
      run_begin = rest.data();
    } else if (rest.front() == record_tag && walk.last_context != no_context && take_record(rest)) {
      ++count;
    } else {
      break;
    }
  }
  close_run();
  walk.valid_size = range.size() - rest.size();
  return walk;
}

namespace {

constexpr std::byte children_tag{0x12};  // ScopeX in ResourceX
constexpr std::byte resource_tag{0x0A};  // ResourceX in the request

struct Sized {
  ContextView view;
  std::size_t scope_body = 0;  // bytes of the ScopeX message
};

std::size_t field_size(std::size_t body) noexcept { return 1 + base::varint_size(body) + body; }

// Appends a tag, a length and fixed bytes to `out`.
void put(std::vector<std::byte>& out, std::byte tag, std::size_t length, base::Bytes fields) {
  std::byte head[11];
  head[0] = tag;
  const std::byte* end = base::write_varint(head + 1, length);
  out.insert(out.end(), static_cast<const std::byte*>(head), end);
  out.insert(out.end(), fields.begin(), fields.end());
}

bool same_bytes(base::Bytes a, base::Bytes b) noexcept {
  return a.size() == b.size() && (a.data() == b.data() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace

std::optional<FramedRequest> frame_request(const std::vector<Run>& runs,
                                           const std::function<std::optional<ContextView>(ContextId)>& context_of) {
  std::vector<Sized> sized;
  sized.reserve(runs.size());
  for (const Run& run : runs) {
    const auto view = context_of(run.context);
    if (!view) return std::nullopt;
    sized.push_back({*view, view->scope_fields.size() + run.records.size()});
  }
  FramedRequest request;
  std::vector<std::size_t> ends;  // of the framing that precedes each run
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const bool new_resource = i == 0 || !same_bytes(sized[i].view.resource_fields, sized[i - 1].view.resource_fields);
    if (new_resource) {
      std::size_t body = sized[i].view.resource_fields.size();
      for (std::size_t j = i;
           j < runs.size() && same_bytes(sized[j].view.resource_fields, sized[i].view.resource_fields); ++j) {
        body += field_size(sized[j].scope_body);
      }
      put(request.framing, resource_tag, body, sized[i].view.resource_fields);
    }
    put(request.framing, children_tag, sized[i].scope_body, sized[i].view.scope_fields);
    ends.push_back(request.framing.size());
  }
  std::size_t begin = 0;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    request.slices.push_back(base::Bytes(request.framing).subspan(begin, ends[i] - begin));
    request.slices.push_back(runs[i].records);
    begin = ends[i];
  }
  return request;
}

}  // namespace arca::model
