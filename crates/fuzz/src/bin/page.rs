//! Fuzz target: an answer to Scan or Query. `bin-scripts/fuzz` runs it.
#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| ddb_fuzz::read_as_any_json(body));
