#include "otlp/context_encoder.hpp"

#include "otlp/attributes.hpp"
#include "otlp/fields.hpp"
#include "otlp/wire_writer.hpp"

namespace arca::otlp {

namespace {

// Offsets of 0 mean "none" to AttributeList, so no field stands there.
constexpr std::size_t headroom = 1;

void put_attributes(WireWriter& out, std::uint8_t tag, std::span<const Attribute> attributes) {
  // Resources and scopes have no limits in the specification.
  AttributeList list;
  list.reset({no_limit, no_limit});
  for (const Attribute& attribute : attributes) list.set(out, tag, attribute.key, attribute.value);
  out.compact(headroom);
}

// The owner message followed by the schema URL, as ResourceX and ScopeX both have them.
Result<std::vector<std::byte>> wrap_owner(const WireWriter& owner, std::string_view schema_url) {
  WireWriter out;
  const base::Bytes body = owner.bytes_from(headroom);
  out.reset(0);
  if (!owner.failed() && out.reserve(length_field_size(body.size()))) {
    out.put_tag(tags::owner);
    out.put_varint(body.size());
    out.put_bytes(body);
    put_text_field(out, tags::schema_url, schema_url);
  }
  if (owner.failed() || out.failed()) {
    return failure(ErrorCode::full, "no memory for the attributes of a resource or scope");
  }
  const base::Bytes bytes = out.bytes_from(0);
  return std::vector<std::byte>(bytes.begin(), bytes.end());
}

}  // namespace

Result<std::vector<std::byte>> encode_resource(std::span<const Attribute> attributes, std::string_view schema_url) {
  WireWriter resource;
  resource.reset(headroom);
  put_attributes(resource, tags::resource_attribute, attributes);
  return wrap_owner(resource, schema_url);
}

Result<std::vector<std::byte>> encode_scope(const ScopeDescription& scope) {
  WireWriter owner;
  owner.reset(headroom);
  put_attributes(owner, tags::scope_attribute, scope.attributes);
  put_text_field(owner, tags::scope_name, scope.name);
  put_text_field(owner, tags::scope_version, scope.version);
  return wrap_owner(owner, scope.schema_url);
}

}  // namespace arca::otlp
