#include "cassandra/cql_library.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>
#include <type_traits>

namespace arca::cassandra {
namespace {

constexpr const char* library_names[] = {"libarca_cql.so.1", "libarca_cql.so"};

// The folder of the program or library that this code was linked into; empty if nobody knows.
std::filesystem::path own_folder() {
  Dl_info object{};
  if (::dladdr(reinterpret_cast<const void*>(&driver_places), &object) == 0 || object.dli_fname == nullptr) return {};
  std::error_code failed;
  std::filesystem::path path(object.dli_fname);
  // Of the program itself the loader knows only how it was called, which need not be a path.
  const bool is_program = object.dli_fbase == nullptr || path.is_relative();
  path = std::filesystem::canonical(is_program ? std::filesystem::path("/proc/self/exe") : path, failed);
  return failed ? std::filesystem::path() : path.parent_path();
}

template <class Pointer>
bool find(void* library, const char* name, Pointer& pointer) {
  pointer = reinterpret_cast<Pointer>(::dlsym(library, name));
  return pointer != nullptr;
}

// The first function that is missing, or null.
const char* fill(void* library, CqlLibrary& table) {
#define ARCA_FIND(member, name) \
  if (!find(library, #name, table.member)) return #name
  ARCA_FIND(abi_version, arca_cql_abi_version);
  if (table.abi_version() != ARCA_CQL_ABI_VERSION) return nullptr;  // another version may lack any of the others
  ARCA_FIND(open, arca_cql_open);
  ARCA_FIND(statement, arca_cql_statement);
  ARCA_FIND(execute, arca_cql_execute);
  ARCA_FIND(batch, arca_cql_batch);
  ARCA_FIND(event_fd, arca_cql_event_fd);
  ARCA_FIND(poll, arca_cql_poll);
  ARCA_FIND(get_status, arca_cql_client_get_status);
  ARCA_FIND(result_row_count, arca_cql_result_row_count);
  ARCA_FIND(result_column_count, arca_cql_result_column_count);
  ARCA_FIND(result_row, arca_cql_result_row);
  ARCA_FIND(result_column_name, arca_cql_result_column_name);
  ARCA_FIND(result_paging_state, arca_cql_result_paging_state);
  ARCA_FIND(result_message, arca_cql_result_message);
  ARCA_FIND(result_free, arca_cql_result_free);
  ARCA_FIND(close, arca_cql_close);
#undef ARCA_FIND
  return nullptr;
}

}  // namespace

std::vector<std::string> driver_places(const std::string& given) {
  if (!given.empty()) return {given};
  std::vector<std::string> places;
  if (const std::filesystem::path own = own_folder(); !own.empty()) {
    std::vector<std::filesystem::path> folders{own, own.parent_path() / "lib"};
    if (const auto installed = own.parent_path() / ARCA_LIBRARY_DIRECTORY; installed != folders.back()) {
      folders.push_back(installed);
    }
    for (const auto& folder : folders) {
      for (const char* name : library_names) places.push_back(folder / name);
    }
  }
  for (const char* name : library_names) places.emplace_back(name);  // where the loader looks
  return places;
}

Result<CqlLibrary> load_driver(const std::string& given) {
  std::string looked;
  for (const std::string& place : driver_places(given)) {
    // RTLD_LOCAL: the driver's names are nobody else's business.
    void* const library = ::dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      const char* const reason = ::dlerror();
      looked += fmt::format("\n  {}", reason != nullptr ? reason : place.c_str());
      continue;
    }
    CqlLibrary table;
    if (const char* const missing = fill(library, table); missing != nullptr) {
      return failure(ErrorCode::unsupported_version,
                     fmt::format("{} is no driver of Arca: it lacks {}; install the one that came with this Arca",
                                 place, missing));
    }
    if (const auto version = table.abi_version(); version != ARCA_CQL_ABI_VERSION) {
      return failure(
          ErrorCode::unsupported_version,
          fmt::format("the Cassandra driver {} speaks version {} of the interface, this Arca version {}; install "
                      "the one that came with this Arca",
                      place, version, ARCA_CQL_ABI_VERSION));
    }
    return table;  // never closed: its threads may outlive whoever asked
  }
  return failure(
      ErrorCode::not_found,
      "the Cassandra driver libarca_cql.so was not found; build Arca with -DARCA_WITH_CASSANDRA=ON (that needs "
      "cargo), say where the file is, or configure no Cassandra tier. Looked at:" +
          looked);
}

}  // namespace arca::cassandra
