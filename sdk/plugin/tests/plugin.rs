//! What `#[plugin]` makes of an impl block, seen through the bytes that the exports pass on.

#![expect(missing_docs, reason = "these plugins are for the tests alone")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

use casemate_plugin::__private::Instance;
use casemate_plugin::{Error, Event, Plugin, host, log, plugin, testing};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Deserialize)]
struct Config {
    start: u64,
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
pub struct Pair {
    a: i32,
    b: String,
}

type Answer<T> = Result<T, Error>;

/// An error of the author's own.
#[derive(Debug)]
pub struct Refused;

impl From<Refused> for Error {
    fn from(_: Refused) -> Self {
        Error::new("refused", "no").retryable()
    }
}

#[derive(Debug)]
pub struct Everything {
    count: u64,
    topics: Vec<String>,
}

#[plugin]
impl Everything {
    fn init(config: Config) -> Result<Self, Error> {
        if config.start > 99 {
            return Err(Error::new("too_high", "start: at most 99"));
        }
        Ok(Self::from(config.start))
    }

    pub fn idle() -> Self {
        Self::from(0)
    }

    fn from(count: u64) -> Self {
        Everything { count, topics: Vec::new() }
    }

    pub fn count(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    pub fn pair(&self, pair: Pair) -> Pair {
        pair
    }

    pub fn several(&self, a: i32, b: String, times: Option<usize>) -> Answer<Pair> {
        Ok(Pair { a, b: b.repeat(times.unwrap_or(1)) })
    }

    pub fn nothing(&self) {}

    pub fn refuse(&self, _why: &str) -> Result<(), Refused> {
        Err(Refused)
    }

    pub fn ask(&self, what: String) -> Result<Value, Error> {
        log::debug!("asks for {what}");
        host::call(&what, &json!(null))
    }

    pub fn r#type(&self) -> &'static str {
        "a keyword is a name like any other"
    }

    /// The names of the trait's own functions are free too.
    pub fn dispatch(&self, text: &str) -> usize {
        text.len()
    }

    #[cfg(any())]
    pub fn gone(&self) -> Missing {
        Missing
    }

    #[raw]
    fn reverse(&self, body: &[u8]) -> Vec<u8> {
        body.iter().rev().copied().collect()
    }

    #[raw]
    pub fn owned(&mut self, body: Vec<u8>) -> Result<Vec<u8>, Refused> {
        if body.is_empty() { Err(Refused) } else { Ok(body) }
    }

    #[raw]
    fn fixed(&self) -> &'static str {
        "fixed"
    }

    pub fn topics(&self) -> &[String] {
        &self.topics
    }

    #[event]
    fn on_event(&mut self, event: Event<'_>) -> Result<(), Error> {
        let body: Value = event.json()?;
        self.topics.push(format!("{} {body}", event.topic()));
        Ok(())
    }
}

/// The least there can be, in a module of its own: one crate exports one plugin, natively none.
pub mod least {
    #[derive(Debug, Default)]
    pub struct Least;

    #[casemate_plugin::plugin]
    impl Least {
        pub fn one(&self) -> u8 {
            1
        }
    }
}

fn request(method: &str, content: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(method.len()).unwrap().to_le_bytes();
    [&len, method.as_bytes(), &[content], body].concat()
}

fn call_json(instance: &Instance<Everything>, method: &str, body: &str) -> Result<Value, Error> {
    let reply = instance.call(&request(method, 1, body.as_bytes()));
    match reply.as_slice() {
        [0, 1, body @ ..] => Ok(serde_json::from_slice(body).unwrap()),
        [1, 1, body @ ..] => Err(serde_json::from_slice(body).unwrap()),
        other => panic!("no JSON reply: {other:?}"),
    }
}

