//! Frames: however the stream is cut, the same ones come out.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| casemate_protocol::oracle::frame(data));
