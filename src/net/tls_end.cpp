#include "net/tls_end.hpp"

#include <openssl/crypto.h>

#include <mutex>
#include <vector>

#include "os/fork.hpp"

namespace arca::net {
namespace {

// Never destroyed, because the process may be ending while it is needed.
struct Users {
  std::mutex mutex;
  std::vector<TlsUser*> all;  // these protected by mutex
  bool ended = false;
};

Users& users() {
  static Users* const instance = new Users;
  return *instance;
}

const Users& users_at_load = users();  // not first beside a fork

void on_openssl_end() noexcept {
  Users& present = users();
  const std::scoped_lock lock(present.mutex);
  present.ended = true;
  for (TlsUser* user : present.all) user->end_tls();
}

}  // namespace

void keep_tls_at_exit() noexcept {
  OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr);
  OPENSSL_atexit(&on_openssl_end);
}

bool subscribe_to_tls_end(TlsUser& user) {
  static_cast<void>(users_at_load);
  const os::ForkHold hold;  // a child must not inherit the mutex taken
  Users& present = users();
  const std::scoped_lock lock(present.mutex);
  if (!present.ended) present.all.push_back(&user);
  return !present.ended;
}

void unsubscribe_from_tls_end(TlsUser& user) noexcept {
  const os::ForkHold hold;
  Users& present = users();
  const std::scoped_lock lock(present.mutex);
  std::erase(present.all, &user);
}

}  // namespace arca::net
