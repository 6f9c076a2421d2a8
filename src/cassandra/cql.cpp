#include "cassandra/cql.hpp"

#include <bit>
#include <concepts>
#include <condition_variable>
#include <limits>
#include <mutex>

#include "base/check.hpp"

namespace arca::cassandra {
namespace {

constexpr std::int64_t null_size = -1;
constexpr std::int64_t unset_size = -2;

// CQL's integers are big-endian.
template <std::integral T>
std::array<std::byte, sizeof(T)> big_endian(T value) noexcept {
  std::array<std::byte, sizeof(T)> bytes{};
  auto rest = static_cast<std::make_unsigned_t<T>>(value);
  for (std::size_t i = sizeof(T); i-- > 0;) {
    bytes[i] = static_cast<std::byte>(rest & 0xFFU);
    if constexpr (sizeof(T) > 1) rest = static_cast<std::make_unsigned_t<T>>(rest >> 8U);
  }
  return bytes;
}

template <std::integral T>
T from_big_endian(const std::byte* from) noexcept {
  std::make_unsigned_t<T> value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<std::make_unsigned_t<T>>((static_cast<std::uint64_t>(value) << 8U) |
                                                 std::to_integer<std::uint64_t>(from[i]));
  }
  return static_cast<T>(value);
}

template <std::integral T>
std::optional<T> integer_of(base::Bytes bytes) noexcept {
  if (bytes.size() != sizeof(T)) return std::nullopt;
  return from_big_endian<T>(bytes.data());
}

void append(std::vector<std::byte>& target, base::Bytes bytes) {
  target.insert(target.end(), bytes.begin(), bytes.end());
}

void append_size(std::vector<std::byte>& target, std::size_t size) {
  ARCA_CHECK(size <= std::numeric_limits<std::int32_t>::max());
  append(target, big_endian(static_cast<std::int32_t>(size)));
}

}  // namespace

std::string_view to_string(Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::ok:
      return "ok";
    case Outcome::not_sent:
      return "not sent";
    case Outcome::not_taken:
      return "not taken";
    case Outcome::unknown:
      return "unknown";
    case Outcome::refused:
      return "refused";
  }
  return "unknown";
}

Values& Values::add(base::Bytes value) {
  entries_.push_back({arena_.size(), nullptr, static_cast<std::int64_t>(value.size())});
  append(arena_, value);
  bytes_ += value.size();
  return *this;
}

Values& Values::text(std::string_view value) { return add(base::as_bytes(value)); }
Values& Values::blob(base::Bytes value) { return add(value); }
Values& Values::boolean(bool value) { return tinyint(value ? 1 : 0); }
Values& Values::tinyint(std::int8_t value) { return add(big_endian(value)); }
Values& Values::smallint(std::int16_t value) { return add(big_endian(value)); }
Values& Values::integer(std::int32_t value) { return add(big_endian(value)); }
Values& Values::bigint(std::int64_t value) { return add(big_endian(value)); }
Values& Values::uuid(const Uuid& value) { return add(value.bytes); }

Values& Values::borrow(base::Bytes value, std::shared_ptr<const void> owner) {
  if (owners_.empty() || owners_.back() != owner) owners_.push_back(std::move(owner));
  entries_.push_back({0, value.data(), static_cast<std::int64_t>(value.size())});
  bytes_ += value.size();
  return *this;
}

Values& Values::timestamp(base::WallTime value) {
  return bigint(std::chrono::floor<std::chrono::milliseconds>(value.time_since_epoch()).count());
}

Values& Values::text_set(const std::vector<std::string>& value) {
  std::vector<std::byte> bytes;
  append_size(bytes, value.size());
  for (const std::string& item : value) {
    append_size(bytes, item.size());
    append(bytes, base::as_bytes(item));
  }
  return add(bytes);
}

Values& Values::null() {
  entries_.push_back({0, nullptr, null_size});
  return *this;
}

Values& Values::unset() {
  entries_.push_back({0, nullptr, unset_size});
  return *this;
}

Values::View Values::at(std::size_t index) const noexcept {
  static constexpr std::byte nothing{};  // the place of an empty value: a null pointer would read as no value
  const Entry& entry = entries_[index];
  if (entry.size < 0) return {nullptr, entry.size};
  if (entry.size == 0) return {&nothing, 0};
  return {entry.borrowed != nullptr ? entry.borrowed : arena_.data() + entry.offset, entry.size};
}

