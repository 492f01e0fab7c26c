//! A host for tests, where there is none.

use crate::PluginError;
use serde_json::Value;
#[cfg(not(target_arch = "wasm32"))]
use serde_json::json;
use std::cell::RefCell;
use std::rc::Rc;

type Handler = Box<dyn FnMut(&str, &Value) -> Result<Value, PluginError>>;

thread_local! {
    static HOST: RefCell<Option<(Handler, Rc<RefCell<Vec<(String, Value)>>>)>> = const { RefCell::new(None) };
}

/// What has been asked of it. Dropping it takes the host away.
#[derive(Debug)]
pub struct Asked(Rc<RefCell<Vec<(String, Value)>>>);

impl Asked {
    /// The methods, in their order.
    pub fn methods(&self) -> Vec<String> {
        self.0.borrow().iter().map(|(method, _)| method.clone()).collect()
    }

    /// Methods and payloads, in their order.
    pub fn calls(&self) -> Vec<(String, Value)> {
        self.0.borrow().clone()
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        HOST.with_borrow_mut(|host| *host = None);
    }
}

/// Answers every call that plugins of this thread make.
pub fn host(handler: impl FnMut(&str, &Value) -> Result<Value, PluginError> + 'static) -> Asked {
    let asked = Rc::new(RefCell::new(Vec::new()));
    HOST.with_borrow_mut(|host| *host = Some((Box::new(handler), Rc::clone(&asked))));
    Asked(asked)
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn answer(request: &[u8]) -> Vec<u8> {
    let request: Value = serde_json::from_slice(request).unwrap_or_default();
    let (method, payload) = (request["method"].as_str().unwrap_or_default(), &request["payload"]);
    let answer = HOST.with_borrow_mut(|host| match host {
        Some((handler, asked)) => {
            asked.borrow_mut().push((method.to_owned(), payload.clone()));
            handler(method, payload)
        }
        None => Err(PluginError::Host {
            code: "no_host".to_owned(),
            message: "this is a native build: a test that wants a host makes one with testing::host"
                .to_owned(),
        }),
    });
    let reply = match answer {
        Ok(ok) => json!({ "ok": ok }),
        Err(PluginError::PermissionDenied(message)) => {
            json!({ "error": { "code": "denied", "message": message } })
        }
        Err(error) => json!({ "error": error.to_json() }),
    };
    reply.to_string().into_bytes()
}
