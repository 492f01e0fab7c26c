//! An entry of the code cache, with and without our MAC.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| casemate_supervisor::cache::oracle(data));
