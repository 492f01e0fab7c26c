//! What the daemon does for a client's calls, requests and followings: permission first, then the plugin or the office.

use super::access::Access;
use super::conversation::Conversation;
use super::feed::{EventMailbox, Subscription, Wanted};
use super::line::{Following, Line, Streaming};
use super::mailbox::Mailbox;
use super::office::Office;
use super::words;
use super::work::{Done, work};
use crate::configured::Sent;
use crate::events::Subscriber;
use crate::module_file::read_module;
use crate::pipe::Pipe;
use crate::policy::ConfigError;
use crate::policy::Manifest;
use crate::scope::{Bodies, Deadline, Scope};
use crate::supervisor::LoadOptions;
use casemate_protocol::client::request::Operation as Op;
use casemate_protocol::client::{Call, Change, Follow, Opening, Request, Response, Right, follow};
use casemate_protocol::feed::Event;
use casemate_protocol::host::Trace;
use casemate_protocol::link::CONFIG_BYTES_MAX;
use casemate_protocol::module::MODULE_BYTES_MAX;
use casemate_protocol::outcome::{Cause, Failure, escape};
use casemate_protocol::policy::{is_topic, is_topic_pattern};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the plugin has written and the client has not taken: one frame's worth, then it waits.
const OUTPUT_BYTES: usize = 64 << 10;

/// Followings of one connection: each has a buffer.
const FOLLOWINGS_MAX: usize = 16;

/// Bytes of a published event's body.
const EVENT_BYTES_MAX: u64 = 64 << 10;

/// What a client of a later version may ask for.
const NOT_KNOWN: &str = "this daemon does not know that operation: it is of an older version than the client";

fn wrong(message: impl Into<String>) -> Failure {
    Failure::not_started(Cause::Input { message: message.into() })
}

impl Conversation {
    /// A call of a plugin.
    pub(super) fn call(&mut self, id: u64, call: Call, body: &[u8], more: bool) -> Result<(), Failure> {
        self.access.check(Right::Call, "call", Some(&call.plugin))?;
        let plugin = self.office.plugin(&call.plugin)?;
        if !call.stream {
            let bytes_max = plugin.input_bytes_max();
            return self.collect(id, Opening::Call(call), body, more, bytes_max);
        }
        let bodies = Bodies {
            input: self.input(body, more),
            output: Arc::new(Pipe::watched(OUTPUT_BYTES, Arc::clone(&self.wake))),
            errors: None,
        };
        let held = self.start_call(id, call, Vec::new(), Some(bodies.clone()), now())?;
        self.lines.insert(id, Line::Streaming(Box::new(Streaming { bodies, answering: None, _work: held })));
        Ok(())
    }

    /// Its body is complete.
    pub(super) fn begin(
        &mut self,
        id: u64,
        opening: Opening,
        body: Vec<u8>,
        began: Instant,
    ) -> Result<(), Failure> {
        let held = match opening {
            Opening::Call(call) => self.start_call(id, call, body, None, began)?,
            Opening::Request(Request { operation: Some(operation), .. }) => {
                self.start(id, operation, body)?
            }
            Opening::Request(_) | Opening::Follow(_) | Opening::HostCall(_) => return Ok(()),
        };
        self.lines.insert(id, Line::Working { _held: held });
        Ok(())
    }

    fn start_call(
        &mut self,
        id: u64,
        call: Call,
        body: Vec<u8>,
        bodies: Option<Bodies>,
        began: Instant,
    ) -> Result<super::line::Work, Failure> {
        let plugin = self.office.plugin(&call.plugin)?.for_client(self.client);
        self.office.count_call();
        let within = Duration::from_millis(call.deadline_ms.into());
        let scope = Scope {
            deadline: (call.deadline_ms > 0).then_some(Deadline { began, within }),
            desk: Some(self.call_desk(id)),
            trace: Trace { parent: call.traceparent, state: call.tracestate },
            bodies,
        };
        let content_type = u32::try_from(call.content_type).unwrap_or_default();
        let method = call.method;
        let office = Arc::clone(&self.office);
        let (work, held) = work(id, async move {
            let called = plugin.call_in(&scope, &method, content_type, &body).await;
            if let Err(failure) = &called {
                office.judge(plugin.name().as_str(), failure);
            }
            Done::Call(called)
        });
        self.work(work);
        Ok(held)
    }