bool Row::is_null(std::size_t column) const noexcept { return column >= count_ || cells_[column].size < 0; }

base::Bytes Row::bytes(std::size_t column) const noexcept {
  if (is_null(column)) return {};
  return {cells_[column].data, static_cast<std::size_t>(cells_[column].size)};
}

std::string_view Row::text(std::size_t column) const noexcept { return base::as_text(bytes(column)); }

std::optional<bool> Row::boolean(std::size_t column) const noexcept {
  const auto value = integer_of<std::int8_t>(bytes(column));
  return value ? std::optional<bool>(*value != 0) : std::nullopt;
}

std::optional<std::int8_t> Row::tinyint(std::size_t column) const noexcept {
  return integer_of<std::int8_t>(bytes(column));
}
std::optional<std::int16_t> Row::smallint(std::size_t column) const noexcept {
  return integer_of<std::int16_t>(bytes(column));
}
std::optional<std::int32_t> Row::integer(std::size_t column) const noexcept {
  return integer_of<std::int32_t>(bytes(column));
}
std::optional<std::int64_t> Row::bigint(std::size_t column) const noexcept {
  return integer_of<std::int64_t>(bytes(column));
}

std::optional<base::WallTime> Row::timestamp(std::size_t column) const noexcept {
  // What a WallTime can hold: years 1678 to 2262. Another client may have written anything.
  constexpr auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(base::Duration::max()).count();
  const auto value = bigint(column);
  if (!value || *value > limit || *value < -limit) return std::nullopt;
  return base::WallTime(std::chrono::milliseconds(*value));
}

std::optional<Uuid> Row::uuid(std::size_t column) const noexcept {
  const base::Bytes found = bytes(column);
  Uuid uuid;
  if (found.size() != uuid.bytes.size()) return std::nullopt;
  std::copy(found.begin(), found.end(), uuid.bytes.begin());
  return uuid;
}

std::vector<std::string> Row::text_set(std::size_t column) const {
  base::Bytes rest = bytes(column);
  const auto take_size = [&rest]() -> std::optional<std::size_t> {
    if (rest.size() < sizeof(std::int32_t)) return std::nullopt;
    const auto size = from_big_endian<std::int32_t>(rest.data());
    rest = rest.subspan(sizeof(std::int32_t));
    return size < 0 ? std::nullopt : std::optional<std::size_t>(static_cast<std::size_t>(size));
  };
  std::vector<std::string> items;
  const auto count = take_size();
  for (std::size_t i = 0; count && i < *count; ++i) {
    const auto size = take_size();
    if (!size || *size > rest.size()) return {};  // not a set of texts
    items.emplace_back(base::as_text(rest.first(*size)));
    rest = rest.subspan(*size);
  }
  return items;
}

bool Answer::applied() const noexcept { return ok() && row_count() > 0 && row(0).boolean(0).value_or(false); }

Error Answer::error() const {
  switch (outcome) {
    case Outcome::not_sent:
    case Outcome::not_taken:
      return {ErrorCode::unavailable, message};
    case Outcome::unknown:
      return {ErrorCode::timeout, message};
    case Outcome::refused:
      return {refusal == Refusal::schema ? ErrorCode::not_found : ErrorCode::invalid_config, message};
    case Outcome::ok:
      break;
  }
  return {ErrorCode::internal, "an answer without a failure was taken for one"};
}

Answer execute_and_wait(Cql& cql, Request request, std::chrono::milliseconds timeout) {
  struct Waiting {
    std::mutex mutex;
    std::condition_variable arrived;
    std::optional<Answer> answer;  // protected by mutex
  };
  const auto waiting = std::make_shared<Waiting>();  // the answer may come when nobody waits any more
  cql.execute(std::move(request), [waiting](Answer answer) {
    const std::scoped_lock lock(waiting->mutex);
    waiting->answer = std::move(answer);
    waiting->arrived.notify_one();
  });
  std::unique_lock lock(waiting->mutex);
  if (waiting->arrived.wait_for(lock, timeout, [&] { return waiting->answer.has_value(); })) {
    return std::move(*waiting->answer);
  }
  Answer none;
  none.message = "no answer within " + std::to_string(timeout.count()) + " ms";
  return none;
}

}  // namespace arca::cassandra
