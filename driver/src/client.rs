//! The client behind the pointer of the interface: admits requests, spawns them, hands out their outcomes, ends.
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use scylla::statement::Consistency;
use tokio::runtime::{Handle, Runtime};

use crate::abi::{self, Status};
use crate::lock;
use crate::options::Config;
use crate::outcome::Failure;
use crate::queue::{Outcome, Queue};
use crate::request::{self, Job, Kind, Ticket, Values};
use crate::session::{self, Link};
use crate::statement::{Statement, Statements};
use crate::threads::{self, Panics};

const DEFAULT_PAGE_SIZE: u32 = 5_000;
/// A batch counts its statements with 16 bits.
const BATCH_ROWS_MAX: u32 = 65_535;
/// A look-up of a name can hang in the system's resolver; its thread is left behind then.
const THREADS_LIMIT: Duration = Duration::from_millis(200);
/// For tasks: they end as soon as a thread gets to them, and until then they use what is the caller's.
const TASKS_LIMIT: Duration = Duration::from_secs(5);
const TASKS_POLL: Duration = Duration::from_millis(1);

/// What the client's tasks share. Thread-safe.
pub struct Shared {
    pub config: Config,
    pub queue: Queue,
    pub link: Link,
    pub panics: Arc<Panics>,
    pub statements: Statements,
}

/// Thread-safe.
pub struct Client {
    pid: u32,
    pub shared: Arc<Shared>,
    handle: Handle,
    runtime: Mutex<Option<Runtime>>,
    closing: AtomicBool,
    request_count: AtomicU64,
    last_timestamp_us: AtomicI64,
}

impl Client {
    pub fn open(config: Config) -> Result<Self, Failure> {
        let no_resources = |what: &dyn std::fmt::Display| Failure::new(Status::NoResources, what.to_string());
        let panics = Arc::new(Panics { count: AtomicU64::new(0), log: config.log });
        let queue = Queue::new(config.in_flight_max, config.in_flight_bytes_max).map_err(|e| no_resources(&e))?;
        let runtime = match catch_unwind(AssertUnwindSafe(|| threads::start(config.worker_threads, &panics))) {
            Ok(runtime) => runtime.map_err(|error| no_resources(&error))?,
            Err(_) => return Err(no_resources(&"the system gives no thread")),
        };
        let shared =
            Arc::new(Shared { config, queue, link: Link::default(), panics, statements: Statements::default() });
        runtime.spawn(session::supervise(shared.clone()));
        Ok(Client {
            pid: process::id(),
            shared,
            handle: runtime.handle().clone(),
            runtime: Mutex::new(Some(runtime)),
            closing: AtomicBool::new(false),
            request_count: AtomicU64::new(0),
            last_timestamp_us: AtomicI64::new(0),
        })
    }

    pub fn is_forked(&self) -> bool {
        self.pid != process::id()
    }

    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    pub fn request_count(&self) -> u64 {
        self.request_count.load(Ordering::Relaxed)
    }

    /// # Safety
    /// The members of `request` point to what they say.
    pub unsafe fn execute(&self, request: &abi::Request) -> Status {
        let Some(statement) = self.shared.statements.get(request.statement) else {
            return Status::Usage;
        };
        let values = Values { pointer: request.values, count: request.value_count as usize };
        let consistency = match request.serial {
            0 => consistency_of(request.consistency),
            1 => Some(Consistency::LocalSerial),
            _ => None,
        };
        let page_size = if request.page_size == 0 { DEFAULT_PAGE_SIZE } else { request.page_size };
        let (Some(bytes), Some(consistency), Ok(page_size)) =
            (unsafe { byte_count(values) }, consistency, i32::try_from(page_size))
        else {
            return Status::Usage;
        };
        let paging_state = if request.paging_state.is_null() {
            None
        } else {
            let state = request.paging_state.cast::<u8>();
            Some(unsafe { std::slice::from_raw_parts(state, request.paging_state_size) }.to_vec())
        };
        let Some(ticket) = self.admit(request.tag, bytes) else {
            return Status::WindowFull;
        };
        let timestamp_us = self.timestamp(&statement, request.timestamp_us);
        let kind = Kind::Page { size: page_size, state: paging_state };
        self.spawn(ticket, Job { statement, values, consistency, timestamp_us, kind });
        Status::Ok
    }

