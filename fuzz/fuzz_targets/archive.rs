//! A package as one file, from anybody.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| casemate_supervisor::package::archive_oracle(data));
