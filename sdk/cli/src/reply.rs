//! A method's answer, for people and for programs.

use crate::certificate;
use crate::input::Input;
use crate::json;
use crate::problem::Problem;
use crate::screen::Screen;
use casemate::outcome::escape;
use casemate::{Certificate, Failure, Plugin};
use serde_json::json;
use std::io::Write;

/// A method's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) body: Vec<u8>,
    pub(crate) is_json: bool,
}

impl Reply {
    /// Its text, if it is JSON as it says.
    fn json(&self) -> Option<&str> {
        self.is_json.then(|| json::text(&self.body)).flatten()
    }
}

/// Calls a method.
pub(crate) async fn call(plugin: &Plugin, method: &str, input: &Input) -> Result<Reply, Failure> {
    match input {
        Input::Json(text) => {
            plugin.call_json_text(method, text).await.map(|(body, is_json)| Reply { body, is_json })
        }
        Input::Raw(bytes) => plugin.call_raw(method, bytes).await.map(|body| Reply { body, is_json: false }),
    }
}

/// The reply as it is; laid out if a person reads it.
pub(crate) fn answer(
    reply: &Reply,
    certificate: Option<&Certificate>,
    screen: &mut Screen,
) -> Result<(), Problem> {
    if screen.json() {
        return screen.json_text(&answer_json(reply, certificate));
    }
    match (reply.json(), screen.out_is_terminal()) {
        (Some(text), _) => screen.json_text(text)?,
        (None, true) => screen.line(escape(&String::from_utf8_lossy(&reply.body), usize::MAX))?,
        (None, false) => screen.bytes(&reply.body)?,
    }
    match certificate {
        Some(certificate) => certificate_beside(certificate, screen),
        None => Ok(()),
    }
}

/// The reply belongs to standard output alone; what stands around the worker is told beside it.
pub(crate) fn certificate_beside(certificate: &Certificate, screen: &Screen) -> Result<(), Problem> {
    let text = certificate::lines(certificate, screen).join("\n");
    writeln!(std::io::stderr(), "{text}").map_err(|error| {
        Problem::output(format!("the certificate cannot be written to standard error: {error}"))
    })
}

/// `{"ok": true, "reply": …}`, the reply with its own order and digits; other members where it is not JSON.
pub(crate) fn answer_json(reply: &Reply, certificate: Option<&Certificate>) -> String {
    let (name, value) = match (reply.json(), std::str::from_utf8(&reply.body)) {
        (Some(text), _) => ("reply", text.to_owned()),
        (None, Ok(text)) => ("reply_text", json!(text).to_string()),
        (None, Err(_)) => ("reply_bytes", json!(reply.body).to_string()),
    };
    let certificate = match certificate {
        Some(certificate) => format!(r#","certificate":{}"#, certificate::to_json(certificate)),
        None => String::new(),
    };
    format!(r#"{{"ok":true,"{name}":{value}{certificate}}}"#)
}
