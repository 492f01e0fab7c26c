//! Standard input, output and error: a call's bodies, or lines of the log.

use crate::fault::Fault;
use crate::guest::SharedLink;
use bytes::Bytes;
use casemate_protocol::link::{CONTENT_JSON, CONTENT_RAW, HostCall, HostStatus, LOG_LINE_BYTES_MAX};
use casemate_protocol::outcome::LimitName;
use casemate_sys::process::exit_now;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncWrite};
use wasmtime_wasi::cli::{IsTerminal, StdinStream, StdoutStream};
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};

/// Bytes that are read or written at once.
const PIECE_BYTES: usize = 32 * 1024;
/// Bytes that a line of the log is gathered to.
const LINE_BYTES_MAX: usize = LOG_LINE_BYTES_MAX as usize;

/// Where what a program reads comes from.
#[derive(Clone)]
pub(crate) enum Input {
    /// The body of its call, which is whole.
    Body(Arc<Mutex<Bytes>>),
    /// The body of its call, which is still under way.
    Stream(SharedLink),
}

/// Where what a program writes goes.
#[derive(Clone)]
pub(crate) enum Output {
    /// The body of its answer.
    Body { body: Arc<Mutex<Vec<u8>>>, bytes_max: u32 },
    /// Its caller, while it runs, by this host method; what the caller does not take goes to the log.
    Stream { link: SharedLink, method: &'static str, lines: Arc<Mutex<Lines>> },
    /// The log.
    Log(Arc<Mutex<Lines>>),
}

/// Bytes on their way to the log, which has lines.
pub(crate) struct Lines {
    link: SharedLink,
    level: u32,
    rest: Vec<u8>,
}

impl Input {
    /// A body that is there.
    pub(crate) fn body(body: &[u8]) -> Self {
        Self::Body(Arc::new(Mutex::new(Bytes::copy_from_slice(body))))
    }
}

impl Lines {
    /// Lines of a level.
    pub(crate) fn new(link: &SharedLink, level: u32) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self { link: Arc::clone(link), level, rest: Vec::new() }))
    }

    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            match part.strip_suffix(b"\n") {
                Some(line) => {
                    self.rest.extend_from_slice(line);
                    self.end_line();
                }
                None => self.rest.extend_from_slice(part),
            }
            while self.rest.len() > LINE_BYTES_MAX {
                let rest = self.rest.split_off(LINE_BYTES_MAX);
                self.end_line();
                self.rest = rest;
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.rest);
        let sent = self.link.lock().unwrap_or_else(PoisonError::into_inner).log(self.level, &line, 0);
        if sent.is_err() {
            // A link that fails inside a guest's import leaves nothing to go back to.
            exit_now(3);
        }
    }

    /// What was not ended by a newline is a line too.
    pub(crate) fn flush(&mut self) {
        if !self.rest.is_empty() {
            self.end_line();
        }
    }
}

/// Asks the caller's end of a stream.
fn ask(link: &SharedLink, method: &str, content_type: u32, body: &[u8]) -> (HostStatus, Vec<u8>) {
    let call = HostCall { method: method.to_owned(), content_type };
    let answer = link.lock().unwrap_or_else(PoisonError::into_inner).host_call(&call, body);
    match answer {
        Ok((status, _, body)) => (status, body),
        Err(_) => exit_now(3),
    }
}

impl Input {
    fn take(&self, bytes_max: usize) -> StreamResult<Bytes> {
        let piece = match self {
            Self::Body(body) => {
                let mut body = body.lock().unwrap_or_else(PoisonError::into_inner);
                let bytes = body.len().min(bytes_max);
                body.split_to(bytes)
            }
            Self::Stream(link) => {
                let wanted = bytes_max.clamp(1, PIECE_BYTES).to_string();
                match ask(link, "stream.read", CONTENT_JSON, wanted.as_bytes()) {
                    (HostStatus::Ok, body) => Bytes::from(body),
                    _ => Bytes::new(),
                }
            }
        };
        if piece.is_empty() && bytes_max > 0 { Err(StreamError::Closed) } else { Ok(piece) }
    }
}

impl Output {
    fn put(&self, bytes: &[u8]) -> StreamResult<()> {
        match self {
            Self::Body { body, bytes_max } => {
                let mut body = body.lock().unwrap_or_else(PoisonError::into_inner);
                let observed = u64::try_from(body.len().saturating_add(bytes.len())).unwrap_or(u64::MAX);
                let configured = u64::from(*bytes_max);
                if observed > configured {
                    let fault = Fault::Limit { limit: LimitName::Output, configured, observed };
                    return Err(StreamError::Trap(fault.into()));
                }
                body.extend_from_slice(bytes);
            }
            Self::Stream { link, method, lines } => {
                for piece in bytes.chunks(PIECE_BYTES) {
                    match ask(link, method, CONTENT_RAW, piece) {
                        (HostStatus::Ok, _) => {}
                        (HostStatus::Error, _) => {
                            lines.lock().unwrap_or_else(PoisonError::into_inner).write(piece);
                        }
                        _ => return Err(StreamError::Trap(Fault::Interrupted.into())),
                    }
                }
            }
            Self::Log(lines) => lines.lock().unwrap_or_else(PoisonError::into_inner).write(bytes),
        }
        Ok(())
    }
}

impl IsTerminal for Input {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for Input {
    /// Of no use to WASI 0.1 and 0.2.
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(tokio::io::empty())
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(self.clone())
    }
}

impl StdoutStream for Output {
    /// Of no use to WASI 0.1 and 0.2.
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

/// It is always ready: a read that has to wait waits for the caller, as any host call does.
#[wasmtime_wasi::async_trait]
impl Pollable for Input {
    async fn ready(&mut self) {}
}

impl InputStream for Input {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.take(size)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.put(&bytes)
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PIECE_BYTES)
    }
}
