//! The bridge's life: Ready once the program runs, then one call after the other until the link ends.

use crate::answer::{Line, request};
use crate::fault::{Fault, error_body};
use crate::streams::{NoLine, Streams};
use casemate_lockdown::Bridge;
use casemate_lockdown::link::{Buffers, Job, Link, LinkError};
use casemate_protocol::certificate::{Layer, LayerSet};
use casemate_protocol::link::{CONTENT_JSON, CallResult, DownBounds, Status};
use casemate_protocol::outcome::LimitName;
use casemate_protocol::spawn::LoadSpec;
use casemate_sys::process::exit_now;
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;

/// What a program is asked of itself.
const DESCRIBE: &str = "library.metadata";
/// What a program that is given a configuration is told it with.
const CONFIGURE: &str = "library.configure";
/// JSON-RPC's word for what a program does not have.
const NO_SUCH_METHOD: &str = "-32601";

/// Serves calls behind the last wall.
pub(crate) fn serve(ends: Bridge, load: &LoadSpec) -> ! {
    // One that could not be confined has nobody to say so to; the supervisor sees a link that ends before it is ready.
    let Ok(ends) = ends.confine() else { exit_now(6) };
    exit_now(run(ends, load).map_or_else(|error| error.exit_code(), |()| 0))
}

fn run(ends: Bridge, load: &LoadSpec) -> Result<(), LinkError> {
    let Bridge { link, stdin, stdout, stderr, status, data_limit_bytes, .. } = ends;
    let started = await_exec(&status);
    let bounds = DownBounds { input_bytes_max: load.input_bytes, host_result_bytes_max: load.output_bytes };
    let layers: LayerSet = [Layer::Seccomp, Layer::ResourceLimits, Layer::Descriptors].into_iter().collect();
    let mut link = Link::open(link, Buffers::new(bounds), layers.bits(), data_limit_bytes)?;
    let mut program = Program {
        streams: Streams::new(stdin, stdout, stderr, load.output_bytes),
        started: started.err(),
        output_bytes: load.output_bytes,
        last_id: 0,
    };
    let mut told = None;
    loop {
        let answer = match link.next_job()? {
            Job::Setup(setup, config) => {
                told = setup.has_config.then_some(config);
                continue;
            }
            Job::Shutdown => return Ok(()),
            job => {
                let configured = match told.take() {
                    Some(config) => program.ask(&mut link, CONFIGURE, &config),
                    None => Ok(Answer::ok(b"")),
                };
                match configured {
                    Ok(Answer { result: CallResult { status, .. }, .. }) if status == Status::Ok as i32 => {
                        program.answer(&mut link, job)
                    }
                    Ok(mut answer) => {
                        answer.result.in_setup = true;
                        answer.last = true;
                        Ok(answer)
                    }
                    ended => ended,
                }
            }
        };
        let Answer { mut result, body, last } = answer?;
        result.retire = last;
        program.streams.end_complaint(&mut link)?;
        link.result(&result, &body)?;
        if last {
            // Whoever answers so is asked no more.
            return Ok(());
        }
    }
}

/// Waits until the program has been executed, or cannot be.
fn await_exec(status: &OwnedFd) -> Result<(), Fault> {
    let mut number = [0; 4];
    loop {
        match rustix::io::read(status, &mut number) {
            Ok(4) => {
                return Err(Fault::NotStarted(io::Error::from_raw_os_error(i32::from_le_bytes(number))));
            }
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(Fault::NotStarted(errno.into())),
        }
    }
}

/// What a call comes to.
struct Answer {
    result: CallResult,
    body: Vec<u8>,
    /// Whether the program is of no use after it.
    last: bool,
}

impl Answer {
    fn of(status: Status, body: Vec<u8>) -> Self {
        let result =
            CallResult { status: status.into(), content_type: CONTENT_JSON, ..CallResult::default() };
        Self { result, body, last: false }
    }

    fn ok(body: &[u8]) -> Self {
        Self::of(Status::Ok, body.to_vec())
    }

