// When a process ends, OpenSSL's exit handler takes away all that TLS stands on, in the order in which the exit
// handlers happen to stand. A Telemetry in a global variable dies after that, and its threads would go on in a library
// that is gone. So the handler is not installed where we are the first to use OpenSSL; where the host was first, TLS
// engines are told, and stop for good. What they have not delivered is kept. Used by CurlEngine only.
#pragma once

namespace arca::net {

class TlsUser {
 public:
  virtual ~TlsUser() = default;
  // Called once, on the thread that ends the process: no TLS from the moment it returns.
  virtual void end_tls() noexcept = 0;
};

// All are thread-safe.
// To be called before anything that initialises OpenSSL on our behalf.
void keep_tls_at_exit() noexcept;
// False if TLS has ended already: then the user is not told and must not use it.
[[nodiscard]] bool subscribe_to_tls_end(TlsUser& user);
void unsubscribe_from_tls_end(TlsUser& user) noexcept;

}  // namespace arca::net
