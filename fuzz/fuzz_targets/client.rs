//! Both ends of a client's connection: any bytes, and any sequence of frames against a model.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| casemate_protocol::oracle::client(data));
