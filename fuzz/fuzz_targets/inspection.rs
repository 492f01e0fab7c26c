//! What the supervisor reads of a process in /proc.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| casemate_supervisor::inspect::oracle(data));
