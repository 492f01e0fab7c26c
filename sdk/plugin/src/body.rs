//! The body of a request on its way to a function's arguments.

use std::collections::BTreeMap;

use serde::de::value::Error as MissingError;
use serde::de::{Deserializer, Error as _, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_json::value::RawValue;

use crate::Error;
use crate::envelope::{JSON, RAW};

/// Whose body it is, for the messages.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject<'a> {
    Method(&'a str),
    Event(&'a str),
    Configuration,
}

impl Subject<'_> {
    fn error(self, cause: impl std::fmt::Display) -> Error {
        match self {
            Subject::Method(name) => Error::new("bad_input", format!("method `{name}`: {cause}")),
            Subject::Event(topic) => Error::new("bad_input", format!("event `{topic}`: {cause}")),
            Subject::Configuration => Error::new("bad_config", format!("configuration: {cause}")),
        }
    }
}

/// A body that has not been read yet.
#[derive(Clone, Copy, Debug)]
pub struct Body<'a> {
    subject: Subject<'a>,
    content: u8,
    bytes: &'a [u8],
}

impl<'a> Body<'a> {
    pub(crate) fn new(subject: Subject<'a>, content: u8, bytes: &'a [u8]) -> Self {
        Body { subject, content, bytes }
    }

    /// The configuration; no bytes are the same as `null`, which is what a host that has none may send.
    pub(crate) fn configuration(bytes: &'a [u8]) -> Self {
        let bytes = if bytes.trim_ascii().is_empty() { b"null" } else { bytes };
        Body::new(Subject::Configuration, JSON, bytes)
    }

    /// The one argument of a function.
    pub fn json<T: Deserialize<'a>>(self) -> Result<T, Error> {
        if self.content != JSON {
            let message = format!("its input is JSON (content type 1), not content type {}", self.content);
            return Err(self.subject.error(message));
        }
        let read = serde_json::from_slice(self.bytes);
        let read = if read.is_err() && self.is_absent_configuration() {
            // A struct whose members all have defaults; or the message that names the one that has none.
            serde_json::from_slice(b"{}")
        } else {
            read
        };
        read.map_err(|error| self.subject.error(error))
    }

    /// The several arguments of a function.
    pub fn named(self) -> Result<Named<'a>, Error> {
        if self.is_absent_configuration() {
            return Ok(Named { subject: self.subject, members: BTreeMap::new() });
        }
        Ok(Named { subject: self.subject, members: self.json()? })
    }

    /// For a function without arguments.
    pub fn nothing(self) -> Result<(), Error> {
        let bytes = self.bytes.trim_ascii();
        let is_nothing =
            bytes.is_empty() || (self.content == JSON && [&b"null"[..], b"{}", b"[]"].contains(&bytes));
        // A plugin that takes no configuration does not mind one.
        if is_nothing || matches!(self.subject, Subject::Configuration) {
            return Ok(());
        }
        Err(self.subject.error("it takes no input: leave it out, or pass `null`, `{}` or `[]`"))
    }

    /// The argument of a raw function. JSON is bytes too.
    pub fn raw<T: From<&'a [u8]>>(self) -> Result<T, Error> {
        if self.content != RAW && self.content != JSON {
            return Err(self.subject.error(format!("content type {} is unknown to it", self.content)));
        }
        Ok(self.bytes.into())
    }

    fn is_absent_configuration(&self) -> bool {
        matches!(self.subject, Subject::Configuration) && self.bytes.trim_ascii() == b"null"
    }
}

/// The members of a JSON object, each read when its parameter asks for it.
#[derive(Debug)]
pub struct Named<'a> {
    subject: Subject<'a>,
    members: BTreeMap<String, &'a RawValue>,
}

