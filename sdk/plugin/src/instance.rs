//! One plugin instance behind the exports: bytes in, bytes out, and the order in which that may happen.

use std::cell::RefCell;

use crate::body::{Body, Subject};
use crate::envelope::{self, Request};
use crate::log::{self, Level};
use crate::schemas::described;
use crate::{Error, Event, Plugin};

/// The instance of the module. A worker runs one call at a time on one thread, so a [`RefCell`] is enough.
#[derive(Debug)]
pub struct Instance<P> {
    state: RefCell<State<P>>,
}

#[derive(Debug)]
enum State<P> {
    /// Nobody has called yet: the configuration may still come.
    AwaitsInit,
    Running(P),
    ShutDown,
}

impl<P> Instance<P> {
    /// Nothing of the plugin's runs yet.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it initialises a static, for which Default is no use")]
    pub const fn new() -> Self {
        Instance { state: RefCell::new(State::AwaitsInit) }
    }
}

impl<P: Plugin> Instance<P> {
    /// `casemate_describe`
    #[must_use]
    pub fn describe() -> Vec<u8> {
        reply(envelope::json_reply(&described(&P::DESCRIPTOR, P::schemas())))
    }

    /// `casemate_init`: starts the plugin with its configuration, once and before the first call.
    pub fn init(&self, config: &[u8]) -> Vec<u8> {
        let started = self.locked(|state| match state {
            State::AwaitsInit => {
                *state = State::Running(P::start(Body::configuration(config))?);
                envelope::json_reply(&())
            }
            State::Running(_) => Err(Error::new("already_initialised", "the plugin is running already")),
            State::ShutDown => Err(shut_down()),
        });
        reply(started)
    }

    /// `casemate_call`
    pub fn call(&self, request: &[u8]) -> Vec<u8> {
        reply(self.running(|plugin| {
            let request = Request::decode(request)?;
            let body = Body::new(Subject::Method(request.method), request.content, request.body);
            Ok(plugin.dispatch(request.method, body)?.into_bytes())
        }))
    }

    /// `casemate_event`: 0 when the plugin took it, 1 when it failed, which is in the log.
    pub fn event(&self, event: &[u8]) -> i32 {
        failure_to_log("event", self.running(|plugin| plugin.event(Event::decode(event)?)))
    }

    /// `casemate_shutdown`: drops the plugin, so that its `Drop` can say good-bye.
    pub fn shutdown(&self) -> i32 {
        let stopped = self.locked(|state| {
            *state = State::ShutDown;
            Ok(())
        });
        failure_to_log("shutdown", stopped)
    }

    /// A call to a plugin that nobody initialised starts it without a configuration.
    fn running<T>(&self, act: impl FnOnce(&mut P) -> Result<T, Error>) -> Result<T, Error> {
        self.locked(|state| {
            if let State::AwaitsInit = state {
                *state = State::Running(P::start(Body::configuration(b""))?);
            }
            match state {
                State::Running(plugin) => act(plugin),
                State::AwaitsInit | State::ShutDown => Err(shut_down()),
            }
        })
    }

    fn locked<T>(&self, act: impl FnOnce(&mut State<P>) -> Result<T, Error>) -> Result<T, Error> {
        let mut state = self.state.try_borrow_mut().map_err(|_borrowed| {
            Error::new("busy", "the plugin is in a call already: a host function must not call back into it")
        })?;
        act(&mut state)
    }
}

fn reply(outcome: Result<Vec<u8>, Error>) -> Vec<u8> {
    outcome.unwrap_or_else(|error| envelope::error_reply(&error))
}

fn shut_down() -> Error {
    Error::new("shut_down", "the plugin has been shut down")
}

fn failure_to_log(what: &str, outcome: Result<(), Error>) -> i32 {
    match outcome {
        Ok(()) => 0,
        Err(error) => {
            log::write(Level::Error, format_args!("{what}: {error}"));
            1
        }
    }
}
