//! The worker's end of a link.

use super::{
    Call, CallResult, HostCall, HostResult, HostStatus, LINK_VERSION, LinkViolation, Log, METHOD_BYTES_MAX,
    Misuse, Ready, Setup, kind,
};
use crate::frame::{Frame, encode, split};

/// What the supervisor said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Down<'a> {
    /// Seed and configuration.
    Setup(Setup, &'a [u8]),
    /// A call to answer.
    Call(Call, &'a [u8]),
    /// The answer to our host call.
    HostResult(HostStatus, u32, &'a [u8]),
    /// Exit.
    Shutdown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    AwaitSetup,
    AwaitCall,
    Running { id: u64 },
    AwaitHostResult { id: u64 },
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::AwaitSetup => "AwaitSetup",
            Self::AwaitCall => "AwaitCall",
            Self::Running { .. } => "Running",
            Self::AwaitHostResult { .. } => "AwaitHostResult",
        }
    }
}

/// The worker's machine of its link.
#[derive(Debug)]
pub struct WorkerLink {
    state: State,
    last_id: u64,
}

impl WorkerLink {
    /// Appends the Ready frame and starts the machine.
    pub fn ready(out: &mut Vec<u8>, layers: u32, data_limit_bytes: u64) -> Result<Self, Misuse> {
        encode(out, kind::READY, 0, &Ready { version: LINK_VERSION, layers, data_limit_bytes }, &[])?;
        Ok(Self { state: State::AwaitSetup, last_id: 0 })
    }

