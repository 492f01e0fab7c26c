//! A new version, or a new policy, beside what runs.

use super::Plugin;
use super::driver::Driver;
use super::version::Proven;
use crate::instance::{Beside, Terms};
use crate::lifecycle::{Event, Generation, Refusal, State};
use crate::load::{Source, load};
use crate::policy::needs_new_version;
use crate::store::Record;
use casemate_protocol::outcome::{Cause, Failure, escape};
use casemate_protocol::policy::Policy;
use std::sync::Arc;

/// Bytes of what a schema says against a configuration.
const MESSAGE_BYTES_MAX: usize = 4096;

/// How a plugin comes to another policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It is the one it has.
    None,
    /// It has it already.
    AtOnce,
    /// A new version has it.
    ByNewVersion,
    /// It does not run, and has it when it is started.
    WhenStarted,
}

impl Plugin {
    /// Loads and probes a new version beside the one that runs, and lets it take over: of another module, or of the same;
    /// under other terms, or under those that hold.
    ///
    /// Cancel safety: dropping the future before the new version has taken over leaves the old one.
    pub(crate) async fn renew(&self, source: Option<Source>, terms: Terms) -> Result<(), Failure> {
        let generation = self.driver.begin_reload(terms.policy.as_deref())?;
        let _given_up = GivenUp { driver: &self.driver, generation };
        let shared = self.driver.shared().under(&terms);
        let proven = match source {
            Some(source) => load(&shared, &source).await?,
            None => Proven::again(self.driver.version(), &shared).await?,
        };
        proven.probe(&shared).await?;
        self.driver.take_over(generation, proven, terms)
    }

    /// Comes to another policy, and to other code with what lies beside it if that is given, without dropping a call. After a
    /// failure it is under the old one.
    pub(crate) async fn take_policy(
        &self,
        policy: Policy,
        moved: Option<(Source, Beside)>,
    ) -> Result<Way, Failure> {
        let (source, manifest) = moved.unzip();
        let (old, policy) = (self.driver.shared().policy(), Arc::new(policy));
        // A module that it was to have and does not have yet is not forgotten.
        let source = source.or_else(|| self.driver.lock().due.as_ref()?.1.clone());
        if source.is_some() || needs_new_version(&old, &policy) {
            return match self.status().state {
                State::Starting | State::Running | State::Backoff => {
                    self.renew(source, Terms { manifest, ..Terms::policy(policy) }).await?;
                    self.driver.lock().due = None;
                    Ok(Way::ByNewVersion)
                }
                State::Stopped | State::Disabled | State::Draining => {
                    self.driver.shared().take(Terms { manifest, ..Terms::default() });
                    self.driver.lock().due = Some((policy, source));
                    Ok(Way::WhenStarted)
                }
            };
        }
        self.driver.lock().due = None;
        if old == policy {
            return Ok(Way::None);
        }
        self.driver.take_policy(policy);
        Ok(Way::AtOnce)
    }

    /// Comes to another configuration without dropping a call: a new version that takes it takes over. One that does not run
    /// has it when it is started.
    pub async fn set_config(&self, config: Vec<u8>) -> Result<(), Failure> {
        let kept = serde_json::from_slice(&config).map_err(|error| {
            let message = format!("the configuration is no JSON: {error}");
            Failure::not_started(Cause::Input { message })
        })?;
        if let Some(manifest) = self.driver.shared().manifest() {
            manifest.check_config(&config).map_err(|error| {
                let message = escape(&error.to_string(), MESSAGE_BYTES_MAX);
                let code = "config_schema".to_owned();
                Failure::not_started(Cause::ConfigRefused { code, message, has_config: true })
            })?;
        }
        let terms = Terms { config: Some(Arc::from(config)), ..Terms::default() };
        match self.status().state {
            State::Starting | State::Running | State::Backoff => self.renew(None, terms).await?,
            State::Stopped | State::Disabled | State::Draining => self.driver.shared().take(terms),
        }
        self.keep(|record| record.set_config(kept)).await
    }

    /// Changes what is kept of it, where there is a state directory.
    async fn keep(&self, change: impl FnOnce(&mut Record) + Send + 'static) -> Result<(), Failure> {
        let Some(store) = self.driver.shared().store.clone() else { return Ok(()) };
        let done = tokio::task::spawn_blocking(move || store.change(change)).await;
        match done {
            Ok(changed) => changed.map_err(|error| error.not_kept()),
            // It panicked: that has been told.
            Err(_) => Ok(()),
        }
    }

    /// Somebody has enabled or disabled it: kept where it is not what the file says, forgotten where it is.
    pub(super) async fn keep_enabled(&self, enabled: bool) -> Result<(), Failure> {
        let Some(said) = self.driver.shared().file_says_enabled() else { return Ok(()) };
        let since = (enabled != said).then_some(enabled);
        if self.enabled_since() == since {
            return Ok(());
        }
        self.keep(move |record| record.enabled = since).await
    }

    /// What somebody has said at run time of whether it is to run.
    pub(crate) fn enabled_since(&self) -> Option<bool> {
        // A record that cannot be read was told of when it was loaded.
        self.driver.shared().store.as_ref()?.record().ok()?.enabled
    }

    /// What its table in the configuration says of that; `None`: it has no table.
    pub(crate) fn file_says_enabled(&self, said: Option<bool>) {
        self.driver.shared().set_file_says_enabled(said);
    }

    /// What is to hold when it is started holds before it is.
    pub(super) async fn may_run(&self) -> Result<(), Failure> {
        let (due, withheld) = {
            let core = self.driver.lock();
            (core.due.clone(), core.withheld.clone())
        };
        if let Some(withheld) = withheld.filter(|withheld| withheld.is_removed) {
            return Err(Failure::not_started(Cause::PluginStopped { reason: Some(withheld.reason) }));
        }
        if let Some((policy, source)) = due {
            // What it has to finish does not come to another version halfway.
            self.driver.until(|state| state != State::Draining).await;
            self.renew(source, Terms::policy(policy)).await?;
            self.driver.lock().due = None;
        }
        Ok(())
    }

    /// Does what the policy file says: it takes no new calls, finishes those that run, and its processes end.
    pub(crate) fn withhold(&self, reason: String, is_removed: bool) {
        self.driver.withhold(reason, is_removed);
    }

    /// The policy file lets it run again; whether it did before that ended it.
    pub(crate) fn release(&self) -> bool {
        self.driver.lock().withheld.take().is_some_and(|withheld| withheld.ran)
    }

    /// Whether nothing moves it any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.driver.lock().machine.refusal() == Refusal::Closed
    }
}

/// A new version that is being loaded. Dropping this gives it up, unless it has taken over.
struct GivenUp<'a> {
    driver: &'a Driver,
    generation: Generation,
}

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        self.driver.tell(Event::ProbeFailed { generation: self.generation });
    }
}
