//! Lines to the caller's log function.
use std::ffi::{c_char, c_void};

use crate::abi::{LOG_ERROR, LOG_INFO, LOG_WARN, LogFunction};

#[derive(Clone, Copy)]
pub struct Log {
    function: Option<LogFunction>,
    context: *mut c_void,
}

// The interface says that the function is called from any of the client's threads.
unsafe impl Send for Log {}
unsafe impl Sync for Log {}

impl Log {
    pub fn new(function: Option<LogFunction>, context: *mut c_void) -> Self {
        Log { function, context }
    }

    pub fn error(&self, text: &str) {
        self.write(LOG_ERROR, text);
    }

    pub fn warn(&self, text: &str) {
        self.write(LOG_WARN, text);
    }

    pub fn info(&self, text: &str) {
        self.write(LOG_INFO, text);
    }

    fn write(&self, level: i32, text: &str) {
        if let Some(function) = self.function {
            let line = text.replace(['\n', '\r', '\0'], " ");
            unsafe { function(self.context, level, line.as_ptr().cast::<c_char>(), line.len()) };
        }
    }
}
