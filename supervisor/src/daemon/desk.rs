//! Host methods that clients answer: for their own calls, and those with the right for everybody's.

use super::office::Office;
use crate::host::{HostError, HostFuture, HostReply, HostRequest};
use crate::scope::Desk;
use casemate_protocol::policy::matches_pattern;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot};

/// Methods that one client may serve: each is looked at for every host call.
const METHODS_MAX: usize = 1024;

/// A plugin's question to a client, until its conversation takes it.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) request: HostRequest,
    /// The client's stream whose call this is part of; 0: another client's call.
    pub(super) call: u64,
    pub(super) reply: oneshot::Sender<Result<HostReply, HostError>>,
}

/// What one client serves, and what it is to be asked.
#[derive(Debug)]
pub(super) struct ClientDesk {
    state: Mutex<State>,
    /// Its conversation, which asks.
    wake: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    methods: Vec<String>,
    asks: VecDeque<Ask>,
}

impl State {
    fn serves(&self, method: &str) -> bool {
        self.methods.iter().any(|pattern| matches_pattern(pattern, method))
    }
}

impl ClientDesk {
    pub(super) fn new(wake: Arc<Notify>) -> Self {
        Self { state: Mutex::default(), wake }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves one more; whether there is room for it.
    pub(super) fn serve(&self, method: &str) -> bool {
        let mut state = self.lock();
        if state.methods.iter().any(|known| known == method) {
            return true;
        }
        let has_room = state.methods.len() < METHODS_MAX;
        if has_room {
            state.methods.push(method.to_owned());
        }
        has_room
    }

    /// Serves it no more; whether it did.
    pub(super) fn unserve(&self, method: &str) -> bool {
        let mut state = self.lock();
        let before = state.methods.len();
        state.methods.retain(|known| known != method);
        state.methods.len() != before
    }

    fn serves(&self, method: &str) -> bool {
        self.lock().serves(method)
    }

    /// The client is gone: what it was asked has no answer.
    pub(super) fn leave(&self) {
        let mut state = self.lock();
        state.methods.clear();
        state.asks.clear();
    }

    pub(super) fn take_asks(&self) -> VecDeque<Ask> {
        std::mem::take(&mut self.lock().asks)
    }

    /// The answer to come.
    fn ask(&self, request: HostRequest, call: u64) -> HostFuture {
        let (reply, answer) = oneshot::channel();
        let mut state = self.lock();
        // Every call that runs asks for one thing at a time: there are never more than those. Without a sender there is
        // no answer.
        if state.serves(&request.method) {
            state.asks.push_back(Ask { request, call, reply });
        }
        drop(state);
        self.wake.notify_one();
        let waiting = Waiting { answer, _given_up: WakeOnDrop(Arc::clone(&self.wake)) };
        Box::pin(async move {
            let gone = |_| {
                let message = "the client that served the method has gone";
                Err(HostError { retryable: true, ..HostError::new("unavailable", message) })
            };
            waiting.answered().await.unwrap_or_else(gone)
        })
    }
}

/// In this order: its conversation is to find the answer unwanted when it looks.
struct Waiting {
    answer: oneshot::Receiver<Result<HostReply, HostError>>,
    _given_up: WakeOnDrop,
}

impl Waiting {
    /// As a whole: a block would take hold of the answer alone, and leave the waking to whoever made it.
    async fn answered(mut self) -> Result<Result<HostReply, HostError>, oneshot::error::RecvError> {
        (&mut self.answer).await
    }
}

/// Whoever asked may have given up: its conversation has to look.
struct WakeOnDrop(Arc<Notify>);

impl Drop for WakeOnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// A client's desk during one of its own calls.
#[derive(Debug)]
pub(super) struct CallDesk {
    pub(super) desk: Arc<ClientDesk>,
    pub(super) call: u64,
    /// Of a client without the right `serve`: it does not take the place of those that have it.
    pub(super) office: Option<Arc<Office>>,
}

impl Desk for CallDesk {
    fn answers(&self, method: &str) -> bool {
        let is_taken = self.office.as_ref().is_some_and(|office| office.served.first(method).is_some());
        !is_taken && self.desk.serves(method)
    }

    fn answer(&self, request: HostRequest) -> HostFuture {
        self.desk.ask(request, self.call)
    }
}

/// The desks of all clients that serve everybody, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Served {
    desks: Mutex<Vec<Arc<ClientDesk>>>,
}

impl Served {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<ClientDesk>>> {
        self.desks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn join(&self, desk: &Arc<ClientDesk>) {
        self.lock().push(Arc::clone(desk));
    }

    pub(super) fn leave(&self, desk: &Arc<ClientDesk>) {
        self.lock().retain(|other| !Arc::ptr_eq(other, desk));
    }

    fn first(&self, method: &str) -> Option<Arc<ClientDesk>> {
        self.lock().iter().find(|desk| desk.serves(method)).cloned()
    }

    /// The answer of the one that has served the method longest.
    pub(super) async fn answer(&self, request: HostRequest) -> Result<HostReply, HostError> {
        match self.first(&request.method) {
            Some(desk) => desk.ask(request, 0).await,
            None => {
                let message = format!("no client serves the host method {:?}", request.method);
                Err(HostError::new("not_found", message))
            }
        }
    }
}
