//! The edge of a plugin that is a component: requests and replies as the types of the world `casemate:plugin`.
//!
//! Within the crate both stay the bytes that they are in `casemate-1`, so that there is one way through it.

#[allow(
    unsafe_code,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    reason = "made from sdk/wit, by its own generator"
)]
mod bindings {
    wit_bindgen::generate!({ path: "../wit", world: "plugin", pub_export_macro: true });
}

use crate::envelope::{FAILED, JSON, OK, RAW, Request, error_reply};
use crate::instance::Instance;
use crate::log::Level;
use crate::{Error, Plugin};
use bindings::casemate::plugin::host;
use bindings::casemate::plugin::types::Content;

pub use bindings::casemate::plugin::types::Body;
pub use bindings::export;
pub use bindings::exports;

/// Asks the host: request bytes in, reply bytes out.
pub(crate) fn host_call(request: &[u8]) -> Vec<u8> {
    let Request { method, content, body } = match Request::decode(request) {
        Ok(request) => request,
        Err(error) => return error_reply(&error),
    };
    let (status, answer) = match host::call(method, &typed(content, body)) {
        Ok(answer) => (OK, answer),
        Err(error) => (FAILED, error),
    };
    let mut reply = vec![status, number(answer.content)];
    reply.extend_from_slice(&answer.data);
    reply
}

/// One line for the host's log.
pub(crate) fn log(level: Level, text: &str) {
    let level = match level {
        Level::Trace => host::Level::Trace,
        Level::Debug => host::Level::Debug,
        Level::Info => host::Level::Info,
        Level::Warn => host::Level::Warn,
        Level::Error => host::Level::Error,
    };
    host::log(level, text);
}

/// Whether the deadline of the running call has passed.
pub(crate) fn cancelled() -> bool {
    host::cancelled()
}

/// `init`
pub fn init<P: Plugin>(instance: &Instance<P>, configuration: &Body) -> Result<(), Body> {
    crate::abi::log_panics();
    answered(&instance.init(&configuration.data)).map(|_nothing| ())
}

/// `describe`
#[must_use]
pub fn describe<P: Plugin>() -> Body {
    answered(&Instance::<P>::describe()).unwrap_or_else(|_unknown| typed(RAW, b""))
}

/// `call`
pub fn call<P: Plugin>(instance: &Instance<P>, method: &str, request: &Body) -> Result<Body, Body> {
    crate::abi::log_panics();
    let request = Request { method, content: number(request.content), body: &request.data };
    match request.encode() {
        Ok(request) => answered(&instance.call(&request)),
        Err(error) => Err(refused(&error)),
    }
}

/// `event`
pub fn event<P: Plugin>(instance: &Instance<P>, topic: &str, event: &Body) -> Result<(), Body> {
    crate::abi::log_panics();
    let event = Request { method: topic, content: number(event.content), body: &event.data };
    match event.encode().map(|event| instance.event(&event)) {
        Ok(0) => Ok(()),
        Ok(_) => Err(refused(&Error::new("event", "it failed; what the plugin says of that is in its log"))),
        Err(error) => Err(refused(&error)),
    }
}

fn answered(reply: &[u8]) -> Result<Body, Body> {
    match reply {
        [OK, content, data @ ..] => Ok(typed(*content, data)),
        [_, content, data @ ..] => Err(typed(*content, data)),
        [] | [_] => Err(typed(RAW, b"")),
    }
}

fn refused(error: &Error) -> Body {
    answered(&error_reply(error)).unwrap_or_else(|body| body)
}

fn typed(content: u8, data: &[u8]) -> Body {
    Body { content: if content == JSON { Content::Json } else { Content::Bytes }, data: data.to_vec() }
}

fn number(content: Content) -> u8 {
    match content {
        Content::Bytes => RAW,
        Content::Json => JSON,
    }
}

/// The exports of the world `casemate:plugin` for one plugin type.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_component {
    ($plugin:ty) => {
        const _: () = {
            use $crate::__private::component::{self, Body};

            ::std::thread_local! {
                static INSTANCE: $crate::__private::Instance<$plugin> =
                    const { $crate::__private::Instance::new() };
            }

            struct Component;

            impl component::exports::casemate::plugin::guest::Guest for Component {
                fn init(configuration: Body) -> ::core::result::Result<(), Body> {
                    INSTANCE.with(|instance| component::init(instance, &configuration))
                }

                fn describe() -> Body {
                    component::describe::<$plugin>()
                }

                fn call(method: ::std::string::String, request: Body) -> ::core::result::Result<Body, Body> {
                    INSTANCE.with(|instance| component::call(instance, &method, &request))
                }

                fn event(topic: ::std::string::String, event: Body) -> ::core::result::Result<(), Body> {
                    INSTANCE.with(|instance| component::event(instance, &topic, &event))
                }
            }

    component::export!(Component with_types_in component);
        };
    };
}
