//! For a plugin's own tests, which run natively: calls that take the way of the host's, through bytes and by name.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::body::{Body, Subject};
use crate::envelope::{self, JSON, RAW};
use crate::{Error, Plugin};

/// Starts a plugin with a configuration; `&()` is none.
///
/// # Errors
///
/// Those of the plugin's `init`, and `bad_config` when the configuration is not what it takes.
pub fn start<P: Plugin>(config: &(impl Serialize + ?Sized)) -> Result<P, Error> {
    let config = serde_json::to_vec(config).map_err(Error::failed)?;
    P::start(Body::configuration(&config))
}

/// Calls a method with a value and reads its answer, both as JSON; `&()` is no input.
///
/// # Errors
///
/// Those of the method; `unknown_method`, `bad_input`; `bad_reply` when the answer is not an `Out`.
pub fn call<P, In, Out>(plugin: &mut P, method: &str, input: &In) -> Result<Out, Error>
where
    P: Plugin,
    In: Serialize + ?Sized,
    Out: DeserializeOwned,
{
    let input = serde_json::to_vec(input).map_err(Error::failed)?;
    let reply = plugin.dispatch(method, Body::new(Subject::Method(method), JSON, &input))?.into_bytes();
    match envelope::decode_reply(&reply)? {
        (JSON, body) => {
            serde_json::from_slice(body).map_err(|error| Error::new("bad_reply", error.to_string()))
        }
        _ => Err(Error::new("bad_reply", format!("method `{method}` does not answer in JSON"))),
    }
}

/// Calls a method with bytes and returns the bytes of its answer.
///
/// # Errors
///
/// As [`call`], without those about JSON.
pub fn call_raw<P: Plugin>(plugin: &mut P, method: &str, body: &[u8]) -> Result<Vec<u8>, Error> {
    let reply = plugin.dispatch(method, Body::new(Subject::Method(method), RAW, body))?.into_bytes();
    Ok(envelope::decode_reply(&reply)?.1.to_vec())
}
