// The walk over whole export requests; single records are read in reader.cpp.
#include <optional>

#include "otlp/reader.hpp"
#include "otlp/wire_reader.hpp"

namespace arca::otlp {

namespace {

Error damaged(std::string_view what) {
  return {ErrorCode::corrupt, "not an OTLP export request: damaged " + std::string(what)};
}

// Reads what stands beside the scopes of a ResourceX. False on damage.
bool read_resource(base::Bytes message, ResourceView& resource) {
  resource.message = message;
  return for_each_field(message, [&](const Field& field) {
    if (field.is(1, WireType::length)) resource.attributes = {field.bytes, 1};
    if (field.is(3, WireType::length)) resource.schema_url = field.text();
    return true;
  });
}

bool read_scope(base::Bytes message, ScopeView& scope) {
  scope.message = message;
  return for_each_field(message, [&](const Field& field) {
    if (field.is(3, WireType::length)) scope.schema_url = field.text();
    if (!field.is(1, WireType::length)) return true;
    scope.attributes = {field.bytes, 3};
    return for_each_field(field.bytes, [&](const Field& inner) {
      if (inner.is(1, WireType::length)) scope.name = inner.text();
      if (inner.is(2, WireType::length)) scope.version = inner.text();
      return true;
    });
  });
}

std::optional<Error> visit_record(model::Signal signal, base::Bytes message, RequestVisitor& visitor) {
  const auto hand_over = [&](const auto& record, auto take) -> std::optional<Error> {
    if (!record) return record.error();
    (visitor.*take)(*record);
    return std::nullopt;
  };
  switch (signal) {
    case model::Signal::traces:
      return hand_over(read_span(message), &RequestVisitor::on_span);
    case model::Signal::metrics:
      return hand_over(read_metric(message), &RequestVisitor::on_metric);
    case model::Signal::logs:
      return hand_over(read_log(message), &RequestVisitor::on_log);
  }
  return damaged("signal");
}

// Calls `visit` with the body of every length-delimited field `number`; stops at its first error.
template <class Visit>
std::optional<Error> for_each_child(base::Bytes message, std::uint32_t number, std::string_view what, Visit visit) {
  std::optional<Error> error;
  const bool whole = for_each_field(message, [&](const Field& field) {
    if (field.is(number, WireType::length)) error = visit(field.bytes);
    return !error;
  });
  if (!whole && !error) error = damaged(what);
  return error;
}

}  // namespace

Result<void> visit_request(model::Signal signal, base::Bytes request, RequestVisitor& visitor) {
  const auto visit_scope = [&](base::Bytes scope_message) -> std::optional<Error> {
    ScopeView scope;
    if (!read_scope(scope_message, scope)) return damaged("scope");
    visitor.on_scope(scope);
    return for_each_child(scope_message, 2, "scope",
                          [&](base::Bytes record) { return visit_record(signal, record, visitor); });
  };
  const auto visit_resource = [&](base::Bytes resource_message) -> std::optional<Error> {
    ResourceView resource;
    if (!read_resource(resource_message, resource)) return damaged("resource");
    visitor.on_resource(resource);
    return for_each_child(resource_message, 2, "resource", visit_scope);
  };
  if (auto error = for_each_child(request, 1, "request", visit_resource)) return failure(std::move(*error));
  return {};
}

Result<std::size_t> count_items(model::Signal signal, base::Bytes request) {
  std::size_t count = 0;
  const auto count_record = [&](base::Bytes record) -> std::optional<Error> {
    if (signal != model::Signal::metrics) {
      ++count;
      return std::nullopt;
    }
    std::optional<Error> error;
    const bool whole = for_each_field(record, [&](const Field& field) {
      if (is_metric_data(field)) {
        error = for_each_child(field.bytes, 1, "metric", [&](base::Bytes) -> std::optional<Error> {
          ++count;
          return std::nullopt;
        });
      }
      return !error;
    });
    if (!whole && !error) error = damaged("metric");
    return error;
  };
  const auto count_scope = [&](base::Bytes scope) { return for_each_child(scope, 2, "scope", count_record); };
  const auto count_resource = [&](base::Bytes resource) {
    return for_each_child(resource, 2, "resource", count_scope);
  };
  if (auto error = for_each_child(request, 1, "request", count_resource)) return failure(std::move(*error));
  return count;
}

Result<std::vector<std::uint64_t>> collect_span_ids(base::Bytes request) {
  std::vector<std::uint64_t> ids;
  const auto collect = [&](base::Bytes span) -> std::optional<Error> {
    std::uint64_t& id = ids.emplace_back(0);
    const bool whole = for_each_field(span, [&](const Field& field) {
      if (field.is(2, WireType::length) && field.bytes.size() == sizeof id)
        id = base::load<std::uint64_t>(field.bytes.data());
      return !field.is(2, WireType::length);  // the rest does not matter
    });
    if (!whole && id == 0) return damaged("span");
    return std::nullopt;
  };
  const auto in_scope = [&](base::Bytes scope) { return for_each_child(scope, 2, "scope", collect); };
  const auto in_resource = [&](base::Bytes resource) { return for_each_child(resource, 2, "resource", in_scope); };
  if (auto error = for_each_child(request, 1, "request", in_resource)) return failure(std::move(*error));
  return ids;
}

std::string to_hex(base::Bytes id) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * id.size());
  for (const std::byte byte : id) {
    text += digits[static_cast<unsigned>(byte) >> 4U];
    text += digits[static_cast<unsigned>(byte) & 0xFU];
  }
  return text;
}

}  // namespace arca::otlp
