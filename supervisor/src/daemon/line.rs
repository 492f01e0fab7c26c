//! What is known of one open stream of a client, by what it waits for.

use super::mailbox::Mailbox;
use crate::scope::Bodies;
use casemate_protocol::client::{Opening, Outgoing, PAYLOAD_BYTES_MAX, Session, Unsent};
use casemate_protocol::outcome::{Cause, Failure, LimitName};
use futures_util::future::AbortHandle;
use std::sync::Arc;

/// One open stream of a client. Dropping it gives up what is done for it.
pub(super) enum Line {
    /// More of its body.
    Collecting(Box<Collecting>),
    /// What is done for it.
    Working { _held: Work },
    /// The same, while both bodies are under way.
    Streaming(Box<Streaming>),
    /// Credit, to send the rest of its answer.
    Answering(Box<Outgoing>),
    /// Whatever happens.
    Following(Following),
}

/// Something that is being done. Dropping it gives that up.
pub(super) struct Work(pub(super) AbortHandle);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(super) struct Collecting {
    pub(super) opening: Opening,
    pub(super) body: Vec<u8>,
    pub(super) bytes_max: u64,
}

impl Collecting {
    /// Whether the body is not too long yet.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let observed = self.body.len() as u64;
        if observed <= self.bytes_max {
            return Ok(());
        }
        let configured = self.bytes_max;
        Err(Failure::not_started(match self.opening {
            Opening::Call(_) => Cause::Limit { limit: LimitName::Input, configured, observed },
            _ => {
                Cause::Input { message: format!("its body has {observed} bytes; {configured} are the most") }
            }
        }))
    }
}

pub(super) struct Streaming {
    pub(super) bodies: Bodies,
    /// What the plugin answered in the end, once it has.
    pub(super) answering: Option<Outgoing>,
    pub(super) _work: Work,
}

impl Streaming {
    /// Sends what the plugin has written, as far as there is credit and room.
    pub(super) fn pump(&mut self, session: &mut Session, out: &mut Unsent, id: u64) {
        loop {
            let window = session.window(id).unwrap_or_default().min(PAYLOAD_BYTES_MAX) as usize;
            if window == 0 || out.is_full() {
                break;
            }
            let bytes = self.bodies.output.take(window);
            if bytes.is_empty() || session.data(out.frames(), id, &bytes, false).is_err() {
                break;
            }
        }
        if let Some(answering) = self.answering.as_mut().filter(|_| self.bodies.output.is_over()) {
            answering.pump(session, out.frames(), id);
        }
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        self.bodies.input.close();
        self.bodies.output.close();
    }
}

pub(super) struct Following {
    pub(super) mailbox: Arc<Mailbox>,
    /// Dropping it ends the subscription.
    pub(super) _subscription: super::feed::Subscription,
}
