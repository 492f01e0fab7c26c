//! What a compiler reports of a module.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| casemate_protocol::oracle::module_report(data));
