//! A line of the program's: an answer to what it was asked, a request of its own, or neither.

use crate::fault::Fault;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Bytes of an id that a program's own request may have.
const ID_BYTES_MAX: usize = 256;

/// What a line is.
#[derive(Debug)]
pub(crate) enum Line {
    /// The result, as JSON.
    Result(Vec<u8>),
    /// An error of the program's own.
    Error { code: String, message: String },
    /// A request of the program's own, with the answer to it: there is nobody that it could ask.
    Request(Vec<u8>),
    /// A notification of the program's own, for nobody.
    Notification,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    jsonrpc: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ErrorObject<'a> {
    code: i64,
    #[serde(borrow)]
    message: Cow<'a, str>,
}

/// `null` is a value too.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl Line {
    /// Reads a line, where the answer to the request of this id is wanted.
    pub(crate) fn read(line: &[u8], id: u64) -> Result<Self, Fault> {
        let broken = |why: &dyn std::fmt::Display| Fault::NoResponse(why.to_string());
        let message: Message<'_> = serde_json::from_slice(line).map_err(|error| broken(&error))?;
        if message.jsonrpc.as_deref() != Some("2.0") {
            return Err(broken(&"its jsonrpc is not \"2.0\""));
        }
        if message.method.is_some() {
            return match message.id {
                Some(id) if id.get().len() > ID_BYTES_MAX => Err(broken(&"its id is too long")),
                Some(id) => Ok(Self::Request(refusal(id))),
                None => Ok(Self::Notification),
            };
        }
        let answered = message.id.map_or("none", RawValue::get);
        if answered != id.to_string() {
            let answered: String = answered.chars().take(40).collect();
            return Err(broken(&format_args!("its id is {answered}, and {id} was asked")));
        }
        match (message.result, message.error) {
            (Some(_), Some(_)) => Err(broken(&"it has both a result and an error")),
            (Some(result), None) => Ok(Self::Result(result.get().as_bytes().to_vec())),
            (None, Some(error)) => {
                let error: ErrorObject<'_> = serde_json::from_str(error.get())
                    .map_err(|why| broken(&format_args!("its error has no code and message: {why}")))?;
                Ok(Self::Error { code: error.code.to_string(), message: error.message.into_owned() })
            }
            (None, None) => Err(Fault::Empty),
        }
    }
}

fn refusal(id: &RawValue) -> Vec<u8> {
    let id = id.get();
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"a program has nobody to ask"}}}}"#
    )
    .into_bytes()
}

/// The line of a request. Newlines in JSON text are blanks, and would end the line.
pub(crate) fn request(method: &str, params: &[u8], id: u64) -> Result<Vec<u8>, Fault> {
    let params = if params.is_empty() { b"{}" } else { params };
    let broken = |error: serde_json::Error| Fault::NoRequest(format!("the call's body is no JSON: {error}"));
    let params: &RawValue = serde_json::from_slice(params).map_err(broken)?;
    let params = params.get().replace(['\n', '\r'], " ");
    let method = serde_json::to_string(method).map_err(broken)?;
    Ok(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":{method},"params":{params}}}"#).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(line: &[u8]) -> &'static str {
        Line::read(line, 7).map(|line| panic!("{line:?}")).unwrap_err().code()
    }

    #[test]
    fn an_answer_has_a_result_or_an_error_and_the_id_that_was_asked() {
        let result = Line::read(br#" {"id":7, "jsonrpc":"2.0","result":{"a":[1, 2]}} "#, 7).unwrap();
        assert!(matches!(result, Line::Result(body) if body == br#"{"a":[1, 2]}"#));
        let null = Line::read(br#"{"jsonrpc":"2.0","id":7,"result":null}"#, 7).unwrap();
        assert!(matches!(null, Line::Result(body) if body == b"null"));
        let error = br#"{"jsonrpc":"2.0","id":7,"error":{"code":-5,"message":"no","data":[]}}"#;
        let Line::Error { code: number, message } = Line::read(error, 7).unwrap() else { panic!() };
        assert_eq!((number.as_str(), message.as_str()), ("-5", "no"));

        assert_eq!(code(b"hello"), "E506");
        assert_eq!(code(b""), "E506");
        assert_eq!(code(br#"{"jsonrpc":"2.0","id":8,"result":1}"#), "E506");
        assert_eq!(code(br#"{"jsonrpc":"2.0","id":"7","result":1}"#), "E506");
        assert_eq!(code(br#"{"jsonrpc":"2.0","result":1}"#), "E506");
        assert_eq!(code(br#"{"jsonrpc":"1.0","id":7,"result":1}"#), "E506");
        assert_eq!(code(br#"{"id":7,"result":1}"#), "E506");
        let both = br#"{"jsonrpc":"2.0","id":7,"result":1,"error":{"code":1,"message":"x"}}"#;
        assert_eq!(code(both), "E506");
        assert_eq!(code(br#"{"jsonrpc":"2.0","id":7,"error":"x"}"#), "E506");
        assert_eq!(code(br#"{"jsonrpc":"2.0","id":7}"#), "E507");
        assert_eq!(code(br#"{"jsonrpc":"2.0","id":7,"result":1,"result":2}"#), "E506");
        assert_eq!(code([b"[".repeat(100_000), b"]".repeat(100_000)].concat().as_slice()), "E506");
    }

    #[test]
    fn a_program_that_asks_is_told_that_there_is_nobody() {
        let Line::Request(answer) =
            Line::read(br#"{"jsonrpc":"2.0","id":"q","method":"host.x","params":[]}"#, 7).unwrap()
        else {
            panic!()
        };
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&"q".into(), &(-32601).into()));
        let said = Line::read(br#"{"jsonrpc":"2.0","method":"progress"}"#, 7).unwrap();
        assert!(matches!(said, Line::Notification));
    }

    #[test]
    fn a_request_is_one_line() {
        let line = request("library.call", b"{\n \"a\": \"x\\ny\"\r\n}", 1).unwrap();
        assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
        let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!((&value["method"], &value["params"]["a"]), (&"library.call".into(), &"x\ny".into()));
        assert_eq!(request("m", b"{", 1).unwrap_err().code(), "E501");
        let empty: serde_json::Value = serde_json::from_slice(&request("m", b"", 1).unwrap()).unwrap();
        assert_eq!(empty["params"], serde_json::json!({}));
    }
}
