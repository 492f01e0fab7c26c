//! From what a method returns to the bytes of its reply.

use serde::Serialize;

use crate::{Error, envelope};

/// A reply that carries an answer, ready to be sent.
#[derive(Debug)]
pub struct Reply {
    bytes: Vec<u8>,
}

impl Reply {
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn json(value: &impl Serialize) -> Result<Self, Error> {
        Ok(Reply { bytes: envelope::json_reply(value)? })
    }

    fn raw(body: impl AsRef<[u8]>) -> Self {
        Reply { bytes: envelope::raw_reply(body.as_ref()) }
    }
}

/// Whatever a method returned.
///
/// A `Result` has the methods of its own, which come first; everything else has those of [`PlainReturn`]. So the compiler
/// tells the two apart by their types, behind any alias. The bounds stand on the methods, so that a `Result` never falls
/// through to the plain ones and is sent as a value.
#[derive(Debug)]
pub struct Returned<T>(pub T);

impl<T, E> Returned<Result<T, E>> {
    /// Sends the answer as JSON.
    pub fn json(self) -> Result<Reply, Error>
    where
        T: Serialize,
        E: Into<Error>,
    {
        Reply::json(&self.value()?)
    }

    /// Sends the answer as it is.
    pub fn raw(self) -> Result<Reply, Error>
    where
        T: AsRef<[u8]>,
        E: Into<Error>,
    {
        Ok(Reply::raw(self.value()?))
    }

    /// Sends nothing.
    pub fn value(self) -> Result<T, Error>
    where
        E: Into<Error>,
    {
        self.0.map_err(Into::into)
    }
}

/// The methods of a [`Returned`] value that cannot fail.
pub trait PlainReturn: Sized {
    /// What was returned.
    type Value;

    /// Sends the answer as JSON.
    fn json(self) -> Result<Reply, Error>
    where
        Self::Value: Serialize;

    /// Sends the answer as it is.
    fn raw(self) -> Result<Reply, Error>
    where
        Self::Value: AsRef<[u8]>;

    /// Sends nothing.
    fn value(self) -> Result<Self::Value, Error>;
}

impl<T> PlainReturn for Returned<T> {
    type Value = T;

    fn json(self) -> Result<Reply, Error>
    where
        T: Serialize,
    {
        Reply::json(&self.0)
    }

    fn raw(self) -> Result<Reply, Error>
    where
        T: AsRef<[u8]>,
    {
        Ok(Reply::raw(self.0))
    }

    fn value(self) -> Result<T, Error> {
        Ok(self.0)
    }
}
