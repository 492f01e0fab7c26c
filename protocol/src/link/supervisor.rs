//! The supervisor's end of a link.

use super::{
    Call, CallResult, HostCall, HostResult, HostStatus, LINK_VERSION, LinkViolation, Log, METHOD_BYTES_MAX,
    Misuse, Ready, Setup, Shutdown, Status, kind,
};
use crate::frame::{Frame, encode, split};

/// What a worker said.
#[derive(Debug, Clone, PartialEq)]
pub enum Up<'a> {
    /// It is locked down.
    Ready(Ready),
    /// The guest logged a line.
    Log(Log, &'a [u8]),
    /// The guest calls the host; [`SupervisorLink::host_result`] is due.
    HostCall(HostCall, &'a [u8]),
    /// The call is over.
    Result(CallResult, Status, &'a [u8]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    AwaitReady,
    Ready,
    Idle,
    AwaitResult { id: u64 },
    AnswerHost { id: u64 },
    Closed,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::AwaitReady => "AwaitReady",
            Self::Ready => "Ready",
            Self::Idle => "Idle",
            Self::AwaitResult { .. } => "AwaitResult",
            Self::AnswerHost { .. } => "AnswerHost",
            Self::Closed => "Closed",
        }
    }
}

/// The supervisor's machine of one link. After a violation it is closed.
#[derive(Debug)]
pub struct SupervisorLink {
    state: State,
    last_id: u64,
}

impl Default for SupervisorLink {
    fn default() -> Self {
        Self::new()
    }
}

impl SupervisorLink {
    /// A link whose worker has not spoken yet.
    pub fn new() -> Self {
        Self { state: State::AwaitReady, last_id: 0 }
    }

    /// Whether a call may be sent.
    pub fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    /// Whether the set-up is still to be sent.
    pub fn wants_setup(&self) -> bool {
        self.state == State::Ready
    }

    /// Takes a frame from the worker.
    pub fn receive<'a>(&mut self, frame: Frame<'a>) -> Result<Up<'a>, LinkViolation> {
        let result = self.step(frame);
        if result.is_err() {
            self.state = State::Closed;
        }
        result
    }

    fn step<'a>(&mut self, frame: Frame<'a>) -> Result<Up<'a>, LinkViolation> {
        match (self.state, frame.kind) {
            (State::AwaitReady, kind::READY) => {
                let (ready, _): (Ready, _) = split(&frame)?;
                expect_id(&frame, 0)?;
                if ready.version != LINK_VERSION {
                    return Err(LinkViolation::Field { kind: frame.kind, field: "version" });
                }
                self.state = State::Ready;
                Ok(Up::Ready(ready))
            }
            // An idle worker may still be at its set-up, which logs.
            (State::Idle, kind::LOG) => {
                let (log, line) = log(&frame)?;
                Ok(Up::Log(log, line))
            }
            (State::AwaitResult { id }, kind::LOG) => {
                let (log, line) = log(&frame)?;
                if frame.id != 0 {
                    expect_id(&frame, id)?;
                }
                Ok(Up::Log(log, line))
            }
            (State::AwaitResult { id }, kind::HOST_CALL) => {
                expect_id(&frame, id)?;
                let (call, body): (HostCall, _) = split(&frame)?;
                if call.method.len() > METHOD_BYTES_MAX {
                    return Err(LinkViolation::Field { kind: frame.kind, field: "method" });
                }
                self.state = State::AnswerHost { id };
                Ok(Up::HostCall(call, body))
            }
            (State::AwaitResult { id }, kind::RESULT) => {
                expect_id(&frame, id)?;
                let (result, body): (CallResult, _) = split(&frame)?;
                let status = match Status::try_from(result.status) {
                    Ok(status) if status != Status::None => status,
                    _ => return Err(LinkViolation::Field { kind: frame.kind, field: "status" }),
                };
                self.state = State::Idle;
                Ok(Up::Result(result, status, body))
            }
            (state, kind) => Err(LinkViolation::State { kind, state: state.name() }),
        }
    }

    /// Appends the set-up frame.
    pub fn setup(&mut self, out: &mut Vec<u8>, setup: &Setup, config: &[u8]) -> Result<(), Misuse> {
        self.in_state(kind::SETUP, self.state == State::Ready)?;
        encode(out, kind::SETUP, 0, setup, config)?;
        self.state = State::Idle;
        Ok(())
    }

    /// Appends a call frame; its id is one more than the last.
    pub fn call(&mut self, out: &mut Vec<u8>, call: &Call, body: &[u8]) -> Result<(), Misuse> {
        self.in_state(kind::CALL, self.state == State::Idle)?;
        let id = self.last_id.saturating_add(1);
        encode(out, kind::CALL, id, call, body)?;
        self.last_id = id;
        self.state = State::AwaitResult { id };
        Ok(())
    }

    /// Appends the answer to a host call.
    pub fn host_result(
        &mut self,
        out: &mut Vec<u8>,
        status: HostStatus,
        content_type: u32,
        body: &[u8],
    ) -> Result<(), Misuse> {
        let State::AnswerHost { id } = self.state else {
            return Err(Misuse::State { kind: kind::HOST_RESULT, state: self.state.name() });
        };
        encode(out, kind::HOST_RESULT, id, &HostResult { status: status.into(), content_type }, body)?;
        self.state = State::AwaitResult { id };
        Ok(())
    }

    /// Appends the frame that ends an idle worker.
    pub fn shutdown(&mut self, out: &mut Vec<u8>) -> Result<(), Misuse> {
        self.in_state(kind::SHUTDOWN, matches!(self.state, State::Idle | State::Ready))?;
        encode(out, kind::SHUTDOWN, 0, &Shutdown {}, &[])?;
        self.state = State::Closed;
        Ok(())
    }

    fn in_state(&self, kind: u8, holds: bool) -> Result<(), Misuse> {
        if holds { Ok(()) } else { Err(Misuse::State { kind, state: self.state.name() }) }
    }
}

