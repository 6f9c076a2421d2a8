//! What is in flight, bounded by count and by bytes, and the outcomes that wait for arca_cql_poll, told by an eventfd.
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::abi::Status;
use crate::lock;
use crate::result::CqlResult;

pub struct Outcome {
    pub tag: u64,
    pub status: Status,
    pub server_code: i32,
    pub latency_ns: u64,
    pub result: Option<Box<CqlResult>>,
    pub bytes: u64,
}

#[derive(Default)]
struct State {
    /// Admitted and not yet taken by the caller: its values are borrowed for as long.
    in_flight: u32,
    in_flight_bytes: u64,
    /// Of them, without an outcome yet.
    running: u32,
    outcomes: VecDeque<Outcome>,
}

/// Thread-safe.
pub struct Queue {
    state: Mutex<State>,
    idle: Condvar,
    event: OwnedFd,
    count_max: u32,
    bytes_max: u64,
}

impl Queue {
    pub fn new(count_max: u32, bytes_max: u64) -> io::Result<Self> {
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let event = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Queue { state: Mutex::default(), idle: Condvar::new(), event, count_max, bytes_max })
    }

    pub fn event_fd(&self) -> RawFd {
        self.event.as_raw_fd()
    }

    /// Whether a request of `bytes` may go out. One always may, however large.
    pub fn admit(&self, bytes: u64) -> bool {
        let mut state = lock(&self.state);
        let full = state.in_flight >= self.count_max || state.in_flight_bytes.saturating_add(bytes) > self.bytes_max;
        if full && state.in_flight > 0 {
            return false;
        }
        state.in_flight += 1;
        state.running += 1;
        state.in_flight_bytes += bytes;
        true
    }

    pub fn push(&self, outcome: Outcome) {
        let mut state = lock(&self.state);
        let was_empty = state.outcomes.is_empty();
        state.outcomes.push_back(outcome);
        state.running -= 1;
        if state.running == 0 {
            self.idle.notify_all();
        }
        if was_empty {
            self.signal();
        }
    }

    /// Takes the oldest outcomes. The event is set again when some are left.
    pub fn take(&self, capacity: usize) -> Vec<Outcome> {
        let mut state = lock(&self.state);
        let count = capacity.min(state.outcomes.len());
        let taken: Vec<Outcome> = state.outcomes.drain(..count).collect();
        state.in_flight -= taken.len() as u32;
        state.in_flight_bytes -= taken.iter().map(|outcome| outcome.bytes).sum::<u64>();
        if count > 0 && !state.outcomes.is_empty() {
            self.signal();
        }
        taken
    }

    pub fn in_flight(&self) -> (u32, u64) {
        let state = lock(&self.state);
        (state.in_flight, state.in_flight_bytes)
    }

    /// Waits until every request has its outcome. False: the time was up before.
    pub fn wait_idle(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut state = lock(&self.state);
        while state.running > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.idle.wait_timeout(state, left).unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
        true
    }

    fn signal(&self) {
        let one = 1u64.to_ne_bytes();
        // Fails only when the counter is at its end, and then it is readable anyway.
        unsafe { libc::write(self.event.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }
}