    /// Whether the client may have that done, and how long its body may be.
    pub(super) fn admit(&self, request: &Request) -> Result<u64, Failure> {
        let Some(operation) = &request.operation else { return Err(wrong(NOT_KNOWN)) };
        let module = MODULE_BYTES_MAX;
        let (what, bytes_max) = match operation {
            Op::List(_) => ("list plugins", 0),
            Op::Info(_) => ("see", 0),
            Op::Stats(_) => ("see counts", 0),
            Op::Publish(_) => ("publish events", EVENT_BYTES_MAX),
            Op::Serve(_) | Op::Unserve(_) => ("serve host methods", 0),
            Op::Load(_) => ("load", module),
            Op::Unload(_) => ("unload", 0),
            Op::Enable(_) => ("enable", 0),
            Op::Disable(_) => ("disable", 0),
            Op::Drain(_) => ("drain", 0),
            Op::Reset(_) => ("reset", 0),
            Op::Reload(_) => ("reload", module),
            Op::ConfigGet(_) => ("see the configuration of", 0),
            Op::ConfigSet(_) => ("configure", CONFIG_BYTES_MAX.into()),
            Op::ReloadPolicy(_) => ("have the configuration read anew", 0),
            Op::Inspect(_) => ("inspect modules", module),
        };
        self.access.check(operation.right(), what, operation.plugin())?;
        Ok(bytes_max)
    }

    fn start(&mut self, id: u64, operation: Op, body: Vec<u8>) -> Result<super::line::Work, Failure> {
        let (office, access, client) = (Arc::clone(&self.office), self.access.clone(), self.client);
        // What concerns this client is done at once.
        match &operation {
            Op::Serve(op) => self.serve(&op.method)?,
            Op::Unserve(op) => {
                self.desk.unserve(&op.method);
            }
            _ => {}
        }
        let (work, held) = work(id, async move {
            let done = match operation {
                Op::List(_) => Ok(words::plugins(&office.plugins(&access))),
                Op::ReloadPolicy(_) => {
                    office.reload_policy(json!({"client": client.0, "uid": access.uid})).await
                }
                Op::Publish(op) => office.publish(&access, op.topic, op.content_type, body),
                Op::Inspect(_) => {
                    let inspected = office.supervisor.inspect(&body).await;
                    return Done::Response(inspected.map(|report| (Box::default(), report.encode())));
                }
                Op::Info(op) => return Done::Response(office.info(&op.plugin)),
                Op::ConfigGet(op) => return Done::Response(office.config(&op.plugin)),
                operation => {
                    let audited = audited(&operation);
                    let changed = office.change(operation, body).await;
                    if let Some((event, plugin)) = audited {
                        let (ok, what) = told(&changed);
                        let uid = access.uid;
                        office.record(
                            event,
                            json!({"client": client.0, "uid": uid, "plugin": plugin, "ok": ok, "what": what}),
                        );
                    }
                    changed
                }
            };
            Done::Response(done.map(|response| (Box::new(response), Vec::new())))
        });
        self.work(work);
        Ok(held)
    }

    fn serve(&self, method: &str) -> Result<(), Failure> {
        let stem = method.strip_suffix('*').unwrap_or(method);
        if method.is_empty() || stem.contains('*') {
            return Err(wrong(format!(
                "{method:?} is no host method: write its name, or the beginning of names and a *"
            )));
        }
        if !self.desk.serve(method) {
            return Err(wrong("this client serves too many methods"));
        }
        Ok(())
    }

