//! What can be wrong with a program, in the codes of its protocol.

use casemate_protocol::link::cut;

/// Bytes of a message.
const MESSAGE_BYTES_MAX: usize = 2048;

/// A program that cannot be asked, or does not answer as it must. All of these arrive as the guest's error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the program cannot be executed: {0}")]
    NotStarted(std::io::Error),
    #[error("the request cannot be made: {0}")]
    NoRequest(String),
    #[error("the program does not read its standard input any more: {0}")]
    NotWritten(std::io::Error),
    #[error("the program has closed its standard output")]
    OutputClosed,
    #[error("reading the program's standard output: {0}")]
    NotRead(std::io::Error),
    #[error("the program's line is no JSON-RPC response: {0}")]
    NoResponse(String),
    #[error("the program's response has neither a result nor an error")]
    Empty,
}

impl Fault {
    /// Its code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NotStarted(_) => "E500",
            Self::NoRequest(_) => "E501",
            Self::NotWritten(_) => "E503",
            Self::OutputClosed => "E504",
            Self::NotRead(_) => "E505",
            Self::NoResponse(_) => "E506",
            Self::Empty => "E507",
        }
    }

    /// Whether the program can be asked again: it had nothing to do with it.
    pub(crate) fn is_callers(&self) -> bool {
        matches!(self, Self::NoRequest(_))
    }

    /// As a guest's error.
    pub(crate) fn body(&self) -> Vec<u8> {
        error_body(self.code(), &self.to_string())
    }
}

/// A guest's error.
pub(crate) fn error_body(code: &str, message: &str) -> Vec<u8> {
    let message = cut(message, MESSAGE_BYTES_MAX);
    serde_json::json!({ "code": code, "message": message, "retryable": false }).to_string().into_bytes()
}
