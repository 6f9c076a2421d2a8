// Resource and scope bytes in the mapping, each once, referenced by id from the records.
#include "base/crc32c.hpp"
#include "journal/pool_state.hpp"

namespace arca::journal {

namespace {

std::uint32_t context_crc(const layout::ContextEntry& entry, base::Bytes bytes) {
  std::uint32_t crc = base::crc32c({reinterpret_cast<const std::byte*>(&entry), offsetof(layout::ContextEntry, crc)});
  return base::crc32c(bytes, crc);
}

std::size_t padded(std::size_t size) noexcept { return (size + 7U) & ~std::size_t{7}; }

// The two byte strings with the border between them, as a key.
std::string key_of(const model::ContextView& context) {
  std::string key(sizeof(std::uint64_t), '\0');
  const std::uint64_t border = context.resource_fields.size();
  std::memcpy(key.data(), &border, sizeof border);
  key += base::as_text(context.resource_fields);
  key += base::as_text(context.scope_fields);
  return key;
}

}  // namespace

Result<model::ContextId> Pool::State::intern(const model::ContextView& context) {
  std::string key = key_of(context);
  const std::lock_guard guard(context_mutex_);
  if (const auto known = context_ids_.find(key); known != context_ids_.end()) return known->second;
  if (adopted_ || serial_.load(std::memory_order_relaxed) == 0) {
    return failure(ErrorCode::shut_down, "the pool takes no new resources or scopes");
  }
  layout::Header& header = mapping_->header();
  const std::uint64_t used = header.context_used.load(std::memory_order_relaxed);
  const std::size_t body = context.resource_fields.size() + context.scope_fields.size();
  const std::size_t need = sizeof(layout::ContextEntry) + padded(body);
  if (need > layout::context_region_size - used) {
    return failure(ErrorCode::full, "the pool has no room for another resource or scope");
  }
  std::byte* at = mapping_->context_region().data() + used;
  std::byte* bytes = at + sizeof(layout::ContextEntry);
  std::memcpy(bytes, context.resource_fields.data(), context.resource_fields.size());
  std::memcpy(bytes + context.resource_fields.size(), context.scope_fields.data(), context.scope_fields.size());
  layout::ContextEntry entry{static_cast<std::uint32_t>(context.resource_fields.size()),
                             static_cast<std::uint32_t>(context.scope_fields.size()), 0, 0};
  entry.crc = context_crc(entry, {bytes, body});
  base::store(at, entry);
  // May throw, so before the region counts it: ids are positions, there and here.
  contexts_.push_back({{bytes, entry.resource_size}, {bytes + entry.resource_size, entry.scope_size}});
  header.context_used.store(used + need, std::memory_order_release);
  const auto id = static_cast<model::ContextId>(contexts_.size());
  context_ids_.emplace(std::move(key), id);
  return id;
}

std::optional<model::ContextView> Pool::State::context(model::ContextId id) const {
  const std::lock_guard guard(context_mutex_);
  if (id == model::no_context || id > contexts_.size()) return std::nullopt;
  return contexts_[id - 1];
}

// Reads the region of a dead writer. Ids are positions, so reading ends at the first damaged entry.
Result<void> Pool::State::load_contexts() {
  const base::MutableBytes region = mapping_->context_region();
  const std::uint64_t used =
      std::min<std::uint64_t>(mapping_->header().context_used.load(std::memory_order_acquire), region.size());
  std::uint64_t at = 0;
  const auto damaged = [&] { return keep_aside("pool-contexts.bytes", base::Bytes(region).first(used)); };
  while (used - at >= sizeof(layout::ContextEntry)) {
    const auto entry = base::load<layout::ContextEntry>(region.data() + at);
    const std::uint64_t body = std::uint64_t{entry.resource_size} + entry.scope_size;
    if (body > used - at - sizeof entry) return damaged();
    const std::byte* bytes = region.data() + at + sizeof entry;
    if (entry.crc != context_crc(entry, {bytes, body})) return damaged();
    contexts_.push_back({{bytes, entry.resource_size}, {bytes + entry.resource_size, entry.scope_size}});
    at += sizeof entry + padded(body);
  }
  return at == used ? Result<void>() : damaged();
}

}  // namespace arca::journal
