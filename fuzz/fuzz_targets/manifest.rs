//! A manifest of any system, from anybody.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| casemate_supervisor::package::manifest_oracle(data));
