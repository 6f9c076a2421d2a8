// Uuid: 16 bytes as Cassandra stores them. Random ones (version 4) name segments and owners of leases.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "os/random.hpp"

namespace arca::cassandra {

struct Uuid {
  std::array<std::byte, 16> bytes{};
  auto operator<=>(const Uuid&) const = default;
};

Uuid random_uuid(os::Random& random) noexcept;
std::string to_string(const Uuid& uuid);  // 8-4-4-4-12 lower-case hex digits
std::optional<Uuid> parse_uuid(std::string_view text) noexcept;

}  // namespace arca::cassandra

template <>
struct std::hash<arca::cassandra::Uuid> {
  std::size_t operator()(const arca::cassandra::Uuid& uuid) const noexcept {
    return std::hash<std::uint64_t>()(arca::base::load<std::uint64_t>(uuid.bytes.data()) ^
                                      arca::base::load<std::uint64_t>(uuid.bytes.data() + 8));
  }
};
