//! Panics on demand, for the driver's own tests. Compiled only with the feature `test-hooks`.

/// A statement text that contains "arca_test_panic_<place>" panics there.
pub fn panic_if_asked(text: &str, place: &str) {
    if text.contains(&format!("arca_test_panic_{place}")) {
        panic!("asked for by a test");
    }
}

/// A contact point of this name panics the supervision of the session, thrice.
pub fn panic_at_first(contact_points: &[String], panics_so_far: u64) {
    if panics_so_far < 3 && contact_points.iter().any(|point| point.starts_with("arca_test_panic_supervise:")) {
        panic!("asked for by a test");
    }
}
