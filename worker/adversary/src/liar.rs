//! A link whose worker's end keeps no rule.

use casemate_lockdown::Confined;
use casemate_protocol::frame::encode;
use casemate_protocol::link::{CallResult, HostCall, LINK_VERSION, Log, Ready, Status, kind};
use casemate_sys::descriptors;
use std::os::fd::{BorrowedFd, IntoRawFd, OwnedFd};

/// Writes frames in whatever order it likes.
#[derive(Debug)]
pub(crate) struct Liar {
    socket: OwnedFd,
    data_limit_bytes: u64,
}

impl Liar {
    pub(crate) fn new(confined: Confined) -> Self {
        let (socket, data_limit_bytes) = confined.into_parts();
        Self { socket, data_limit_bytes }
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Ok(sent @ 1..) = rustix::io::write(&self.socket, rest) {
            rest = rest.get(sent..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
        }
    }

    pub(crate) fn ready(&mut self, version: u32) {
        let ready = Ready { version, layers: u32::MAX, data_limit_bytes: self.data_limit_bytes };
        let mut out = Vec::new();
        let _ = encode(&mut out, kind::READY, 0, &ready, &[]);
        self.raw(&out);
    }

    pub(crate) fn ready_well(&mut self) {
        self.ready(LINK_VERSION);
    }

    /// Reads set-up and call, which come together; what they say does not matter.
    pub(crate) fn await_call(&mut self) {
        let _ = rustix::io::read(&self.socket, &mut [0_u8; 4096]);
    }

    pub(crate) fn result(&mut self, id: u64) {
        let result = CallResult { status: Status::Ok.into(), content_type: 1, ..CallResult::default() };
        let mut out = Vec::new();
        let _ = encode(&mut out, kind::RESULT, id, &result, b"\"forged\"");
        self.raw(&out);
    }

    pub(crate) fn host_call(&mut self, id: u64) {
        let call = HostCall { method: "steal".to_owned(), content_type: 1 };
        let mut out = Vec::new();
        let _ = encode(&mut out, kind::HOST_CALL, id, &call, b"{}");
        self.raw(&out);
    }

    pub(crate) fn log(&mut self, id: u64) {
        let mut out = Vec::new();
        let _ = encode(&mut out, kind::LOG, id, &Log { level: 2, cut_bytes: 0 }, &[b'x'; 4096]);
        self.raw(&out);
    }
}

/// Ready, from a process that still has the zygote's rights.
pub(crate) fn ready_too_early(link: BorrowedFd<'_>, data_limit_bytes: u64) {
    let ready = Ready { version: LINK_VERSION, layers: u32::MAX, data_limit_bytes };
    let mut out = Vec::new();
    let _ = encode(&mut out, kind::READY, 0, &ready, &[]);
    // Filter A already allows no other descriptor than 0.
    let _ = descriptors::duplicate_to(link, 0);
    let Ok(link) = descriptors::inherited(0) else { return };
    let _ = rustix::io::write(&link, &out);
    let _ = link.into_raw_fd();
}
