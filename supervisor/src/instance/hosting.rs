//! What a guest asks its host for: permission first, then how often, then the handler, and never longer than the call.

use super::keeping::keeps;
use super::saving::SAVE;
use super::{Asked, Instance};
use crate::host::{HostError, HostReply, HostRequest, refusal};
use crate::policy::Manifest;
use crate::scope::Scope;
use casemate_protocol::feed::{PUBLISH, SUBSCRIBE};
use casemate_protocol::link::{HostCall, HostStatus};
use casemate_protocol::outcome::{HOST_CALLS_MAX, HostCallNote, escape};
use casemate_protocol::policy::{Policy, matches_pattern};
use casemate_protocol::room::ROOM;
use std::time::Instant;

/// The code of what is not granted.
pub(super) const DENIED: &str = "denied";

/// The codes of what nobody serves, or those who did are gone.
const NOT_FOUND: &str = "not_found";
const UNAVAILABLE: &str = "unavailable";

/// Bytes of what was said to a host call that was refused, where it is told to others than the guest.
const REFUSAL_BYTES_MAX: usize = 1024;

/// Bytes of a method's name where it is told.
const METHOD_BYTES_SHOWN: usize = 200;

impl Instance {
    /// Answers a host call that came while something was being called, and notes it.
    #[expect(clippy::disallowed_methods, reason = "rates and durations are measured here")]
    pub(super) async fn answer(
        &mut self,
        during: &Asked<'_>,
        call: HostCall,
        body: Vec<u8>,
    ) -> (HostStatus, HostReply) {
        let start = Instant::now();
        let method = escape(&call.method, METHOD_BYTES_SHOWN);
        let answer = match during.builtin(&call.method) {
            Some(builtin) => {
                let bytes_max = self.given.limits().output_bytes;
                let remaining = self.call_ends.saturating_duration_since(start);
                self.within_call(during.answer_builtin(builtin, &body, remaining, bytes_max)).await
            }
            None if call.method == PUBLISH => {
                self.publish(during.limited_as(), &body, start).map_err(|error| (HostStatus::Error, error))
            }
            None if call.method == SUBSCRIBE => {
                self.subscribe(during.limited_as(), &body, start).map_err(|error| (HostStatus::Error, error))
            }
            None if call.method == ROOM => self.within_call(self.lend_room(&body)).await,
            None => match self.admit(during.limited_as(), &call.method, start) {
                Ok(()) if call.method == SAVE => self.within_call(self.save_config(&body)).await,
                Ok(()) if keeps(&call.method) => self.within_call(self.keep(&call.method, &body)).await,
                Ok(()) => self.ask(during.scope, call, body).await,
                Err(error) => Err((HostStatus::Error, error)),
            },
        };
        let (status, code, reply) = match answer {
            Ok(reply) => (HostStatus::Ok, "ok".to_owned(), reply),
            Err((status, error)) => {
                let first = match error.code.as_str() {
                    DENIED => Some(&mut self.first_denial),
                    NOT_FOUND | UNAVAILABLE => Some(&mut self.first_unserved),
                    _ => None,
                };
                if let Some(first @ None) = first {
                    *first = Some(escape(&error.message, REFUSAL_BYTES_MAX));
                }
                (status, escape(&error.code, METHOD_BYTES_SHOWN), refusal(&error))
            }
        };
        let elapsed = start.elapsed();
        if self.asked.len() == HOST_CALLS_MAX {
            self.asked.pop_front();
        }
        self.asked.push_back(HostCallNote { method, code, elapsed });
        (status, reply)
    }

    fn admit(&self, during: &str, method: &str, now: Instant) -> Result<(), HostError> {
        let policy = &*self.shared.policy();
        if !policy.allows_host(method) {
            let shown = escape(method, METHOD_BYTES_SHOWN);
            self.denied(&shown);
            let place = self.place_to_grant("permissions.host", |asked| matches_pattern(asked, method));
            let message = match self.shared.manifest() {
                Some(manifest) if manifest.consent.iter().any(|wanted| wanted == method) => format!(
                    "host method {shown:?} is not granted: a person has to say yes to it (casemate consent {}), and {place}",
                    self.shared.name
                ),
                _ => format!("host method {shown:?} is not granted: {place}"),
            };
            return Err(HostError::new(DENIED, message));
        }
        self.admit_rate(policy, during, now)
    }

    /// Where to write what is to be granted: the operator grants nothing that a manifest does not ask for.
    pub(super) fn place_to_grant(&self, key: &str, is_it: impl Fn(&str) -> bool) -> String {
        let is_asked = |manifest: &Manifest| {
            let of_key = manifest.asked().into_iter().find(|(asked, _)| *asked == key);
            of_key.is_some_and(|(_, patterns)| patterns.iter().any(|pattern| is_it(pattern)))
        };
        match self.shared.manifest() {
            Some(manifest) if !is_asked(&manifest) => format!(
                "its manifest does not ask for it: add it to {key} there, or to what the manifests of its system have for that"
            ),
            _ => format!("add it to {key} of the plugin's policy"),
        }
    }

    /// Tells whoever wants to know that this was not granted.
    pub(super) fn denied(&self, what: &str) {
        if let Some(sink) = &self.shared.context.denial_sink {
            sink(&self.shared.name, what);
        }
    }

    /// Whether the plugin has not asked too often.
    pub(super) fn admit_rate(&self, policy: &Policy, during: &str, now: Instant) -> Result<(), HostError> {
        self.shared.rates.admit(policy, during, now).map_err(|(key, rate)| {
            let (count, ms) = (rate.count, rate.window.as_millis());
            let message =
                format!("{count} host calls in {ms} ms is the most ({key}): ask less often or raise it");
            HostError { retryable: true, ..HostError::new("limit.host_calls", message) }
        })
    }

    #[expect(clippy::disallowed_methods, reason = "what is left of the call is measured here")]
    async fn ask(
        &self,
        scope: &Scope,
        call: HostCall,
        body: Vec<u8>,
    ) -> Result<HostReply, (HostStatus, HostError)> {
        let request = HostRequest {
            plugin: self.shared.name.clone(),
            instance: self.id,
            method: call.method,
            content_type: call.content_type,
            body,
            remaining: self.call_ends.saturating_duration_since(Instant::now()),
            trace: scope.trace.clone(),
            answer_bytes_max: self.given.limits().output_bytes,
        };
        match scope.desk.as_ref().filter(|desk| desk.answers(&request.method)) {
            Some(desk) => self.within_call(desk.answer(request)).await,
            None => self.within_call(self.shared.context.host.answer(request)).await,
        }
    }

    /// At the deadline the guest gets its call back cancelled.
    async fn within_call(
        &self,
        answer: impl Future<Output = Result<HostReply, HostError>>,
    ) -> Result<HostReply, (HostStatus, HostError)> {
        let bytes_max = self.given.limits().output_bytes;
        let over = self.process.until(|fate| fate.interrupted);
        tokio::select! {
            biased;
            _ = over => Err((HostStatus::Cancelled, HostError::new("cancelled", "the call is over its deadline"))),
            answer = answer => match answer {
                Ok(reply) if u32::try_from(reply.body.len()).is_ok_and(|bytes| bytes <= bytes_max) => Ok(reply),
                Ok(reply) => {
                    let bytes = reply.body.len();
                    let message = format!("the host's answer has {bytes} bytes; limits.output is {bytes_max}");
                    Err((HostStatus::Error, HostError::new("too_large", message)))
                }
                Err(error) => Err((HostStatus::Error, error)),
            },
        }
    }
}
