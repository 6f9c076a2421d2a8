// Threads of ours in somebody else's process: named, so that people find them in `top -H`, and with every signal
// blocked, so that the host's handlers never run on them. Used by everything that runs in the background.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <thread>

#include "arca/result.hpp"

namespace arca::os {

// Starts a thread; `name` is cut at 15 characters. What the body throws is logged and ends the thread only.
// ErrorCode::unavailable when the system gives no thread.
Result<std::jthread> start_thread(const std::string& name, std::function<void(std::stop_token)> body);

}  // namespace arca::os
