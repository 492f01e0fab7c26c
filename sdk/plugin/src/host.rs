//! The way to the host application: its functions, by name, as far as the plugin's policy allows them.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;
use crate::abi;
use crate::envelope::{self, JSON, RAW, Request};

/// The code of the error that every host call answers in a native build, where there is no host.
pub const NO_HOST: &str = "no_host";

/// Calls a function of the host with a value and reads its answer, both as JSON.
///
/// ```no_run
/// # fn main() -> Result<(), casemate_plugin::Error> {
/// let similar: Vec<String> = casemate_plugin::host::call("query:ai.similar", &("casemate", 5))?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Whatever the host answers: its own errors, and its refusal when the policy does not allow the call. `bad_input` when the
/// value does not fit in JSON, `bad_reply` when the answer is not an `Out`.
pub fn call<In, Out>(method: &str, input: &In) -> Result<Out, Error>
where
    In: Serialize + ?Sized,
    Out: DeserializeOwned,
{
    let body = serde_json::to_vec(input)
        .map_err(|error| Error::new("bad_input", format!("host call `{method}`: the input: {error}")))?;
    let reply = exchange(&Request { method, content: JSON, body: &body })?;
    let (content, body) = envelope::decode_reply(&reply)?;
    let bad_reply = |cause: String| Error::new("bad_reply", format!("host call `{method}`: {cause}"));
    if content != JSON {
        return Err(bad_reply(format!("the answer is of content type {content}, not JSON")));
    }
    serde_json::from_slice(body).map_err(|error| bad_reply(format!("the answer: {error}")))
}

/// Calls a function of the host with bytes and returns the bytes of its answer, of whatever content type.
///
/// # Errors
///
/// As [`call`], without those about JSON.
pub fn call_raw(method: &str, body: &[u8]) -> Result<Vec<u8>, Error> {
    let mut reply = exchange(&Request { method, content: RAW, body })?;
    let head = reply.len() - envelope::decode_reply(&reply)?.1.len();
    reply.drain(..head);
    Ok(reply)
}

/// Whether the deadline of the running call has passed. A long loop that asks can stop on its own and answer something;
/// one that does not is interrupted soon after.
#[must_use]
pub fn cancelled() -> bool {
    abi::cancelled()
}

fn exchange(request: &Request<'_>) -> Result<Vec<u8>, Error> {
    Ok(abi::host_call(&request.encode()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_host_the_error_says_so() {
        let error = call::<_, ()>("query:ai.x", &1).unwrap_err();
        assert_eq!(error.code, NO_HOST);
        assert!(error.message.contains("native build"), "{error}");
        assert_eq!(call_raw("x", b"").unwrap_err(), error);
        assert!(!cancelled());
    }

    #[test]
    fn input_that_is_no_json_does_not_leave() {
        let map = std::collections::HashMap::from([((1, 2), 3)]);
        assert_eq!(call::<_, ()>("x", &map).unwrap_err().code, "bad_input");
    }
}