    pub(super) fn begin_following(&mut self, follow: Follow) -> Result<Following, Failure> {
        self.access.check(Right::Call, "follow events and logs", None)?;
        let followings = self.lines.values().filter(|line| matches!(line, Line::Following(_))).count();
        if followings >= FOLLOWINGS_MAX {
            let hint = "cancel one, or follow a wider pattern";
            return Err(wrong(format!("{FOLLOWINGS_MAX} followings are the most of a connection: {hint}")));
        }
        let mailbox = Arc::new(Mailbox::new(Arc::clone(&self.wake)));
        let subscription = match follow.what {
            Some(follow::What::Subscribe(op)) if is_topic_pattern(&op.pattern) => {
                let (mailbox, access) = (Arc::clone(&mailbox), self.access.clone());
                let subscriber = Arc::new(EventMailbox { mailbox, access }) as Arc<dyn Subscriber>;
                Subscription::Events {
                    _held: self.office.supervisor.events().subscribe(&op.pattern, subscriber),
                }
            }
            Some(follow::What::Subscribe(op)) => {
                let message = "is no pattern of topics: write parts with dots between; a part may be *, the last one **";
                return Err(wrong(format!("{:?} {message}", op.pattern)));
            }
            Some(follow::What::Logs(op)) => {
                let plugin = Some(op.plugin).filter(|plugin| !plugin.is_empty());
                if let Some(plugin) = &plugin {
                    self.access.check(Right::Call, "follow the log of", Some(plugin))?;
                    self.office.plugin(plugin)?;
                }
                let wanted = Wanted { plugin, plugins: self.access.plugins.clone(), level_min: op.level_min };
                Subscription::Logs { _held: self.office.logs.follow(wanted, &mailbox) }
            }
            None => return Err(wrong(NOT_KNOWN)),
        };
        Ok(Following { mailbox, _subscription: subscription })
    }
}

/// Whether it went well, and if not why.
fn told(done: &Result<Response, Failure>) -> (bool, String) {
    match done {
        Ok(_) => (true, String::new()),
        Err(failure) => (false, failure.to_string()),
    }
}

/// What a change is called in the audit log, and which plugin it is of.
fn audited(operation: &Op) -> Option<(&'static str, String)> {
    let event = match operation {
        Op::Load(_) => "plugin.load",
        Op::Unload(_) => "plugin.unload",
        Op::Enable(_) => "plugin.enable",
        Op::Disable(_) => "plugin.disable",
        Op::Drain(_) => "plugin.drain",
        Op::Reset(_) => "plugin.reset",
        Op::Reload(_) => "plugin.reload",
        Op::ConfigSet(_) => "plugin.configure",
        _ => return None,
    };
    Some((event, escape(operation.plugin().unwrap_or_default(), 128)))
}

/// A caller's time is measured from its opening.
#[expect(clippy::disallowed_methods, reason = "the caller's time is measured from here")]
pub(super) fn now() -> Instant {
    Instant::now()
}

impl Office {
    fn publish(
        &self,
        access: &Access,
        topic: String,
        content_type: i32,
        body: Vec<u8>,
    ) -> Result<Response, Failure> {
        if !is_topic(&topic) {
            return Err(wrong(format!("{topic:?} is no topic: write parts with dots between")));
        }
        let content_type = u32::try_from(content_type).unwrap_or_default();
        let event = Event { topic, content_type, body: body.into(), plugin: None };
        self.supervisor.events().publish_to(&event, |plugin| access.may_use(plugin));
        Ok(Response::default())
    }

    fn info(&self, name: &str) -> Result<(Box<Response>, Vec<u8>), Failure> {
        let plugin = self.plugin(name)?;
        let compared = self.supervisor.compared(name);
        Ok((Box::new(words::info(&plugin, compared)), plugin.report().encode()))
    }

    fn config(&self, name: &str) -> Result<(Box<Response>, Vec<u8>), Failure> {
        let config = self.plugin(name)?.config().unwrap_or_else(|| Arc::from(&b"null"[..]));
        Ok((Box::default(), config.to_vec()))
    }

    /// The module that the configuration names.
    fn module(&self, name: &str) -> Result<Vec<u8>, Failure> {
        match self.supervisor.configuration().module(name) {
            Some(path) => read_module(&path),
            None => Err(wrong(format!("the configuration has no path for {name:?}: send the new module"))),
        }
    }

