//! What arca_cql_open is given, checked and with its defaults: nothing in it points into the caller's memory.
use std::ffi::{CStr, c_char};
use std::sync::Arc;
use std::time::Duration;

use crate::abi;
use crate::log::Log;
use crate::secret::{Credentials, Secret};
use crate::tls::TlsFiles;

pub struct Config {
    pub contact_points: Vec<String>,
    pub local_datacenter: Option<String>,
    pub credentials: Option<Arc<Credentials>>,
    pub tls: Option<TlsFiles>,
    pub worker_threads: usize,
    pub connections_per_host: usize,
    pub in_flight_max: u32,
    pub in_flight_bytes_max: u64,
    pub connect_timeout: Duration,
    pub request_timeout: Duration,
    pub keepalive_interval: Duration,
    pub keepalive_timeout: Duration,
    pub reconnect_max: Duration,
    pub log: Log,
}

/// The driver numbers the requests of one connection with 15 bits.
const STREAMS_PER_CONNECTION: u32 = 32_768;
const WORKER_THREADS_MAX: u16 = 64;
const CONNECTIONS_PER_HOST_MAX: u16 = 64;

/// # Safety
/// The texts of `options` are null or end with a zero byte.
pub unsafe fn parse(options: &abi::Options, log: Log) -> Result<Config, String> {
    let text = |pointer: *const c_char, name: &str| unsafe { text_of(pointer, name) };
    let default_port = if options.default_port == 0 { 9042 } else { options.default_port };
    let contact_points = contact_points(&text(options.contact_points, "contact_points")?, default_port)?;
    let user = unsafe { bytes_of(options.user) };
    let password = unsafe { bytes_of(options.password) };
    let credentials =
        (!user.is_empty()).then(|| Arc::new(Credentials { user: Secret::new(user), password: Secret::new(password) }));
    if credentials.is_none() && !password.is_empty() {
        return Err("a password without a user".to_string());
    }
    let files = TlsFiles {
        ca: text(options.ca_file, "ca_file")?,
        certificate: text(options.client_certificate_file, "client_certificate_file")?,
        key: text(options.client_key_file, "client_key_file")?,
        skip_host_name_check: options.skip_host_name_check != 0,
    };
    let tls = if options.use_tls != 0 {
        files.context()?; // a file that is missing or no certificate is said now, not at some later attempt
        Some(files)
    } else if files.is_empty() {
        None
    } else {
        return Err("certificate files without use_tls".to_string());
    };
    let or = |value: u32, default: u32| if value == 0 { default } else { value };
    let ms = |value: u32, default: u32| Duration::from_millis(u64::from(or(value, default)));
    let in_flight_max = or(options.in_flight_max, 256);
    let connections = if options.connections_per_host == 0 { 2 } else { options.connections_per_host };
    if options.worker_threads > WORKER_THREADS_MAX || connections > CONNECTIONS_PER_HOST_MAX {
        return Err(format!(
            "at most {WORKER_THREADS_MAX} worker_threads and {CONNECTIONS_PER_HOST_MAX} connections_per_host"
        ));
    }
    if in_flight_max >= STREAMS_PER_CONNECTION {
        return Err(format!("in_flight_max must be below {STREAMS_PER_CONNECTION}"));
    }
    let datacenter = text(options.local_datacenter, "local_datacenter")?;
    Ok(Config {
        contact_points,
        local_datacenter: (!datacenter.is_empty()).then_some(datacenter),
        credentials,
        tls,
        worker_threads: usize::from(options.worker_threads.max(1)),
        connections_per_host: usize::from(connections),
        in_flight_max,
        in_flight_bytes_max: if options.in_flight_bytes_max == 0 { 16 << 20 } else { options.in_flight_bytes_max },
        connect_timeout: ms(options.connect_timeout_ms, 2_000),
        request_timeout: ms(options.request_timeout_ms, 15_000),
        keepalive_interval: ms(options.keepalive_interval_ms, 1_000),
        keepalive_timeout: ms(options.keepalive_timeout_ms, 2_000),
        reconnect_max: ms(options.reconnect_max_ms, 5_000),
        log,
    })
}

unsafe fn bytes_of<'a>(pointer: *const c_char) -> &'a [u8] {
    if pointer.is_null() { &[] } else { unsafe { CStr::from_ptr(pointer) }.to_bytes() }
}

unsafe fn text_of(pointer: *const c_char, name: &str) -> Result<String, String> {
    let bytes = unsafe { bytes_of(pointer) };
    String::from_utf8(bytes.to_vec()).map_err(|_| format!("{name} is not UTF-8"))
}

/// "host", "host:port", "1.2.3.4", "::1", "[::1]:port", separated by commas; every result has a port.
fn contact_points(list: &str, default_port: u16) -> Result<Vec<String>, String> {
    let mut points = Vec::new();
    for entry in list.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let (host, port) = split_port(entry);
        let port = match port {
            None => default_port,
            Some(digits) => match digits.parse::<u16>() {
                Ok(port) if port != 0 => port,
                _ => return Err(format!("contact point '{entry}' has no valid port")),
            },
        };
        if host.is_empty() || host.contains(char::is_whitespace) {
            return Err(format!("contact point '{entry}' has no valid host"));
        }
        points.push(if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") });
    }
    if points.is_empty() { Err("no contact point".to_string()) } else { Ok(points) }
}

fn split_port(entry: &str) -> (&str, Option<&str>) {
    if let Some((host, rest)) = entry.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        return (host, rest.strip_prefix(':'));
    }
    match entry.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        _ => (entry, None),
    }
}

#[cfg(test)]
mod tests {
    use super::contact_points;

    #[test]
    fn every_contact_point_gets_a_port() {
        let points = contact_points("a, b:1 ,10.0.0.1,[::1]:7,::2,", 9042).unwrap();
        assert_eq!(points, ["a:9042", "b:1", "10.0.0.1:9042", "[::1]:7", "[::2]:9042"]);
    }

    #[test]
    fn a_contact_point_that_cannot_work_is_refused() {
        for list in ["", " , ", "a:0", "a:70000", "a:b", ":1", "a b"] {
            assert!(contact_points(list, 9042).is_err(), "{list}");
        }
    }
}
