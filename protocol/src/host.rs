//! Host methods: what plugins may ask the host application for, once their policy grants it. A table of handlers and what
//! they are asked; whoever waits for one brings the runtime.

use crate::ids::{InstanceId, PluginName};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Duration;

/// W3C trace context, as it came and as it goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// `traceparent`, or empty.
    pub parent: String,
    /// `tracestate`, or empty.
    pub state: String,
}

/// A plugin's request. Who asks comes from the link it came in on, never from its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRequest {
    /// The plugin.
    pub plugin: PluginName,
    /// Its instance.
    pub instance: InstanceId,
    /// The method.
    pub method: String,
    /// 0 raw bytes, 1 JSON.
    pub content_type: u32,
    /// What the guest sent: hostile bytes.
    pub body: Vec<u8>,
    /// How long the call that this is part of can still run: a call of another plugin for it should not take longer.
    pub remaining: Duration,
    /// Where that call belongs.
    pub trace: Trace,
    /// Bytes that the answer may have: the plugin's limits.output.
    pub answer_bytes_max: u32,
}

/// The host's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostReply {
    /// 0 raw bytes, 1 JSON.
    pub content_type: u32,
    /// The answer.
    pub body: Vec<u8>,
}

/// The host's refusal; the guest gets it as JSON `{"code","message","retryable"}`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct HostError {
    /// A word for programs.
    pub code: String,
    /// Words for people.
    pub message: String,
    /// Whether a retry may help.
    pub retryable: bool,
}

impl HostError {
    /// An error that a retry does not help.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), retryable: false }
    }
}

/// A handler's work.
pub type HostFuture = Pin<Box<dyn Future<Output = Result<HostReply, HostError>> + Send>>;
type Handler = Arc<dyn Fn(HostRequest) -> HostFuture + Send + Sync>;

/// The methods of one host, by name or prefix.
#[derive(Clone, Default)]
pub struct Host {
    handlers: Arc<RwLock<Handlers>>,
    changes: Arc<AtomicU64>,
}

#[derive(Default)]
struct Handlers {
    literal: BTreeMap<String, Handler>,
    prefix: BTreeMap<String, Handler>,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let handlers = self.handlers.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Host")
            .field("methods", &handlers.literal.keys())
            .field("prefixes", &handlers.prefix.keys())
            .finish()
    }
}

impl Host {
    /// Answers a method, or with a final `*` all that begin with the rest. The longest match wins; a second handler for
    /// the same replaces the first.
    pub fn on(&self, method: &str, handler: impl Fn(HostRequest) -> HostFuture + Send + Sync + 'static) {
        let mut handlers = self.handlers.write().unwrap_or_else(PoisonError::into_inner);
        match method.strip_suffix('*') {
            Some(prefix) => handlers.prefix.insert(prefix.to_owned(), Arc::new(handler)),
            None => handlers.literal.insert(method.to_owned(), Arc::new(handler)),
        };
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// Answers it no more; whether anything did.
    pub fn off(&self, method: &str) -> bool {
        let mut handlers = self.handlers.write().unwrap_or_else(PoisonError::into_inner);
        self.changes.fetch_add(1, Ordering::Release);
        match method.strip_suffix('*') {
            Some(prefix) => handlers.prefix.remove(prefix).is_some(),
            None => handlers.literal.remove(method).is_some(),
        }
    }

    /// How often what is answered has changed.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// What is answered, patterns with their `*`.
    pub fn methods(&self) -> Vec<String> {
        let handlers = self.handlers.read().unwrap_or_else(PoisonError::into_inner);
        let prefixes = handlers.prefix.keys().map(|prefix| format!("{prefix}*"));
        handlers.literal.keys().cloned().chain(prefixes).collect()
    }

    /// Answers a request that the policy has granted. A handler that panics is an error for the guest and no more.
    pub async fn answer(&self, request: HostRequest) -> Result<HostReply, HostError> {
        let Some(handler) = self.handler(&request.method) else {
            let message = format!("this host has no method {:?}", request.method);
            return Err(HostError::new("not_found", message));
        };
        let panicked = || HostError::new("internal", "the host's handler failed");
        match std::panic::catch_unwind(AssertUnwindSafe(|| handler(request))) {
            Ok(work) => Catch(work).await.unwrap_or_else(|| Err(panicked())),
            Err(_payload) => Err(panicked()),
        }
    }

    fn handler(&self, method: &str) -> Option<Handler> {
        let handlers = self.handlers.read().unwrap_or_else(PoisonError::into_inner);
        let by_prefix = || {
            let matching = handlers.prefix.iter().filter(|(prefix, _)| method.starts_with(prefix.as_str()));
            matching.max_by_key(|(prefix, _)| prefix.len()).map(|(_, handler)| handler)
        };
        handlers.literal.get(method).or_else(by_prefix).cloned()
    }
}

/// A future whose panic is `None`.
struct Catch(HostFuture);

impl Future for Catch {
    type Output = Option<Result<HostReply, HostError>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match std::panic::catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(context))) {
            Ok(poll) => poll.map(Some),
            Err(_payload) => Poll::Ready(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(host: &Host, method: &str) -> Result<HostReply, HostError> {
        let request = HostRequest {
            plugin: PluginName::new("p").unwrap(),
            instance: InstanceId(1),
            method: method.into(),
            content_type: 0,
            body: Vec::new(),
            remaining: Duration::from_secs(1),
            trace: Trace::default(),
            answer_bytes_max: 0,
        };
        let answer = std::pin::pin!(host.answer(request));
        match answer.poll(&mut Context::from_waker(std::task::Waker::noop())) {
            Poll::Ready(answer) => answer,
            Poll::Pending => panic!("these handlers answer at once"),
        }
    }

    fn says(word: &'static str) -> impl Fn(HostRequest) -> HostFuture {
        move |_| Box::pin(async move { Ok(HostReply { content_type: 0, body: word.into() }) })
    }

    #[test]
    fn the_longest_match_answers() {
        let host = Host::default();
        host.on("*", says("any"));
        host.on("a.*", says("a"));
        host.on("a.b.*", says("a.b"));
        host.on("a.b.c", says("exact"));
        for (method, word) in [("x", "any"), ("a.x", "a"), ("a.b.x", "a.b"), ("a.b.c", "exact")] {
            assert_eq!(ask(&host, method).unwrap().body, word.as_bytes(), "{method}");
        }
    }

    #[test]
    fn nobody_and_panics_are_errors() {
        let host = Host::default();
        assert_eq!(ask(&host, "x").unwrap_err().code, "not_found");
        host.on("early", |request| panic!("{request:?}"));
        host.on("late", |request| Box::pin(async move { panic!("{request:?}") }));
        for method in ["early", "late"] {
            assert_eq!(ask(&host, method).unwrap_err().code, "internal");
        }
    }
}
