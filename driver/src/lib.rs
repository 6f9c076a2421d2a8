//! Arca's Cassandra driver: the C interface of include/arca_cql.h over the `scylla` crate. This file holds the exported
//! functions; each checks who calls, and lets no panic out.
#![allow(clippy::missing_safety_doc)] // the header documents the functions

mod abi;
mod client;
#[cfg(feature = "test-hooks")]
mod hooks;
mod log;
mod options;
mod outcome;
mod queue;
mod request;
mod result;
mod retry;
mod secret;
mod session;
mod statement;
mod threads;
mod tls;

use std::ffi::{c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use abi::{BatchRequest, Cell, ClientStatus, Completion, Options, Request, Status};
use client::Client;
use log::Log;
use result::CqlResult;

/// A panic elsewhere leaves no lock of ours half-changed: what they guard is set in single steps.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Runs the body of a function on a client of this process that is not closing.
///
/// # Safety
/// `client` is null or came from arca_cql_open and is not closed.
unsafe fn enter(client: *mut Client, body: impl FnOnce(&Client) -> Status) -> i32 {
    let Some(client) = (unsafe { client.as_ref() }) else {
        return Status::Usage as i32;
    };
    if client.is_forked() {
        return Status::Forked as i32;
    }
    if client.is_closing() {
        return Status::Closed as i32;
    }
    guarded(client, || body(client)) as i32
}

fn guarded(client: &Client, body: impl FnOnce() -> Status) -> Status {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| {
        client.shared.panics.count.fetch_add(1, Ordering::Relaxed);
        client.shared.config.log.error("panic in a function of the Cassandra driver");
        Status::Panic
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn arca_cql_abi_version() -> u32 {
    abi::ABI_VERSION
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn arca_cql_open(options: *const Options, client: *mut *mut Client) -> i32 {
    let open = || {
        let Some(options) = (unsafe { abi::read_struct(options) }) else {
            return Status::Usage;
        };
        if client.is_null() {
            return Status::Usage;
        }
        let log = Log::new(options.log, options.log_context);
        let opened = match unsafe { options::parse(&options, log) } {
            Ok(config) => Client::open(config),
            Err(why) => Err(outcome::Failure::new(Status::Usage, why)),
        };
        match opened {
            Ok(opened) => {
                unsafe { *client = Box::into_raw(Box::new(opened)) };
                Status::Ok
            }
            Err(failure) => {
                log.error(&format!("the Cassandra driver cannot be opened: {}", failure.message));
                failure.status
            }
        }
    };
    catch_unwind(AssertUnwindSafe(open)).unwrap_or(Status::Panic) as i32
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn arca_cql_statement(
    client: *mut Client,
    text: *const c_char,
    length: usize,
    flags: u32,
    statement: *mut u32,
) -> i32 {
    let register = |client: &Client| {
        if text.is_null() || statement.is_null() {
            return Status::Usage;
        }
        let bytes = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length) };
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Status::Usage;
        };
        #[cfg(feature = "test-hooks")]
        hooks::panic_if_asked(text, "entry");
        match client.shared.statements.register(text, flags) {
            Ok(number) => {
                unsafe { *statement = number };
                Status::Ok
            }
            Err(failure) => failure.status,
        }
    };
    unsafe { enter(client, register) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn arca_cql_execute(client: *mut Client, request: *const Request) -> i32 {
    let execute = |client: &Client| match unsafe { abi::read_struct(request) } {
        Some(request) => unsafe { client.execute(&request) },
        None => Status::Usage,
    };
    unsafe { enter(client, execute) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn arca_cql_batch(client: *mut Client, request: *const BatchRequest) -> i32 {
    let batch = |client: &Client| match unsafe { abi::read_struct(request) } {
        Some(request) => unsafe { client.batch(&request) },
        None => Status::Usage,
    };
    unsafe { enter(client, batch) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn arca_cql_event_fd(client: *mut Client) -> c_int {
    match unsafe { client.as_ref() } {
        Some(client) if !client.is_forked() && !client.is_closing() => client.shared.queue.event_fd(),
        _ => -1,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn arca_cql_poll(client: *mut Client, completions: *mut Completion, capacity: usize) -> usize {
    let Some(client) = (unsafe { client.as_ref() }) else {
        return 0;
    };
    if client.is_forked() || completions.is_null() || capacity == 0 {
        return 0;
    }
    let mut count = 0;
    guarded(client, || {
        for outcome in client.poll(capacity) {
            let completion = Completion {
                tag: outcome.tag,
                status: outcome.status as i32,
                server_code: outcome.server_code,
                latency_ns: outcome.latency_ns,
                result: outcome.result.map_or(ptr::null_mut(), Box::into_raw),
            };
            unsafe { completions.add(count).write(completion) };
            count += 1;
        }
        Status::Ok
    });
    count
}

/// As much of it as there is room for, ended by a zero byte.
fn copy_text(room: &mut [c_char], text: &str) {
    room.fill(0);
    let mut length = text.len().min(room.len() - 1);
    while !text.is_char_boundary(length) {
        length -= 1;
    }
    for (to, from) in room.iter_mut().zip(&text.as_bytes()[..length]) {
        *to = *from as c_char;
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn arca_cql_client_get_status(client: *mut Client, status: *mut ClientStatus) -> i32 {
    let fill = |client: &Client| {
        let Some(mut filled) = (unsafe { abi::read_struct(status) }) else {
            return Status::Usage;
        };
        let (known, up) = client.shared.link.nodes();
        let (in_flight, in_flight_bytes) = client.shared.queue.in_flight();
        let last = client.shared.link.last();
        filled.connected = u32::from(up > 0);
        filled.node_count = known as u32;
        filled.up_count = up as u32;
        filled.in_flight = in_flight;
        filled.in_flight_bytes = in_flight_bytes;
        filled.request_count = client.request_count();
        filled.panic_count = client.shared.panics.count.load(Ordering::Relaxed);
        filled.last_connect_status = last.status as i32;
        copy_text(&mut filled.last_error, &last.message);
        let configured = client.shared.config.local_datacenter.as_deref();
        copy_text(&mut filled.datacenter, &client.shared.link.datacenter(configured));
        unsafe { *status = filled };
        Status::Ok
    };
    unsafe { enter(client, fill) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn arca_cql_result_row_count(result: *const CqlResult) -> u64 {
    unsafe { result.as_ref() }.map_or(0, CqlResult::row_count)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn arca_cql_result_column_count(result: *const CqlResult) -> u32 {
    unsafe { result.as_ref() }.map_or(0, CqlResult::column_count)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn arca_cql_result_row(result: *const CqlResult, row: u64) -> *const Cell {
    unsafe { result.as_ref() }.map_or(ptr::null(), |result| result.row(row))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn arca_cql_result_column_name(result: *const CqlResult, column: u32) -> *const c_char {
    unsafe { result.as_ref() }.and_then(|result| result.column_name(column)).map_or(ptr::null(), |name| name.as_ptr())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn arca_cql_result_paging_state(result: *const CqlResult, size: *mut usize) -> *const c_void {
    let state = unsafe { result.as_ref() }.and_then(CqlResult::paging_state);
    if let Some(size) = unsafe { size.as_mut() } {
        *size = state.map_or(0, <[u8]>::len);
    }
    state.map_or(ptr::null(), |bytes| bytes.as_ptr().cast())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn arca_cql_result_message(result: *const CqlResult) -> *const c_char {
    unsafe { result.as_ref() }.and_then(CqlResult::message).map_or(ptr::null(), |text| text.as_ptr())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn arca_cql_result_free(result: *mut CqlResult) {
    if !result.is_null() {
        let free = || drop(unsafe { Box::from_raw(result) });
        let _ = catch_unwind(AssertUnwindSafe(free)); // a panic here has freed as much as it could
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn arca_cql_close(client: *mut Client, drain_ms: u32) -> i32 {
    let Some(opened) = (unsafe { client.as_ref() }) else {
        return Status::Usage as i32;
    };
    if opened.is_forked() {
        return Status::Forked as i32; // left as it is: its threads are not here to be ended
    }
    if !opened.begin_close() {
        return Status::Closed as i32;
    }
    let status = guarded(opened, || {
        opened.end(Duration::from_millis(u64::from(drain_ms)));
        Status::Ok
    });
    let free = || drop(unsafe { Box::from_raw(client) });
    if catch_unwind(AssertUnwindSafe(free)).is_err() { Status::Panic as i32 } else { status as i32 }
}
