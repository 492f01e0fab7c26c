//! What the fields of a message may hold, beyond its type. An end that finds another value breaks the connection off: it
//! is not a value that anybody could have meant.

use super::{
    Answer, Bye, CLIENT_BYTES_MAX, Call, Cancel, ContentType, Credit, Data, Failure, Follow, Hello, HostCall,
    HostResult, Item, NAME_BYTES_MAX, Refused, Request, Response, TRACEPARENT_BYTES_MAX,
    TRACESTATE_BYTES_MAX, Welcome, follow, request,
};
use crate::ids::PLUGIN_NAME_BYTES_MAX;

/// A message whose fields can be looked at.
pub(super) trait Checked: prost::Message + Default {
    /// A field whose value it may not have.
    fn wrong_field(&self) -> Option<&'static str>;
}

fn first(checks: &[(&'static str, bool)]) -> Option<&'static str> {
    checks.iter().find(|(_, is_right)| !is_right).map(|(name, _)| *name)
}

fn is_content_type(number: i32) -> bool {
    ContentType::try_from(number).is_ok()
}

/// What can be passed on in a header: it ends no line.
fn is_visible(text: &str, bytes_max: usize) -> bool {
    text.len() <= bytes_max && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

fn is_plugin(name: &str) -> bool {
    name.len() <= PLUGIN_NAME_BYTES_MAX
}

fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
}

impl Checked for Hello {
    fn wrong_field(&self) -> Option<&'static str> {
        first(&[
            ("version_max", self.version_min <= self.version_max),
            ("client", self.client.len() <= CLIENT_BYTES_MAX),
        ])
    }
}

impl Checked for Call {
    fn wrong_field(&self) -> Option<&'static str> {
        first(&[
            ("plugin", is_plugin(&self.plugin)),
            ("method", is_name(&self.method)),
            ("content_type", is_content_type(self.content_type)),
            ("traceparent", is_visible(&self.traceparent, TRACEPARENT_BYTES_MAX)),
            ("tracestate", is_visible(&self.tracestate, TRACESTATE_BYTES_MAX)),
        ])
    }
}

impl Checked for HostCall {
    fn wrong_field(&self) -> Option<&'static str> {
        first(&[
            ("plugin", is_plugin(&self.plugin)),
            ("method", is_name(&self.method)),
            ("content_type", is_content_type(self.content_type)),
        ])
    }
}

impl Checked for Request {
    fn wrong_field(&self) -> Option<&'static str> {
        use request::Operation as Op;
        // None is one of a later protocol, perhaps: whoever does requests says that it does not know it.
        let operation = self.operation.as_ref()?;
        let (name, content_type) = match operation {
            Op::Publish(op) => (op.topic.as_str(), op.content_type),
            Op::Serve(op) => (op.method.as_str(), 0),
            Op::Unserve(op) => (op.method.as_str(), 0),
            _ => ("", 0),
        };
        first(&[
            ("plugin", operation.plugin().is_none_or(is_plugin)),
            ("topic or method", is_name(name)),
            ("content_type", is_content_type(content_type)),
        ])
    }
}

impl Checked for Follow {
    fn wrong_field(&self) -> Option<&'static str> {
        match &self.what {
            None => None,
            Some(follow::What::Subscribe(op)) => first(&[("pattern", is_name(&op.pattern))]),
            Some(follow::What::Logs(op)) => {
                first(&[("plugin", is_plugin(&op.plugin)), ("level_min", op.level_min <= 4)])
            }
        }
    }
}

impl Checked for Answer {
    fn wrong_field(&self) -> Option<&'static str> {
        first(&[("content_type", is_content_type(self.content_type))])
    }
}

impl Checked for HostResult {
    fn wrong_field(&self) -> Option<&'static str> {
        first(&[("content_type", is_content_type(self.content_type))])
    }
}

/// Whose numbers and texts may be any: their readers take what they know of them.
macro_rules! any {
    ($($message:ty),*) => {
        $(impl Checked for $message {
            fn wrong_field(&self) -> Option<&'static str> {
                None
            }
        })*
    };
}

any!(Welcome, Refused, Bye, Data, Credit, Cancel, Failure, Response, Item);
