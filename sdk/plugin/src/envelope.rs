//! The bytes of requests and replies. Request: `u16` LE length of the method, the method in UTF-8, one byte of content
//! type, the body. Reply: one byte of status, one byte of content type, the body.

use serde::Serialize;

use crate::Error;

/// Content type: bytes that nobody but the two ends understands.
pub(crate) const RAW: u8 = 0;
/// Content type: JSON in UTF-8.
pub(crate) const JSON: u8 = 1;

/// Status: the body is the answer.
pub(crate) const OK: u8 = 0;
/// Status: the body is an [`Error`] in JSON.
pub(crate) const FAILED: u8 = 1;

/// A request or an event, still in its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) content: u8,
    pub(crate) body: &'a [u8],
}

impl<'a> Request<'a> {
    /// Reads a request; the error says what of it is missing.
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, Error> {
        let cut = |what: &str| Error::new("bad_request", format!("the request ends within its {what}"));
        let (len, rest) = bytes.split_first_chunk().ok_or_else(|| cut("method length"))?;
        let (method, rest) =
            rest.split_at_checked(u16::from_le_bytes(*len).into()).ok_or_else(|| cut("method"))?;
        let (content, body) = rest.split_first().ok_or_else(|| cut("content type"))?;
        let method = std::str::from_utf8(method)
            .map_err(|error| Error::new("bad_request", format!("the method's name is not UTF-8: {error}")))?;
        Ok(Request { method, content: *content, body })
    }

    /// Writes a request. A method name can have 65,535 bytes.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Error> {
        let len = u16::try_from(self.method.len()).map_err(|_too_long| {
            let message = format!("a method's name has at most 65535 bytes, not {}", self.method.len());
            Error::new("bad_input", message)
        })?;
        let mut bytes = Vec::with_capacity(3 + self.method.len() + self.body.len());
        bytes.extend_from_slice(&len.to_le_bytes());
        bytes.extend_from_slice(self.method.as_bytes());
        bytes.push(self.content);
        bytes.extend_from_slice(self.body);
        Ok(bytes)
    }
}

/// A reply that carries an answer in JSON.
pub(crate) fn json_reply(value: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![OK, JSON];
    serde_json::to_writer(&mut bytes, value)
        .map_err(|error| Error::new("bad_output", format!("the answer does not fit in JSON: {error}")))?;
    Ok(bytes)
}

/// A reply that carries an answer in bytes.
pub(crate) fn raw_reply(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(2 + body.len());
    bytes.extend_from_slice(&[OK, RAW]);
    bytes.extend_from_slice(body);
    bytes
}

/// A reply that carries an error.
pub(crate) fn error_reply(error: &Error) -> Vec<u8> {
    let mut bytes = vec![FAILED, JSON];
    // Two strings and a flag always fit in JSON, and a Vec takes every byte.
    let written = serde_json::to_writer(&mut bytes, error);
    debug_assert!(written.is_ok());
    bytes
}

/// Reads a reply: the content type and the body, or the error it carries, or that it is no reply.
pub(crate) fn decode_reply(bytes: &[u8]) -> Result<(u8, &[u8]), Error> {
    let bad = |what: String| Error::new("bad_reply", what);
    match bytes {
        [OK, content, body @ ..] => Ok((*content, body)),
        [FAILED, JSON, body @ ..] => Err(serde_json::from_slice(body)
            .unwrap_or_else(|error| bad(format!("the reply's error cannot be read: {error}")))),
        [FAILED, content, ..] => {
            Err(bad(format!("the reply's error is of content type {content}, not JSON")))
        }
        [status, _, ..] => Err(bad(format!("the reply has the unknown status {status}"))),
        [] | [_] => Err(bad("the reply ends before its body".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        let request = Request { method: "stats", content: JSON, body: b"{}" };
        assert_eq!(request.encode().unwrap(), b"\x05\x00stats\x01{}");
        assert_eq!(Request::decode(b"\x05\x00stats\x01{}").unwrap(), request);
        assert_eq!(json_reply(&7).unwrap(), b"\x00\x017");
        assert_eq!(raw_reply(b"ab"), b"\x00\x00ab");
        let error = Error::new("empty_input", "Input array is empty");
        let bytes =
            b"\x01\x01{\"code\":\"empty_input\",\"message\":\"Input array is empty\",\"retryable\":false}";
        assert_eq!(error_reply(&error), bytes);
        assert_eq!(decode_reply(bytes).unwrap_err(), error);
    }

    #[test]
    fn a_request_cut_anywhere_before_its_body_is_refused() {
        let whole = b"\x05\x00stats\x01";
        for cut in 0..whole.len() {
            assert_eq!(Request::decode(&whole[..cut]).unwrap_err().code, "bad_request");
        }
        assert_eq!(Request::decode(whole).unwrap().body, b"");
        assert_eq!(Request::decode(b"\x01\x00\xff\x01").unwrap_err().code, "bad_request");
    }

    #[test]
    fn a_reply_that_is_none_is_an_error() {
        for bytes in [&b""[..], b"\x00", b"\x02\x01{}", b"\x01\x00x", b"\x01\x01x", b"\x01\x01{}"] {
            assert_eq!(decode_reply(bytes).unwrap_err().code, "bad_reply", "{bytes:?}");
        }
    }

    #[test]
    fn too_long_a_name_is_refused() {
        let method = "m".repeat(65_536);
        let request = Request { method: &method, content: RAW, body: b"" };
        assert_eq!(request.encode().unwrap_err().code, "bad_input");
    }
}
