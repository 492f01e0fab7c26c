//! A component of the world `casemate:plugin`: echoes, counts, calls its host, logs, and refuses.

#[allow(missing_docs, reason = "made from sdk/wit")]
mod bindings {
    wit_bindgen::generate!({ path: "../../../sdk/wit", world: "plugin" });
}

use bindings::casemate::plugin::host;
use bindings::casemate::plugin::types::{Body, Content};
use bindings::exports::casemate::plugin::guest::Guest;
use std::sync::atomic::{AtomicU32, Ordering};

static CALLS: AtomicU32 = AtomicU32::new(0);

struct Plugin;

fn json(text: String) -> Body {
    Body { content: Content::Json, data: text.into_bytes() }
}

fn error(code: &str) -> Body {
    json(format!(r#"{{"code":"{code}","message":"on purpose","retryable":false}}"#))
}

impl Guest for Plugin {
    fn init(configuration: Body) -> Result<(), Body> {
        match configuration.data.as_slice() {
            b"\"refuse\"" => Err(error("refused")),
            _ => Ok(()),
        }
    }

    fn describe() -> Body {
        json(r#"{"name":"component"}"#.to_owned())
    }

    fn call(method: String, request: Body) -> Result<Body, Body> {
        match method.as_str() {
            "echo" => Ok(request),
            "count" => Ok(json((CALLS.fetch_add(1, Ordering::Relaxed) + 1).to_string())),
            "fail" => Err(error("failed")),
            "ask" => host::call("ask", &request),
            "log" => {
                host::log(host::Level::Warn, "a word");
                Ok(json("null".to_owned()))
            }
            "trap" => panic!("on purpose"),
            "loop" => loop {
                if host::cancelled() {
                    return Err(error("cancelled"));
                }
            },
            "sleep" => {
                std::thread::sleep(std::time::Duration::from_secs(3600));
                Ok(request)
            }
            _ => Err(error("no_method")),
        }
    }

    fn event(_topic: String, _event: Body) -> Result<(), Body> {
        CALLS.fetch_add(100, Ordering::Relaxed);
        Ok(())
    }
}

bindings::export!(Plugin with_types_in bindings);