    /// # Safety
    /// The members of `request` point to what they say.
    pub unsafe fn batch(&self, request: &abi::BatchRequest) -> Status {
        let Some(statement) = self.shared.statements.get(request.statement) else {
            return Status::Usage;
        };
        let count = u64::from(request.values_per_row) * u64::from(request.row_count);
        let values = Values { pointer: request.values, count: count as usize };
        let (Some(bytes), Some(consistency)) = (unsafe { byte_count(values) }, consistency_of(request.consistency))
        else {
            return Status::Usage;
        };
        if request.row_count == 0 || request.row_count > BATCH_ROWS_MAX || statement.is_ddl {
            return Status::Usage;
        }
        let Some(ticket) = self.admit(request.tag, bytes) else {
            return Status::WindowFull;
        };
        let timestamp_us = self.timestamp(&statement, request.timestamp_us);
        let (values_per_row, row_count) = (request.values_per_row as usize, request.row_count as usize);
        let kind = Kind::Batch { values_per_row, row_count };
        self.spawn(ticket, Job { statement, values, consistency, timestamp_us, kind });
        Status::Ok
    }

    fn spawn(&self, ticket: Ticket, job: Job) {
        let shared = self.shared.clone();
        self.handle.spawn(async move {
            let ticket = ticket; // dropped last, when nothing reads the caller's values any more
            let answer = request::run(shared, job).await;
            ticket.finish(answer);
        });
    }

    pub fn poll(&self, capacity: usize) -> Vec<Outcome> {
        self.shared.queue.take(capacity)
    }

    /// The second caller is told that it is being closed, and must not touch the client again.
    pub fn begin_close(&self) -> bool {
        !self.closing.swap(true, Ordering::AcqRel)
    }

    pub fn end(&self, drain: Duration) {
        self.shared.queue.wait_idle(drain);
        if let Some(runtime) = lock(&self.runtime).take() {
            runtime.shutdown_timeout(THREADS_LIMIT); // drops the tasks: their tickets say CLOSED
            let give_up_at = Instant::now() + TASKS_LIMIT;
            while Arc::strong_count(&self.shared) > 1 && Instant::now() < give_up_at {
                thread::sleep(TASKS_POLL);
            }
        }
    }

    fn admit(&self, tag: u64, bytes: u64) -> Option<Ticket> {
        if !self.shared.queue.admit(bytes) {
            return None;
        }
        self.request_count.fetch_add(1, Ordering::Relaxed);
        Some(Ticket { shared: self.shared.clone(), tag, bytes, begun: Instant::now(), done: false })
    }

    /// Fixed here, once: every attempt carries the same. A conditional statement gets its time from the server.
    fn timestamp(&self, statement: &Statement, given: i64) -> Option<i64> {
        if statement.is_serial() {
            return None;
        }
        if given != 0 {
            return Some(given);
        }
        let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_micros() as i64);
        let next = |last: i64| Some(clock.max(last.saturating_add(1)));
        let last = self.last_timestamp_us.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).unwrap_or(0);
        next(last)
    }
}

fn consistency_of(number: u16) -> Option<Consistency> {
    match Consistency::try_from(number) {
        Ok(Consistency::Serial | Consistency::LocalSerial) | Err(_) => None,
        Ok(consistency) => Some(consistency),
    }
}

/// None when a value is none: a null pointer, or a size that CQL does not know.
unsafe fn byte_count(values: Values) -> Option<u64> {
    if values.count > 0 && values.pointer.is_null() {
        return None;
    }
    let mut sum = 0;
    for value in values.as_slice() {
        if value.size < -2 || value.size > i64::from(i32::MAX) || (value.size > 0 && value.data.is_null()) {
            return None;
        }
        sum += value.size.max(0) as u64;
    }
    Some(sum)
}
