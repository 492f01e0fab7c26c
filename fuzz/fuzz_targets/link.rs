//! The link's state machine: any order of frames, from either end.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| casemate_protocol::oracle::link(data));