    /// Takes a frame from the supervisor.
    pub fn receive<'a>(&mut self, frame: Frame<'a>) -> Result<Down<'a>, LinkViolation> {
        match (self.state, frame.kind) {
            (State::AwaitSetup, kind::SETUP) => {
                let (setup, config) = split(&frame)?;
                self.state = State::AwaitCall;
                Ok(Down::Setup(setup, config))
            }
            (State::AwaitCall, kind::CALL) => {
                if frame.id <= self.last_id {
                    return Err(LinkViolation::Id { kind: frame.kind, id: frame.id, expected: self.last_id });
                }
                let (call, body): (Call, _) = split(&frame)?;
                if call.method.len() > METHOD_BYTES_MAX {
                    return Err(LinkViolation::Field { kind: frame.kind, field: "method" });
                }
                self.last_id = frame.id;
                self.state = State::Running { id: frame.id };
                Ok(Down::Call(call, body))
            }
            (State::AwaitHostResult { id }, kind::HOST_RESULT) => {
                if frame.id != id {
                    return Err(LinkViolation::Id { kind: frame.kind, id: frame.id, expected: id });
                }
                let (result, body): (HostResult, _) = split(&frame)?;
                let status = HostStatus::try_from(result.status)
                    .ok()
                    .ok_or(LinkViolation::Field { kind: frame.kind, field: "status" })?;
                self.state = State::Running { id };
                Ok(Down::HostResult(status, result.content_type, body))
            }
            (State::AwaitSetup | State::AwaitCall, kind::SHUTDOWN) => Ok(Down::Shutdown),
            (state, kind) => Err(LinkViolation::State { kind, state: state.name() }),
        }
    }

    /// Whether a call is being answered, so that the guest may call the host.
    pub fn is_running(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    /// Appends a log line; allowed whenever the guest runs.
    pub fn log(&self, out: &mut Vec<u8>, level: u32, line: &[u8], cut_bytes: u64) -> Result<(), Misuse> {
        let id = match self.state {
            State::Running { id } => id,
            State::AwaitCall => 0,
            state => return Err(Misuse::State { kind: kind::LOG, state: state.name() }),
        };
        Ok(encode(out, kind::LOG, id, &Log { level: level.min(4), cut_bytes }, line)?)
    }

    /// Appends a call to the host.
    pub fn host_call(&mut self, out: &mut Vec<u8>, call: &HostCall, body: &[u8]) -> Result<(), Misuse> {
        let State::Running { id } = self.state else {
            return Err(Misuse::State { kind: kind::HOST_CALL, state: self.state.name() });
        };
        encode(out, kind::HOST_CALL, id, call, body)?;
        self.state = State::AwaitHostResult { id };
        Ok(())
    }

    /// Appends the end of the call.
    pub fn result(&mut self, out: &mut Vec<u8>, result: &CallResult, body: &[u8]) -> Result<(), Misuse> {
        let State::Running { id } = self.state else {
            return Err(Misuse::State { kind: kind::RESULT, state: self.state.name() });
        };
        encode(out, kind::RESULT, id, result, body)?;
        self.state = State::AwaitCall;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Decoder;
    use crate::link::{DownBounds, SupervisorLink, Up, UpBounds};

    /// Both machines talk through bytes: a call with a log line and a host call.
    #[test]
    fn one_call_from_end_to_end() {
        let mut up = Decoder::new(UpBounds { output_bytes_max: 64, host_call_bytes_max: 64 });
        let mut down = Decoder::new(DownBounds { input_bytes_max: 64, host_result_bytes_max: 64 });
        let mut supervisor = SupervisorLink::new();
        let mut bytes = Vec::new();

        let mut worker = WorkerLink::ready(&mut bytes, 7, 99).unwrap();
        up.push(&std::mem::take(&mut bytes));
        let ready = supervisor.receive(up.next_frame().unwrap().unwrap()).unwrap();
        assert_eq!(ready, Up::Ready(Ready { version: LINK_VERSION, layers: 7, data_limit_bytes: 99 }));

        supervisor
            .setup(&mut bytes, &Setup { seed: vec![1; 32], has_config: true, options: Vec::new() }, b"{}")
            .unwrap();
        supervisor
            .call(&mut bytes, &Call { method: "m".into(), content_type: 1, ..Call::default() }, b"in")
            .unwrap();
        down.push(&std::mem::take(&mut bytes));
        assert!(matches!(
            worker.receive(down.next_frame().unwrap().unwrap()).unwrap(),
            Down::Setup(setup, b"{}") if setup.has_config
        ));
        assert!(matches!(
            worker.receive(down.next_frame().unwrap().unwrap()).unwrap(),
            Down::Call(call, b"in") if call.method == "m"
        ));

        worker.log(&mut bytes, 2, b"line", 0).unwrap();
        worker.host_call(&mut bytes, &HostCall { method: "h".into(), content_type: 0 }, b"ask").unwrap();
        up.push(&std::mem::take(&mut bytes));
        assert!(matches!(
            supervisor.receive(up.next_frame().unwrap().unwrap()).unwrap(),
            Up::Log(_, b"line")
        ));
        assert!(matches!(
            supervisor.receive(up.next_frame().unwrap().unwrap()).unwrap(),
            Up::HostCall(call, b"ask") if call.method == "h"
        ));

        supervisor.host_result(&mut bytes, HostStatus::Ok, 0, b"answer").unwrap();
        down.push(&std::mem::take(&mut bytes));
        assert_eq!(
            worker.receive(down.next_frame().unwrap().unwrap()).unwrap(),
            Down::HostResult(HostStatus::Ok, 0, b"answer")
        );
        let result = CallResult { status: super::super::Status::Ok.into(), ..CallResult::default() };
        worker.result(&mut bytes, &result, b"out").unwrap();
        up.push(&std::mem::take(&mut bytes));
        assert!(matches!(
            supervisor.receive(up.next_frame().unwrap().unwrap()).unwrap(),
            Up::Result(_, super::super::Status::Ok, b"out")
        ));
        assert!(supervisor.is_idle());
    }

    /// PROTOCOL.md: an event is a call whose field 4 is set, with the topic in the method's place.
    #[test]
    fn golden_event() {
        let event = Call { method: "a.b".into(), content_type: 1, event: true, ..Call::default() };
        let mut bytes = Vec::new();
        encode(&mut bytes, kind::CALL, 1, &event, b"x").unwrap();
        let head = [14, 0, 0, 0, kind::CALL, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        let message = [9, 0, 0, 0, 0x0a, 3, b'a', b'.', b'b', 0x10, 1, 0x20, 1, b'x'];
        assert_eq!(bytes, [&head[..], &message].concat());
    }
}
