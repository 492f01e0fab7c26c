//! What a zygote says over the control socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| casemate_protocol::oracle::control(data));