impl<'a> Named<'a> {
    /// The argument for the parameter of this name. An `Option` may be missing.
    pub fn take<T: Deserialize<'a>>(&self, name: &str) -> Result<T, Error> {
        let Some(member) = self.members.get(name) else {
            return T::deserialize(Missing)
                .map_err(|_missing| self.subject.error(format!("missing field `{name}`")));
        };
        serde_json::from_str(member.get())
            .map_err(|error| self.subject.error(format!("field `{name}`: {error}")))
    }
}

/// Deserializes to `None` and to nothing else.
struct Missing;

impl<'de> Deserializer<'de> for Missing {
    type Error = MissingError;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, MissingError> {
        Err(MissingError::custom("missing"))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, MissingError> {
        visitor.visit_none()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> Body<'_> {
        Body::new(Subject::Method("m"), JSON, text.as_bytes())
    }

    #[test]
    fn one_argument_is_the_value_itself() {
        assert_eq!(body("[1, 2]").json::<Vec<u8>>().unwrap(), [1, 2]);
        assert_eq!(body("\"lent\"").json::<&str>().unwrap(), "lent");
        let error = body("[1, -2]").json::<Vec<u8>>().unwrap_err();
        assert_eq!(error.code, "bad_input");
        assert!(error.message.starts_with("method `m`: invalid value: integer `-2`"), "{error}");
        assert_eq!(Body::new(Subject::Method("m"), RAW, b"1").json::<u8>().unwrap_err().code, "bad_input");
    }

    #[test]
    fn several_arguments_are_members() {
        let named = body(r#"{"a": 1, "b": "x", "unknown": []}"#).named().unwrap();
        assert_eq!(named.take::<u8>("a").unwrap(), 1);
        assert_eq!(named.take::<&str>("b").unwrap(), "x");
        assert_eq!(named.take::<Option<u8>>("c").unwrap(), None);
        assert_eq!(named.take::<u8>("c").unwrap_err().message, "method `m`: missing field `c`");
        let error = named.take::<u8>("b").unwrap_err();
        assert!(error.message.starts_with("method `m`: field `b`: invalid type: string \"x\""), "{error}");
        assert!(body("[]").named().is_err());
    }

    #[test]
    fn no_argument_is_nothing() {
        for text in ["", " ", "null", "{}", "[]"] {
            body(text).nothing().unwrap();
        }
        assert_eq!(body("1").nothing().unwrap_err().code, "bad_input");
        Body::new(Subject::Method("m"), RAW, b"").nothing().unwrap();
        Body::new(Subject::Method("m"), RAW, b"{}").nothing().unwrap_err();
    }

    #[test]
    fn raw_is_any_bytes() {
        let bytes = Body::new(Subject::Method("m"), RAW, b"\xff");
        assert_eq!(bytes.raw::<&[u8]>().unwrap(), b"\xff");
        assert_eq!(bytes.raw::<Vec<u8>>().unwrap(), b"\xff");
        assert_eq!(body("1").raw::<&[u8]>().unwrap(), b"1");
        assert_eq!(Body::new(Subject::Method("m"), 2, b"").raw::<&[u8]>().unwrap_err().code, "bad_input");
    }

    #[test]
    fn an_absent_configuration_is_null_and_then_empty() {
        #[derive(Debug, Deserialize)]
        struct Config {
            #[serde(default)]
            #[expect(dead_code, reason = "only whether it deserializes matters")]
            a: u8,
        }
        #[derive(Debug, Deserialize)]
        struct Strict {
            #[expect(dead_code, reason = "only whether it deserializes matters")]
            a: u8,
        }
        for text in ["", "null", " null\n"] {
            let config = Body::configuration(text.as_bytes());
            config.json::<Config>().unwrap();
            assert!(config.json::<Option<Config>>().unwrap().is_none());
            let error = config.json::<Strict>().unwrap_err();
            assert_eq!(error.code, "bad_config");
            assert!(error.message.starts_with("configuration: missing field `a`"), "{error}");
            config.named().unwrap().take::<u8>("a").unwrap_err();
        }
        Body::configuration(b"{\"a\": 1}").nothing().unwrap();
    }
}
