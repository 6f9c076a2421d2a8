//! The types of include/arca_cql.h, field by field, and how structs that may have grown are read. Used by every entry.
use std::ffi::{c_char, c_void};
use std::mem;

pub const ABI_VERSION: u32 = 1;

#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Ok = 0,
    WindowFull = 1,
    NotConnected = 2,
    TimedOut = 3,
    WriteTimeout = 4,
    ReadTimeout = 5,
    Unavailable = 6,
    Overloaded = 7,
    ConnectionLost = 8,
    Authentication = 9,
    Tls = 10,
    Schema = 11,
    Invalid = 12,
    Server = 13,
    Usage = 14,
    Closed = 15,
    Forked = 16,
    Panic = 17,
    NoResources = 18,
}

pub const LOG_ERROR: i32 = 1;
pub const LOG_WARN: i32 = 2;
pub const LOG_INFO: i32 = 3;

pub const IDEMPOTENT: u32 = 1;
pub const SERIAL: u32 = 2;

pub type LogFunction = unsafe extern "C" fn(*mut c_void, i32, *const c_char, usize);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Options {
    pub size: usize,
    pub contact_points: *const c_char,
    pub local_datacenter: *const c_char,
    pub user: *const c_char,
    pub password: *const c_char,
    pub use_tls: u32,
    pub ca_file: *const c_char,
    pub client_certificate_file: *const c_char,
    pub client_key_file: *const c_char,
    pub skip_host_name_check: u32,
    pub default_port: u16,
    pub worker_threads: u16,
    pub connections_per_host: u16,
    pub reserved: u16,
    pub in_flight_max: u32,
    pub in_flight_bytes_max: u64,
    pub connect_timeout_ms: u32,
    pub request_timeout_ms: u32,
    pub keepalive_interval_ms: u32,
    pub keepalive_timeout_ms: u32,
    pub reconnect_max_ms: u32,
    pub log: Option<LogFunction>,
    pub log_context: *mut c_void,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Value {
    pub data: *const c_void,
    pub size: i64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Request {
    pub size: usize,
    pub statement: u32,
    pub consistency: u16,
    pub serial: u16,
    pub timestamp_us: i64,
    pub values: *const Value,
    pub value_count: u32,
    pub page_size: u32,
    pub paging_state: *const c_void,
    pub paging_state_size: usize,
    pub tag: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct BatchRequest {
    pub size: usize,
    pub statement: u32,
    pub consistency: u16,
    pub reserved: u16,
    pub timestamp_us: i64,
    pub values: *const Value,
    pub values_per_row: u32,
    pub row_count: u32,
    pub tag: u64,
}

#[repr(C)]
pub struct Completion {
    pub tag: u64,
    pub status: i32,
    pub server_code: i32,
    pub latency_ns: u64,
    pub result: *mut crate::result::CqlResult,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Cell {
    pub data: *const c_void,
    pub size: i64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct ClientStatus {
    pub size: usize,
    pub connected: u32,
    pub node_count: u32,
    pub up_count: u32,
    pub in_flight: u32,
    pub in_flight_bytes: u64,
    pub request_count: u64,
    pub panic_count: u64,
    pub last_connect_status: i32,
    pub reserved: u32,
    pub last_error: [c_char; 512],
    pub datacenter: [c_char; 128],
}

/// A struct of the interface whose first member is its size; all bytes zero is a valid value of it.
///
/// # Safety
/// Only plain C structs that begin with a `usize` size.
pub unsafe trait Sized0: Copy {}
unsafe impl Sized0 for Options {}
unsafe impl Sized0 for Request {}
unsafe impl Sized0 for BatchRequest {}
unsafe impl Sized0 for ClientStatus {}

/// Copies a struct of the caller. None when it is smaller than version 1 of it, or when a newer caller has set a member
/// that this library does not know.
///
/// # Safety
/// `pointer` is null or points to as many bytes as its first member says.
pub unsafe fn read_struct<T: Sized0>(pointer: *const T) -> Option<T> {
    if pointer.is_null() {
        return None;
    }
    let size = unsafe { pointer.cast::<usize>().read() };
    if size < mem::size_of::<T>() {
        return None;
    }
    let tail_size = size - mem::size_of::<T>();
    let tail = unsafe { pointer.cast::<u8>().add(mem::size_of::<T>()) };
    if (0..tail_size).any(|i| unsafe { tail.add(i).read() } != 0) {
        return None;
    }
    Some(unsafe { pointer.read() })
}
