//! A loaded plugin: calls, and what its operator may do with it. Its life is the machine of `lifecycle`; here and below,
//! what the machine wants is done.
//!
//! | module | does |
//! |---|---|
//! | `version` | a module's code with a proven zygote of it |
//! | `renew` | a new version, or a new policy, beside what runs |
//! | `driver` | the machine under its lock, and its actions |
//! | `ticket` | one call, from the machine's word to its answer; whoever waits for a fork forks |
//! | `inbox` | the events that wait for it |
//! | `delivery` | tells them to its instances |
//! | `background` | what nobody waits for: restarts, spares, alarms, and the ends of zygotes |
//! | `status` | how it is, in words |

mod background;
mod delivery;
mod driver;
mod inbox;
mod renew;
mod status;
mod ticket;
mod version;

use crate::instance::{Asked, Reply, Shared, Terms, To, admit_input};
use crate::lifecycle::{Event, State};
use crate::load::Source;
use crate::scope::Scope;
use casemate_protocol::certificate::Certificate;
use casemate_protocol::ids::{ClientId, PluginName};
use casemate_protocol::link::METHOD_BYTES_MAX;
use casemate_protocol::module::{CompileReport, ModuleFacts};
use casemate_protocol::outcome::{Cause, Failure};
use casemate_protocol::status::Status;
use delivery::Reception;
use driver::{Driver, STOP_PATIENCE};
use std::sync::{Arc, Weak};
use ticket::Ticket;

pub(crate) use renew::Way;
pub(crate) use version::{Proven, compile_spec};

/// A loaded plugin; clones share it. Its processes end when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Plugin {
    driver: Arc<Driver>,
    /// Events come as long as anybody holds the plugin.
    reception: Arc<Reception>,
    client: ClientId,
}

/// A plugin that is not kept alive by this.
#[derive(Debug)]
pub(crate) struct WeakPlugin(Weak<Driver>, Weak<Reception>);

impl WeakPlugin {
    pub(crate) fn upgrade(&self) -> Option<Plugin> {
        let (driver, reception) = (self.0.upgrade()?, self.1.upgrade()?);
        Some(Plugin { driver, reception, client: ClientId::default() })
    }
}

impl Plugin {
    /// A running plugin of what has been loaded and proven.
    pub(crate) fn run(shared: Arc<Shared>, proven: Proven) -> Self {
        let driver = Driver::run(shared, proven);
        driver.poll_if_wanted();
        let reception = Arc::new(Reception::open(&driver));
        Self { driver, reception, client: ClientId::default() }
    }

    pub(crate) fn downgrade(&self) -> WeakPlugin {
        WeakPlugin(Arc::downgrade(&self.driver), Arc::downgrade(&self.reception))
    }

    /// The same plugin for one of those who call it: with `isolation = "client"`, no instance serves two.
    #[must_use]
    pub fn for_client(&self, client: ClientId) -> Self {
        Self { client, ..self.clone() }
    }

    /// Its name.
    pub fn name(&self) -> &PluginName {
        &self.driver.shared().name
    }

    /// What the module of its active version imports, exports and is.
    pub fn facts(&self) -> ModuleFacts {
        self.driver.version().facts().clone()
    }

    /// Whether the code of its active version came out of the cache, compiled at an earlier load.
    pub fn from_cache(&self) -> bool {
        self.driver.version().is_from_cache()
    }

    /// What stands around its instances.
    pub fn certificate(&self) -> Certificate {
        self.driver.certificate()
    }

    /// Whether its module is a program: each call runs it from its start to its end.
    pub fn is_command(&self) -> bool {
        self.driver.version().is_command()
    }

    /// What the compiler said of the module of its active version.
    pub fn report(&self) -> CompileReport {
        self.driver.version().report()
    }

    /// The configuration that its instances are set up with, as JSON text.
    pub fn config(&self) -> Option<Arc<[u8]>> {
        self.driver.shared().config()
    }

    /// Bytes that a call's body may have now.
    pub fn input_bytes_max(&self) -> u64 {
        self.driver.shared().policy().limits().input_bytes.into()
    }

    /// How it is.
    pub fn status(&self) -> Status {
        self.driver.status()
    }

    /// Has it told every event whose topic one of these matches, in place of those before. Its policy has to grant all of
    /// them (`permissions.subscribe`), and its module must have an ear for them.
    ///
    /// They are told to it one after the other, each to one of its instances, at most once. While it is started again, up to
    /// 1,000 wait; the oldest go first, and are counted in its status. What waits while it is disabled or stopped is dropped.
    pub fn subscribe_to(&self, patterns: Vec<String>) -> Result<(), Failure> {
        let policy = self.driver.shared().policy();
        let invalid = |message| Err(Failure::not_started(Cause::Configuration { message }));
        if let Some(pattern) = patterns.iter().find(|pattern| !policy.allows_subscribe(pattern)) {
            let pattern: String = pattern.chars().take(80).collect();
            let granted = policy.subscribe();
            return invalid(format!(
                "events of {pattern:?} are not granted: permissions.subscribe is {granted:?}; add it there, or do not \
                 subscribe to it"
            ));
        }
        if !patterns.is_empty() && !self.driver.version().wants().events {
            return invalid(
                "its module exports no casemate_event, nor what its dialect has in its place: it cannot be told of \
                 events"
                    .to_owned(),
            );
        }
        self.reception.subscribe_to(patterns);
        Ok(())
    }