fn running() -> Instance<Everything> {
    let instance = Instance::new();
    assert_eq!(instance.init(br#"{"start": 40}"#), b"\x00\x01null");
    instance
}

#[test]
fn it_says_what_it_is() {
    let described = Instance::<Everything>::describe();
    assert_eq!(described[..2], [0, 1]);
    let described: Value = serde_json::from_slice(&described[2..]).unwrap();
    assert_eq!(described["id"], "casemate-plugin");
    assert_eq!(described["name"], "Everything");
    assert_eq!(described["version"], env!("CARGO_PKG_VERSION"));
    let method = |name: &str, content: &str| json!({"name": name, "content": content});
    let expected = [
        method("count", "json"),
        method("pair", "json"),
        method("several", "json"),
        method("nothing", "json"),
        method("refuse", "json"),
        method("ask", "json"),
        method("type", "json"),
        method("dispatch", "json"),
        method("reverse", "raw"),
        method("owned", "raw"),
        method("fixed", "raw"),
        method("topics", "json"),
    ];
    assert_eq!(described["methods"], json!(expected));
}

#[test]
fn arguments_and_answers_of_every_shape() {
    let instance = running();
    assert_eq!(call_json(&instance, "count", "").unwrap(), 41);
    assert_eq!(call_json(&instance, "count", "null").unwrap(), 42);
    let pair = json!({"a": -1, "b": "x"});
    assert_eq!(call_json(&instance, "pair", &pair.to_string()).unwrap(), pair);
    let several = call_json(&instance, "several", r#"{"b": "xy", "a": 3, "times": 2}"#).unwrap();
    assert_eq!(several, json!({"a": 3, "b": "xyxy"}));
    let several = call_json(&instance, "several", r#"{"b": "xy", "a": 3}"#).unwrap();
    assert_eq!(several, json!({"a": 3, "b": "xy"}));
    assert_eq!(call_json(&instance, "nothing", "{}").unwrap(), Value::Null);
    assert_eq!(call_json(&instance, "type", "").unwrap(), "a keyword is a name like any other");
    assert_eq!(call_json(&instance, "dispatch", "\"four\"").unwrap(), 4);
}

#[test]
fn raw_methods_see_bytes() {
    let instance = running();
    assert_eq!(instance.call(&request("reverse", 0, b"\x01\x02\xff")), b"\x00\x00\xff\x02\x01");
    assert_eq!(instance.call(&request("owned", 0, b"ab")), b"\x00\x00ab");
    assert_eq!(instance.call(&request("fixed", 0, b"")), b"\x00\x00fixed");
    assert_eq!(instance.call(&request("owned", 0, b""))[..2], [1, 1]);
}

#[test]
fn every_mistake_of_the_caller_is_an_error_reply() {
    let instance = running();
    let unknown = call_json(&instance, "mystery", "").unwrap_err();
    assert_eq!(unknown.code, "unknown_method");
    assert!(unknown.message.contains("`mystery`") && unknown.message.contains("`reverse`"), "{unknown}");
    assert_eq!(call_json(&instance, "gone", "").unwrap_err().code, "unknown_method");
    let bad = call_json(&instance, "pair", r#"{"a": 1}"#).unwrap_err();
    assert_eq!(bad.code, "bad_input");
    assert!(bad.message.starts_with("method `pair`: missing field `b`"), "{bad}");
    assert_eq!(call_json(&instance, "several", "[]").unwrap_err().code, "bad_input");
    assert_eq!(call_json(&instance, "pair", "").unwrap_err().code, "bad_input");
    assert_eq!(call_json(&instance, "count", "7").unwrap_err().code, "bad_input");
    let refused = call_json(&instance, "refuse", "\"why\"").unwrap_err();
    assert_eq!((refused.code.as_ref(), refused.retryable), ("refused", true));
    assert_eq!(call_json(&instance, "ask", "\"x\"").unwrap_err().code, host::NO_HOST);
    let cut = instance.call(b"\x05\x00sta");
    assert!(String::from_utf8_lossy(&cut).contains("bad_request"));
    // And it goes on.
    assert_eq!(call_json(&instance, "count", "").unwrap(), 41);
}

#[test]
fn a_plugin_is_started_once_and_stopped_once() {
    let refused = Instance::<Everything>::new();
    assert!(String::from_utf8_lossy(&refused.init(br#"{"start": 100}"#)).contains("too_high"));
    assert!(String::from_utf8_lossy(&refused.init(br#"{"begin": 1}"#)).contains("missing field `start`"));
    let error = call_json(&refused, "count", "").unwrap_err();
    assert_eq!(error.code, "bad_config");
    assert_eq!(refused.init(br#"{"start": 1}"#), b"\x00\x01null");
    assert_eq!(call_json(&refused, "count", "").unwrap(), 2);

    let instance = running();
    assert!(String::from_utf8_lossy(&instance.init(b"{}")).contains("already_initialised"));
    assert_eq!(instance.shutdown(), 0);
    assert_eq!(call_json(&instance, "count", "").unwrap_err().code, "shut_down");
    assert!(String::from_utf8_lossy(&instance.init(b"{}")).contains("shut_down"));
}

#[test]
fn events_reach_the_plugin() {
    let instance = running();
    assert_eq!(instance.event(&request("boat.speed", 1, b"7")), 0);
    assert_eq!(instance.event(&request("boat.speed", 1, b"seven")), 1);
    assert_eq!(instance.event(b""), 1);
    assert_eq!(call_json(&instance, "topics", "").unwrap(), json!(["boat.speed 7"]));
}

#[test]
fn a_default_plugin_starts_with_any_configuration() {
    for config in [json!(null), json!({"any": 1})] {
        let mut plugin: least::Least = testing::start(&config).unwrap();
        assert_eq!(testing::call::<_, _, u8>(&mut plugin, "one", &()).unwrap(), 1);
    }
    assert_eq!(least::Least::DESCRIPTOR.methods.len(), 1);
    assert_eq!(Everything::idle().count, 0);
}