    async fn reload_policy(&self, by: Value) -> Result<Response, Failure> {
        let changes = self
            .reload(by)
            .await
            .map_err(|error| Failure::not_started(Cause::Configuration { message: error.to_string() }))?;
        Ok(Response { changes, ..Response::default() })
    }

    /// Reads the configuration anew, and writes down `by` whom and what came of it; plugins that it names for the first time
    /// are loaded.
    pub(super) async fn reload(&self, mut by: Value) -> Result<Vec<Change>, ConfigError> {
        let reloaded = self.renew().await;
        if let Value::Object(by) = &mut by {
            by.insert("ok".to_owned(), reloaded.is_ok().into());
            let what = reloaded.as_ref().err().map(ToString::to_string).unwrap_or_default();
            by.insert("what".to_owned(), what.into());
        }
        self.record("policy.reload", by);
        reloaded
    }

    async fn renew(&self) -> Result<Vec<Change>, ConfigError> {
        let listen = self.supervisor.configuration().daemon().listen.clone();
        let reloaded = self.supervisor.reload().await?;
        if self.supervisor.configuration().daemon().listen != listen {
            tracing::warn!("daemon.listen is another one now: that holds from the daemon's next start on");
        }
        self.renewed();
        let mut changes: Vec<Change> = reloaded.plugins.iter().map(words::change).collect();
        for (plugin, loaded) in self.load_missing().await {
            let (what, message) = match loaded {
                Ok(()) => ("loaded", String::new()),
                Err(failure) => ("failed", failure.to_string()),
            };
            changes.push(Change { plugin, what: what.to_owned(), message });
        }
        Ok(changes)
    }

    /// What changes a plugin, and answers with how it is then.
    #[expect(clippy::disallowed_methods, reason = "the time since the start is measured here")]
    async fn change(&self, operation: Op, body: Vec<u8>) -> Result<Response, Failure> {
        let invalid = |message: String| Failure::not_started(Cause::Configuration { message });
        let plugin = match operation {
            Op::Load(op) => {
                let manifest = Some(op.manifest.as_str()).filter(|text| !text.is_empty());
                let manifest =
                    manifest.map(|text| Manifest::parse(text, "the manifest that was sent")).transpose();
                let manifest = manifest.map_err(|error| invalid(error.to_string()))?;
                let config = Some(op.config.into_bytes()).filter(|text| !text.is_empty());
                let sent = (!op.configured).then_some(Sent { wasm: body, manifest });
                self.load(&op.plugin, sent, LoadOptions { config, ..LoadOptions::default() }).await?
            }
            Op::Unload(op) => {
                self.unload(&op.plugin).await?;
                return Ok(Response::default());
            }
            Op::Enable(op) => {
                let plugin = self.plugin(&op.plugin)?;
                plugin.enable().await?;
                plugin
            }
            Op::Disable(op) => {
                let plugin = self.plugin(&op.plugin)?;
                plugin.disable().await?;
                plugin
            }
            Op::Drain(op) => {
                let plugin = self.plugin(&op.plugin)?;
                plugin.drain().await;
                plugin
            }
            Op::Reset(op) => {
                let plugin = self.plugin(&op.plugin)?;
                plugin.reset().await?;
                plugin
            }
            Op::Reload(op) => {
                let plugin = self.plugin(&op.plugin)?;
                let wasm = if op.configured { self.module(&op.plugin)? } else { body };
                plugin.reload(&wasm).await?;
                plugin
            }
            Op::ConfigSet(op) => {
                let plugin = self.plugin(&op.plugin)?;
                self.supervisor
                    .check_config(&op.plugin, &body)
                    .map_err(|error| invalid(error.to_string()))?;
                plugin.set_config(body).await?;
                plugin
            }
            Op::Stats(_) => {
                return Ok(Response { counters: Some(self.counters(Instant::now())), ..Response::default() });
            }
            _ => return Ok(Response::default()),
        };
        Ok(words::plugin_response(&plugin))
    }
}
