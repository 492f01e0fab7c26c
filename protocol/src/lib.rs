//! What Casemate's processes say to each other, and the words they share for policies, outcomes and certificates.
//!
//! Everything here is pure: bytes in, values or a typed violation out. No I/O, no clock, no threads, no unsafe, so all
//! of it can be fuzzed and replayed. The bytes are described in `PROTOCOL.md` beside this crate.
//!
//! | module | holds |
//! |---|---|
//! | [`frame`] | the 16-byte header, the bounded decoder |
//! | [`link`] | messages and both state machines between supervisor and worker |
//! | `client` | messages and machine between clients and a daemon (feature `client`) |
//! | [`spawn`] | what the supervisor tells a stub and a zygote, and what they answer |
//! | [`module`] | facts about a wasm module, its dialect, the compiler's report |
//! | [`policy`] | what a plugin may do and use, valid by construction |
//! | [`certificate`] | the layers of the wall and what was seen of each |
//! | [`outcome`] | how a call ended, whose fault it was, whether a retry is safe |
//! | [`host`] | what a plugin asks its host, and the table of who answers |
//! | [`room`] | what a worker asks before its plugin's own files grow |
//! | [`feed`] | events and log lines |
//! | [`status`] | how a plugin is |
//! | [`ids`] | names and numbers that must not be mixed up |
//! | [`syscalls`] | machines and the names of their system calls |
//! | [`oracle`] | what the fuzz targets check |
#![forbid(unsafe_code)]

pub mod certificate;
#[cfg(feature = "client")]
pub mod client;
pub mod feed;
pub mod frame;
pub mod host;
pub mod ids;
pub mod link;
pub mod module;
pub mod oracle;
pub mod outcome;
pub mod policy;
pub mod room;
pub mod spawn;
pub mod status;
pub mod syscalls;
