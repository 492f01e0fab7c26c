//! A client that says whatever a test wants, byte by byte.

use casemate_protocol::client::{
    ClientBounds, DAEMON_META_BYTES_MAX, Failure, Hello, MAGIC, Refused, Side, VERSION, kind,
};
use casemate_protocol::frame::{Decoder, Frame, encode, split_within};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// A connection.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) stream: UnixStream,
    decoder: Decoder<ClientBounds>,
}

/// What a daemon said, as far as a test looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Refused(String),
    Failure(u64, String),
    Ended(u64),
    HostCall(u64),
    Cancelled(u64),
    Other,
    /// It closed the connection.
    Closed,
}

impl Raw {
    pub(crate) fn connect(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self { stream, decoder: Decoder::new(ClientBounds { side: Side::Client }) }
    }

    /// One that has been welcomed.
    pub(crate) fn greeted(socket: &Path) -> Self {
        let mut raw = Self::connect(socket);
        let hello =
            Hello { magic: MAGIC, version_min: VERSION, version_max: VERSION, client: "raw".to_owned() };
        raw.frame(0x20, 0, &hello, b"");
        assert_eq!(raw.read(), Said::Other, "a welcome");
        raw
    }

    pub(crate) fn frame(&mut self, kind: u8, id: u64, message: &impl prost::Message, body: &[u8]) {
        let mut out = Vec::new();
        encode(&mut out, kind, id, message, body).unwrap();
        self.bytes(&out);
    }

    /// The other end may have closed meanwhile: what it said is what counts.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// The next frame.
    pub(crate) fn read(&mut self) -> Said {
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                return match frame.kind {
                    kind::REFUSED => Said::Refused(message::<Refused>(&frame).code),
                    kind::FAILURE => Said::Failure(frame.id, message::<Failure>(&frame).code),
                    kind::ANSWER | kind::RESPONSE => Said::Ended(frame.id),
                    kind::HOST_CALL => Said::HostCall(frame.id),
                    kind::DAEMON_CANCEL => Said::Cancelled(frame.id),
                    _ => Said::Other,
                };
            }
            match self.stream.read(self.decoder.spare()) {
                Ok(0) | Err(_) => return Said::Closed,
                Ok(bytes) => self.decoder.filled(bytes),
            }
        }
    }
}

fn message<M: prost::Message + Default>(frame: &Frame<'_>) -> M {
    split_within(DAEMON_META_BYTES_MAX, frame).unwrap().0
}
