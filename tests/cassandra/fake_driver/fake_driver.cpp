#include "fake_driver.hpp"

#include <arca_cql.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <set>
#include <string>

struct arca_cql_result {
  std::string message;
  bool has_row = false;
  char value = 1;
  arca_cql_cell cell{&value, 1};
};

struct arca_cql_client {
  int event_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::deque<arca_cql_completion> ready;
};

namespace {

struct Pending {
  arca_cql_client* client;
  std::uint64_t tag;
  std::uint16_t consistency;
};

struct World {
  std::mutex mutex;
  std::condition_variable released;
  bool holds = false;
  std::size_t held_count = 0;
  std::uint32_t abi_version = ARCA_CQL_ABI_VERSION;
  std::int32_t open_status = ARCA_CQL_OK;
  std::int32_t call_status = ARCA_CQL_OK;
  std::uint32_t connected = 1;
  std::int32_t last_status = ARCA_CQL_OK;
  std::string last_error;
  std::deque<Pending> pending;
  std::set<arca_cql_client*> clients;
  std::size_t result_count = 0;
};

World& world() {
  static World* const made = new World;
  return *made;
}

std::int32_t begin(arca_cql_client* client, std::uint64_t tag, std::uint16_t consistency) {
  std::unique_lock lock(world().mutex);
  ++world().held_count;
  world().released.wait(lock, [] { return !world().holds; });
  --world().held_count;
  if (world().call_status != ARCA_CQL_OK) return world().call_status;
  world().pending.push_back({client, tag, consistency});
  return ARCA_CQL_OK;
}

}  // namespace

#define EXPORTED __attribute__((visibility("default")))

extern "C" {

EXPORTED void fake_cql_reset() {
  const std::scoped_lock lock(world().mutex);
  world().abi_version = ARCA_CQL_ABI_VERSION;
  world().open_status = world().call_status = world().last_status = ARCA_CQL_OK;
  world().connected = 1;
  world().last_error.clear();
  world().pending.clear();
}
EXPORTED void fake_cql_set_abi_version(std::uint32_t version) { world().abi_version = version; }
EXPORTED void fake_cql_set_open_status(std::int32_t status) { world().open_status = status; }
EXPORTED void fake_cql_set_connection(std::uint32_t connected, std::int32_t last_status, const char* last_error) {
  const std::scoped_lock lock(world().mutex);
  world().connected = connected;
  world().last_status = last_status;
  world().last_error = last_error;
}
EXPORTED void fake_cql_set_call_status(std::int32_t status) {
  const std::scoped_lock lock(world().mutex);
  world().call_status = status;
}
EXPORTED void fake_cql_hold_calls(std::int32_t hold) {
  const std::scoped_lock lock(world().mutex);
  world().holds = hold != 0;
  world().released.notify_all();
}
EXPORTED std::size_t fake_cql_held_count() {
  const std::scoped_lock lock(world().mutex);
  return world().held_count;
}
EXPORTED std::size_t fake_cql_pending_count() {
  const std::scoped_lock lock(world().mutex);
  return world().pending.size();
}
EXPORTED std::uint16_t fake_cql_latest_consistency() {
  const std::scoped_lock lock(world().mutex);
  return world().pending.back().consistency;
}
EXPORTED void fake_cql_complete(std::int32_t status, const char* message, std::int32_t with_rows) {
  const std::scoped_lock lock(world().mutex);
  if (world().pending.empty()) return;
  const Pending one = world().pending.front();
  world().pending.pop_front();
  if (world().clients.count(one.client) == 0) return;  // closed meanwhile: dropped, as the interface says
  arca_cql_completion completion{one.tag, status, -1, 1, nullptr};
  if (message != nullptr || with_rows != 0) {
    completion.result = new arca_cql_result;
    completion.result->message = message != nullptr ? message : "";
    completion.result->has_row = with_rows != 0;
    ++world().result_count;
  }
  one.client->ready.push_back(completion);
  const std::uint64_t more = 1;
  if (::write(one.client->event_fd, &more, sizeof more) < 0) std::abort();
}
EXPORTED std::size_t fake_cql_open_client_count() {
  const std::scoped_lock lock(world().mutex);
  return world().clients.size();
}
EXPORTED std::size_t fake_cql_result_count() {
  const std::scoped_lock lock(world().mutex);
  return world().result_count;
}

EXPORTED std::uint32_t arca_cql_abi_version(void) { return world().abi_version; }
EXPORTED std::int32_t arca_cql_open(const arca_cql_options* options, arca_cql_client** client) {
  if (world().open_status != ARCA_CQL_OK) {
    constexpr const char* line = "ca_file: there is no such file";
    options->log(options->log_context, ARCA_CQL_ERROR, line, std::strlen(line));
    return world().open_status;
  }
  const std::scoped_lock lock(world().mutex);
  *client = new arca_cql_client;
  world().clients.insert(*client);
  return ARCA_CQL_OK;
}
EXPORTED std::int32_t arca_cql_statement(arca_cql_client*, const char*, std::size_t, std::uint32_t,
                                         std::uint32_t* statement) {
  *statement = 1;
  return ARCA_CQL_OK;
}
EXPORTED std::int32_t arca_cql_execute(arca_cql_client* client, const arca_cql_request* request) {
  return begin(client, request->tag, request->consistency);
}
EXPORTED std::int32_t arca_cql_batch(arca_cql_client* client, const arca_cql_batch_request* request) {
  return begin(client, request->tag, request->consistency);
}
EXPORTED int arca_cql_event_fd(arca_cql_client* client) { return client->event_fd; }
EXPORTED std::size_t arca_cql_poll(arca_cql_client* client, arca_cql_completion* completions, std::size_t capacity) {
  const std::scoped_lock lock(world().mutex);
  const std::size_t count = std::min(capacity, client->ready.size());
  for (std::size_t i = 0; i < count; ++i) {
    completions[i] = client->ready.front();
    client->ready.pop_front();
  }
  return count;
}
EXPORTED std::int32_t arca_cql_client_get_status(arca_cql_client*, arca_cql_client_status* status) {
  const std::scoped_lock lock(world().mutex);
  status->connected = world().connected;
  status->node_count = status->up_count = world().connected;
  status->last_connect_status = world().last_status;
  std::strncpy(status->last_error, world().last_error.c_str(), sizeof status->last_error - 1);
  return ARCA_CQL_OK;
}
EXPORTED std::uint64_t arca_cql_result_row_count(const arca_cql_result* result) { return result->has_row ? 1 : 0; }
EXPORTED std::uint32_t arca_cql_result_column_count(const arca_cql_result*) { return 1; }
EXPORTED const arca_cql_cell* arca_cql_result_row(const arca_cql_result* result, std::uint64_t row) {
  return row == 0 && result->has_row ? &result->cell : nullptr;
}
EXPORTED const char* arca_cql_result_column_name(const arca_cql_result*, std::uint32_t) { return "[applied]"; }
EXPORTED const void* arca_cql_result_paging_state(const arca_cql_result*, std::size_t* size) {
  *size = 0;
  return nullptr;
}
EXPORTED const char* arca_cql_result_message(const arca_cql_result* result) { return result->message.c_str(); }
EXPORTED void arca_cql_result_free(arca_cql_result* result) {
  const std::scoped_lock lock(world().mutex);
  --world().result_count;
  delete result;
}
EXPORTED std::int32_t arca_cql_close(arca_cql_client* client, std::uint32_t) {
  const std::scoped_lock lock(world().mutex);
  world().clients.erase(client);
  ::close(client->event_fd);
  delete client;
  return ARCA_CQL_OK;
}

}  // extern "C"
