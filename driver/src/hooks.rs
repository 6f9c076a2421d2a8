//! Panics on demand, for the driver's own tests. Compiled only with the feature `test-hooks`.

/// A statement text that contains "arca_test_panic_<place>" panics there.
pub fn panic_if_asked(text: &str, place: &str) {
    if text.contains(&format!("arca_test_panic_{place}")) {
        panic!("asked for by a test");
    }
}