    fn fault(fault: &Fault) -> Self {
        Self { last: !fault.is_callers(), ..Self::of(Status::GuestError, fault.body()) }
    }

    /// An answer that is longer than the policy lets it be.
    fn too_long(configured: u32, observed: usize) -> Self {
        let result = CallResult {
            status: Status::Limit.into(),
            limit: LimitName::Output as u32,
            limit_configured: configured.into(),
            limit_observed: u64::try_from(observed).unwrap_or(u64::MAX),
            ..CallResult::default()
        };
        Self { result, body: Vec::new(), last: true }
    }
}

/// The program behind the bridge.
struct Program {
    streams: Streams,
    /// Why it does not run.
    started: Option<Fault>,
    output_bytes: u32,
    last_id: u64,
}

impl Program {
    fn answer(&mut self, link: &mut Link, job: Job) -> Result<Answer, LinkError> {
        match job {
            Job::Call { streams: true, .. } => {
                let why = "a native program's calls have bodies, and no streams".to_owned();
                Ok(Answer::fault(&Fault::NoRequest(why)))
            }
            Job::Call { method, body, .. } => self.ask(link, &method, &body),
            Job::Describe => {
                let (answer, code) = self.exchange(link, DESCRIBE, b"")?;
                // It need not have words for that.
                Ok(if code.as_deref() == Some(NO_SUCH_METHOD) { Answer::ok(b"") } else { answer })
            }
            Job::Event { .. } => {
                let body = error_body("no_events", "a native program is not told of events");
                Ok(Answer::of(Status::GuestError, body))
            }
            // It has nothing to do in them.
            Job::Turn(_) => Ok(Answer::ok(b"")),
            // A bridge calls no host.
            Job::Setup(..) | Job::HostResult { .. } | Job::Shutdown => Err(LinkError::Closed),
        }
    }

    fn ask(&mut self, link: &mut Link, method: &str, params: &[u8]) -> Result<Answer, LinkError> {
        Ok(self.exchange(link, method, params)?.0)
    }

    /// One request, and what the program says to it; with the code of an error of its own.
    fn exchange(
        &mut self,
        link: &mut Link,
        method: &str,
        params: &[u8],
    ) -> Result<(Answer, Option<String>), LinkError> {
        if let Some(fault) = &self.started {
            return Ok((Answer::fault(fault), None));
        }
        self.last_id += 1;
        match request(method, params, self.last_id) {
            Ok(line) => self.streams.send(&line),
            Err(fault) => return Ok((Answer::fault(&fault), None)),
        }
        loop {
            let line = match self.streams.next_line(link) {
                Ok(line) => line,
                Err(NoLine::Fault(fault)) => return Ok((Answer::fault(&fault), None)),
                Err(NoLine::TooLong(bytes)) => {
                    return Ok((Answer::too_long(self.output_bytes, bytes), None));
                }
                Err(NoLine::Ended) => {
                    // How it ended is the kernel's to say; its last words are ours to pass on.
                    self.streams.end_complaint(link)?;
                    return Err(LinkError::Closed);
                }
                Err(NoLine::Link(error)) => return Err(error),
            };
            match Line::read(&line, self.last_id) {
                Ok(Line::Result(body)) => {
                    let fits = u32::try_from(body.len()).is_ok_and(|bytes| bytes <= self.output_bytes);
                    let answer = if fits {
                        Answer::of(Status::Ok, body)
                    } else {
                        Answer::too_long(self.output_bytes, body.len())
                    };
                    return Ok((answer, None));
                }
                Ok(Line::Error { code, message }) => {
                    let answer = Answer::of(Status::GuestError, error_body(&code, &message));
                    return Ok((answer, Some(code)));
                }
                Ok(Line::Request(refusal)) => self.streams.send_if_room(&refusal),
                Ok(Line::Notification) => {}
                Err(fault) => return Ok((Answer::fault(&fault), None)),
            }
        }
    }
}