    /// Makes one call: in an idle instance, in a new one while there may be more, or after waiting for one. Calls wait in
    /// order, also while the plugin is started again after a crash.
    ///
    /// Cancel safety: dropping the future before the call has an instance loses nothing; after that it kills the
    /// instance.
    pub async fn call(&self, method: &str, content_type: u32, body: &[u8]) -> Result<Reply, Failure> {
        self.call_in(&Scope::default(), method, content_type, body).await
    }

    /// As [`Plugin::call`], with something around the call.
    pub async fn call_in(
        &self,
        scope: &Scope,
        method: &str,
        content_type: u32,
        body: &[u8],
    ) -> Result<Reply, Failure> {
        match self.run_in(scope, method, content_type, body).await? {
            reply if reply.exit_code == 0 => Ok(reply),
            Reply { exit_code, .. } => {
                let message = format!("it ended with exit code {exit_code}");
                let (code, retryable) = ("exit".to_owned(), false);
                Err(Failure::done(Cause::GuestError { code, message, retryable }))
            }
        }
    }

    /// The same, for whom a program's exit code is no failure.
    pub async fn run_in(
        &self,
        scope: &Scope,
        method: &str,
        content_type: u32,
        body: &[u8],
    ) -> Result<Reply, Failure> {
        self.check_input(method, body)?;
        let asked = Asked { method, content_type, body, scope, to: To::Answer };
        Ticket::take(&self.driver, self.client).serve(&asked).await
    }

    /// Has an instance set up, asks it what it is, and tells it of its end: whether it does all that, before anybody relies on it.
    /// The answer is what it says of itself, in its dialect's words; nothing where that has none.
    pub async fn rehearse(&self) -> Result<Reply, Failure> {
        Ticket::take(&self.driver, self.client).rehearse().await
    }

    /// Takes no new calls, lets those that run finish, refuses those that wait, and ends its processes. Returns when it is
    /// off. What it was before it came back only by [`Plugin::enable`].
    ///
    /// With a state directory that holds for one with a table in the configuration until it is enabled, also in later runs.
    pub async fn disable(&self) -> Result<(), Failure> {
        self.driver.order(Event::Disable);
        self.driver.until(|state| state != State::Draining).await;
        self.keep_enabled(false).await
    }

    /// Takes no new calls, lets those that run or wait finish, and ends its processes. Returns when it has none.
    pub async fn drain(&self) {
        self.driver.order(Event::Drain);
        self.driver.until(|state| state != State::Draining).await;
    }

    /// Starts it, if it is disabled or stopped; also after crashes, which stay counted. Returns when it runs; after a
    /// failed start that is after the pause and the next one, until it gives up.
    pub async fn enable(&self) -> Result<(), Failure> {
        self.may_run().await?;
        self.driver.order(Event::Enable);
        self.keep_enabled(true).await?;
        self.runs().await
    }

    /// Forgets its crashes, and starts it if they disabled it or it waits for its next start. Returns as
    /// [`Plugin::enable`] does; a plugin that its operator has disabled stays so, which is the failure then.
    pub async fn reset(&self) -> Result<(), Failure> {
        self.may_run().await?;
        self.driver.tell(Event::Reset);
        self.runs().await
    }

    async fn runs(&self) -> Result<(), Failure> {
        match self.driver.until(|state| !matches!(state, State::Starting | State::Backoff)).await {
            State::Running => Ok(()),
            _ => Err(self.driver.refusal()),
        }
    }

    /// Loads a new version of it beside the one that runs, forks an instance of it to see that it lives, and lets it take
    /// over: calls from then on go to the new one, and the old one finishes its own. After a failure the old one is as it
    /// was. A plugin that is stopped or disabled stays so and has the new version when it is started.
    ///
    /// Cancel safety: dropping the future before the new version has taken over leaves the old one.
    pub async fn reload(&self, wasm: &[u8]) -> Result<(), Failure> {
        self.renew(Some(Source::Module(Arc::from(wasm))), Terms::default()).await
    }

    /// Ends its processes. Calls that run end as lost, later ones as closed.
    pub async fn close(&self) {
        self.reception.close();
        // Also when this future is dropped.
        let _end = End(&self.driver);
        // One that is being polled would not be told of its end.
        let _turn = tokio::time::timeout(STOP_PATIENCE, self.driver.polling().lock()).await;
    }

    fn check_input(&self, method: &str, body: &[u8]) -> Result<(), Failure> {
        if method.len() > METHOD_BYTES_MAX {
            let message = format!("the method has {} bytes; {METHOD_BYTES_MAX} are the most", method.len());
            return Err(Failure::not_started(Cause::Input { message }));
        }
        admit_input(&self.driver.shared().policy(), body)
    }
}

/// Ends a plugin when it is dropped.
struct End<'a>(&'a Driver);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.tell(Event::Close);
    }
}