fn expect_id(frame: &Frame<'_>, expected: u64) -> Result<(), LinkViolation> {
    if frame.id == expected {
        Ok(())
    } else {
        Err(LinkViolation::Id { kind: frame.kind, id: frame.id, expected })
    }
}

fn log<'a>(frame: &Frame<'a>) -> Result<(Log, &'a [u8]), LinkViolation> {
    let (log, line): (Log, _) = split(frame)?;
    if log.level > 4 {
        return Err(LinkViolation::Field { kind: frame.kind, field: "level" });
    }
    Ok((log, line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Decoder;
    use crate::link::UpBounds;

    const BOUNDS: UpBounds = UpBounds { output_bytes_max: 100, host_call_bytes_max: 100 };

    fn feed(link: &mut SupervisorLink, kind: u8, id: u64) -> Result<(), LinkViolation> {
        let mut bytes = Vec::new();
        match kind {
            kind::READY => {
                let ready = Ready { version: LINK_VERSION, layers: 0, data_limit_bytes: 0 };
                encode(&mut bytes, kind, id, &ready, b"").unwrap();
            }
            kind::RESULT => {
                let result = CallResult { status: Status::Ok.into(), ..CallResult::default() };
                encode(&mut bytes, kind, id, &result, b"").unwrap();
            }
            _ => encode(&mut bytes, kind, id, &Log::default(), b"").unwrap(),
        }
        let mut decoder = Decoder::new(BOUNDS);
        decoder.push(&bytes);
        let frame = decoder.next_frame().unwrap().unwrap();
        link.receive(frame).map(|_| ())
    }

    /// Brings a fresh link into each state by legal moves.
    fn in_each_state() -> Vec<(&'static str, SupervisorLink)> {
        let mut out = Vec::new();
        let make = |steps: usize| {
            let mut link = SupervisorLink::new();
            let mut bytes = Vec::new();
            if steps > 0 {
                feed(&mut link, kind::READY, 0).unwrap();
            }
            if steps > 1 {
                link.setup(&mut bytes, &Setup::default(), b"").unwrap();
            }
            if steps > 2 {
                link.call(&mut bytes, &Call::default(), b"").unwrap();
            }
            if steps > 3 {
                feed(&mut link, kind::HOST_CALL, 1).unwrap();
            }
            link
        };
        for (steps, name) in
            ["AwaitReady", "Ready", "Idle", "AwaitResult", "AnswerHost"].into_iter().enumerate()
        {
            out.push((name, make(steps)));
        }
        out
    }

    #[test]
    fn every_message_in_every_state_is_an_arrow_or_a_violation() {
        let arrows = [
            ("AwaitReady", kind::READY),
            ("Idle", kind::LOG),
            ("AwaitResult", kind::LOG),
            ("AwaitResult", kind::HOST_CALL),
            ("AwaitResult", kind::RESULT),
        ];
        for kind in [kind::READY, kind::RESULT, kind::LOG, kind::HOST_CALL] {
            for (name, mut link) in in_each_state() {
                let id = if matches!(name, "AwaitResult" | "AnswerHost") { 1 } else { 0 };
                let allowed = arrows.contains(&(name, kind));
                assert_eq!(feed(&mut link, kind, id).is_ok(), allowed, "{kind:#04x} in {name}");
                if !allowed {
                    assert_eq!(link.state, State::Closed, "a violation closes the link");
                }
            }
        }
    }

    #[test]
    fn a_reply_for_another_call_is_a_violation() {
        for id in [0, 2, u64::MAX] {
            let (_, mut link) = in_each_state().swap_remove(3);
            assert_eq!(
                feed(&mut link, kind::RESULT, id),
                Err(LinkViolation::Id { kind: kind::RESULT, id, expected: 1 })
            );
        }
    }
}
