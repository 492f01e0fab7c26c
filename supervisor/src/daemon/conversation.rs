//! One client, from its greeting to its end: its socket, its streams, and what is being done for them. One task owns all of
//! it, and what is done for its streams is done in that task; nothing of it is another client's.
//!
//! ```text
//! socket ─read─► decoder ─► session ─► a stream's work begins, gets more of its body, is given up
//! works done, pipes, mailboxes, desk ─► session ─► out ─write─► socket
//! ```
//! A client that does not read is not read from any more once so much waits for it, and is left after a while in which it
//! has taken nothing. On its socket the daemon only reads and writes, so no descriptor can be pushed at it.

use super::access::Access;
use super::desk::{Ask, CallDesk, ClientDesk};
use super::line::Line;
use super::office::{Office, is_closing};
use super::work::{Done, Work};
use crate::host::{HostError, HostReply};
use crate::pipe::Pipe;
use crate::process::registered::Registered;
use casemate_protocol::client::{
    Answer, ClientBounds, Ending, Follow, HostCall, HostResult, Opening, Outgoing, PAYLOAD_BYTES_MAX,
    Received, Refused, Request, Right, Session, Side, Unsent, VERSION, Violation, WINDOW_BYTES, Welcome,
    encode_failure,
};
use casemate_protocol::frame::Decoder;
use casemate_protocol::ids::ClientId;
use casemate_protocol::outcome::{Cause, Failure};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// How long a client may take nothing of what waits for it.
const STALL: Duration = Duration::from_secs(30);

/// Why a conversation is over.
#[derive(Debug)]
pub(super) enum End {
    /// It is finished, or the client has gone.
    Gone,
    /// The client broke a rule.
    Violation(Violation),
    /// It did not say who it is in time.
    Silent,
    /// It takes nothing.
    Stalled,
    /// The socket failed.
    Io(io::Error),
}

impl End {
    /// What the client did that it must not.
    pub(super) fn offence(&self) -> Option<String> {
        match self {
            Self::Violation(violation) => Some(violation.to_string()),
            Self::Silent => Some("it did not say who it is in time".to_owned()),
            Self::Stalled => Some("it did not read what it got".to_owned()),
            Self::Gone | Self::Io(_) => None,
        }
    }
}

/// A host call to the client.
struct Asked {
    reply: oneshot::Sender<Result<HostReply, HostError>>,
    /// What of its input has not been sent.
    rest: Outgoing,
    /// What of its answer has come, and how much may.
    body: Vec<u8>,
    bytes_max: usize,
}

/// One client.
pub(super) struct Conversation {
    pub(super) office: Arc<Office>,
    pub(super) client: ClientId,
    pub(super) access: Access,
    session: Session,
    out: Unsent,
    pub(super) lines: HashMap<u64, Line>,
    works: FuturesUnordered<Work>,
    pub(super) desk: Arc<ClientDesk>,
    asked: HashMap<u64, Asked>,
    pub(super) wake: Arc<Notify>,
    /// The other end opens nothing more.
    client_left: bool,
    /// We take nothing more.
    closing: bool,
    own_uid: u32,
    /// As of which reload of the configuration its access is.
    reloads: u64,
}

impl Conversation {
    pub(super) fn new(
        office: Arc<Office>,
        client: ClientId,
        access: Access,
        own_uid: u32,
        reloads: u64,
    ) -> Self {
        let wake = Arc::new(Notify::new());
        Self {
            office,
            client,
            access,
            session: Session::new(Side::Daemon),
            out: Unsent::default(),
            lines: HashMap::new(),
            works: FuturesUnordered::new(),
            desk: Arc::new(ClientDesk::new(Arc::clone(&wake))),
            asked: HashMap::new(),
            wake,
            client_left: false,
            closing: false,
            own_uid,
            reloads,
        }
    }

    /// Talks until one of both ends it.
    pub(super) async fn run(&mut self, socket: &Registered) -> End {
        let mut decoder = Decoder::new(ClientBounds { side: Side::Daemon });
        let greeting_due = Instant::now() + self.office.handshake_timeout();
        let mut progress = Instant::now();
        let wake = Arc::clone(&self.wake);
        let mut closing = self.office.closing();
        let mut greeted = false;
        loop {
            let waiting = self.out.waiting();
            if waiting == 0 && self.is_finished() {
                return End::Gone;
            }
            if !greeted {
                greeted = self.is_greeted();
            }
            let patience = if greeted { progress + STALL } else { greeting_due };
            if self.out.is_batch()
                && let Some(result) = socket.write(self.out.rest()).now_or_never()
            {
                match result {
                    Ok(bytes) => {
                        progress = Instant::now();
                        self.sent(bytes);
                        continue;
                    }
                    Err(error) => return End::Io(error),
                }
            }
            tokio::select! {
                biased;
                Some((id, done)) = self.works.next(), if !self.works.is_empty() => {
                    if waiting == 0 {
                        progress = Instant::now();
                    }
                    self.done(id, done);
                }
                result = socket.read(decoder.spare()), if !self.out.is_full() => match result {
                    Ok(0) => return End::Gone,
                    Ok(bytes) => {
                        if waiting == 0 {
                            progress = Instant::now();
                        }
                        decoder.filled(bytes);
                        if let Err(violation) = self.take(&mut decoder) {
                            self.say_goodbye(&violation, socket).await;
                            return End::Violation(violation);
                        }
                    }
                    Err(error) => return End::Io(error),
                },
                () = wake.notified() => self.attend(),
                () = is_closing(&mut closing), if !self.closing => self.close(),
                // Last, so that what is ready at once leaves at once.
                result = socket.write(self.out.rest()), if waiting > 0 => match result {
                    Ok(bytes) => {
                        progress = Instant::now();
                        self.sent(bytes);
                    }
                    Err(error) => return End::Io(error),
                },
                () = tokio::time::sleep_until(patience), if !greeted || waiting > 0 => {
                    return if greeted { End::Stalled } else { End::Silent };
                }
            }
        }
    }

    /// The client has taken so much of what waits for it.
    fn sent(&mut self, bytes: usize) {
        if self.out.took(bytes) {
            self.attend();
        }
    }

    fn is_greeted(&self) -> bool {
        self.session.is_greeted()
    }

    fn is_finished(&self) -> bool {
        (self.client_left || self.closing) && self.session.is_idle()
    }

    /// Takes no more streams; what runs goes on.
    fn close(&mut self) {
        self.closing = true;
        let _ = self.session.bye(self.out.frames(), "the daemon stops");
        // What is only followed would never end, and a body that is still coming may not.
        let endless = |line: &Line| matches!(line, Line::Following(_) | Line::Collecting(_));
        let following = self.lines.iter().filter(|(_, line)| endless(line));
        let ids: Vec<u64> = following.map(|(id, _)| *id).collect();
        for id in ids {
            self.fail(id, &Failure::not_started(Cause::Closed));
        }
    }

    /// The last frame, if the socket takes it at once.
    async fn say_goodbye(&mut self, violation: &Violation, socket: &Registered) {
        let refused = Refused {
            code: violation.code.name().to_owned(),
            message: violation.to_string(),
            version_min: VERSION,
            version_max: VERSION,
        };
        super::put_refusal(self.out.frames(), &refused);
        let _ = tokio::time::timeout(super::GOODBYE, socket.write_all(self.out.rest())).await;
    }

    /// Every whole frame that is here.
    fn take(&mut self, decoder: &mut Decoder<ClientBounds>) -> Result<(), Violation> {
        while let Some(frame) = decoder.next_frame()? {
            match self.session.receive(frame)? {
                Received::Hello(hello) => self.greet(&hello.client),
                Received::Open(id, opening, body, more) => self.open(id, opening, body, more),
                Received::Data(id, bytes, end) => self.more(id, bytes, end),
                Received::Credit(id, _) => self.pump(id),
                Received::Cancel(id) => drop(self.lines.remove(&id)),
                Received::End(id, Ending::HostResult(result), body) => self.answered(id, result, body),
                Received::Bye(_) => self.client_left = true,
                // A daemon's own messages: their kinds do not get here.
                Received::Welcome(_)
                | Received::Refused(_)
                | Received::Item(..)
                | Received::End(..)
                | Received::Late => {}
            }
        }
        Ok(())
    }

    fn greet(&mut self, name: &str) {
        self.office.greeted(self.client, &self.access, name);
        let welcome = Welcome {
            version: VERSION,
            server: concat!("casemate ", env!("CARGO_PKG_VERSION")).to_owned(),
            payload_bytes_max: PAYLOAD_BYTES_MAX,
            window_bytes: WINDOW_BYTES,
            in_flight: self.access.in_flight,
            rights: self.access.rights.iter().map(|right| right.name().to_owned()).collect(),
            plugins: self.access.plugins.clone(),
        };
        let _ = self.session.welcome(self.out.frames(), &welcome);
    }

    /// What the configuration says of its user by now; one that it does not name any more is let go.
    fn renew_access(&mut self) {
        let reloads = self.office.reloads();
        if std::mem::replace(&mut self.reloads, reloads) == reloads {
            return;
        }
        let configuration = self.office.supervisor.configuration();
        match Access::of(self.access.uid, self.own_uid, configuration.daemon()) {
            Some(access) => self.access = access,
            None => {
                self.access.rights.clear();
                self.close();
            }
        }
        if !self.access.rights.contains(&Right::Serve) {
            self.office.served.leave(&self.desk);
        }
    }

    fn open(&mut self, id: u64, opening: Opening, body: &[u8], more: bool) {
        self.renew_access();
        let in_flight = u64::from(self.access.in_flight);
        if self.closing {
            return self.fail(id, &Failure::not_started(Cause::Closed));
        }
        if self.session.open_by_peer() as u64 > in_flight {
            return self.fail(id, &Failure::not_started(Cause::InFlight { configured: in_flight }));
        }
        let begun = match opening {
            Opening::Call(call) => self.call(id, call, body, more),
            Opening::Request(request) => self.request(id, request, body, more),
            Opening::Follow(follow) => self.follow(id, follow),
            Opening::HostCall(_) => Ok(()),
        };
        if let Err(failure) = begun {
            self.fail(id, &failure);
        }
    }

    fn request(&mut self, id: u64, request: Request, body: &[u8], more: bool) -> Result<(), Failure> {
        let bytes_max = self.admit(&request)?;
        self.collect(id, Opening::Request(request), body, more, bytes_max)
    }

    fn follow(&mut self, id: u64, follow: Follow) -> Result<(), Failure> {
        let following = self.begin_following(follow)?;
        self.lines.insert(id, Line::Following(following));
        // Empty: it is in force.
        let _ = self.session.item(self.out.frames(), id, &Default::default(), &[]);
        Ok(())
    }

    /// Waits for the whole body, or begins with it.
    pub(super) fn collect(
        &mut self,
        id: u64,
        opening: Opening,
        body: &[u8],
        more: bool,
        bytes_max: u64,
    ) -> Result<(), Failure> {
        if more {
            let collecting = super::line::Collecting { opening, body: body.to_vec(), bytes_max };
            collecting.check()?;
            self.lines.insert(id, Line::Collecting(Box::new(collecting)));
            Ok(())
        } else {
            self.begin(id, opening, body.to_vec())
        }
    }

    /// More of the body of a client's stream, or of its answer to a host call.
    fn more(&mut self, id: u64, bytes: &[u8], end: bool) {
        if let Some(asked) = self.asked.get_mut(&id) {
            if asked.body.len() + bytes.len() <= asked.bytes_max {
                asked.body.extend_from_slice(bytes);
                let _ = self.session.credit(self.out.frames(), id, credit(bytes));
            } else if let Some(asked) = self.asked.remove(&id) {
                let _ = self.session.cancel(self.out.frames(), id);
                let _ = asked.reply.send(Err(too_large(asked.bytes_max)));
            }
            return;
        }
        let collected = match self.lines.get_mut(&id) {
            Some(Line::Collecting(collecting)) => {
                collecting.body.extend_from_slice(bytes);
                collecting.check()
            }
            Some(Line::Streaming(streaming)) => {
                streaming.bodies.input.push(bytes);
                if end {
                    streaming.bodies.input.end();
                }
                return;
            }
            _ => return,
        };
        match collected {
            Err(failure) => self.fail(id, &failure),
            Ok(()) if end => {
                if let Some(Line::Collecting(collecting)) = self.lines.remove(&id)
                    && let Err(failure) = self.begin(id, collecting.opening, collecting.body)
                {
                    self.fail(id, &failure);
                }
            }
            Ok(()) => {
                let _ = self.session.credit(self.out.frames(), id, credit(bytes));
            }
        }
    }

    /// Does something in this task.
    pub(super) fn work(&mut self, work: Work) {
        self.works.push(work);
    }

    fn done(&mut self, id: u64, done: Done) {
        match done {
            Done::GivenUp => {}
            Done::Call(Ok(reply)) => {
                let content_type = i32::try_from(reply.content_type).unwrap_or_default();
                self.answer(id, Ending::Answer(Answer { content_type }), reply.body);
            }
            Done::Response(Ok((response, body))) => self.answer(id, Ending::Response(*response), body),
            Done::Call(Err(failure)) | Done::Response(Err(failure)) => self.fail(id, &failure),
        }
    }

    pub(super) fn fail(&mut self, id: u64, failure: &Failure) {
        self.office.count_failure(self.client, &self.access, failure);
        let (message, body) = encode_failure(failure);
        self.answer(id, Ending::Failure(message), body);
    }

    /// Ends a stream, once what belongs before that has been sent.
    fn answer(&mut self, id: u64, ending: Ending, body: Vec<u8>) {
        let answering = Outgoing::answer(ending, body);
        match self.lines.get_mut(&id) {
            // What the plugin has written comes first, unless it failed.
            Some(Line::Streaming(streaming)) if answering.is_answer() => {
                streaming.bodies.output.end();
                streaming.answering = Some(answering);
            }
            _ => {
                self.lines.insert(id, Line::Answering(Box::new(answering)));
            }
        }
        self.pump(id);
    }

    /// Sends of a body what may be sent now.
    fn pump(&mut self, id: u64) {
        if let Some(asked) = self.asked.get_mut(&id) {
            return asked.rest.pump(&mut self.session, self.out.frames(), id);
        }
        match self.lines.get_mut(&id) {
            Some(Line::Answering(answering)) => answering.pump(&mut self.session, self.out.frames(), id),
            Some(Line::Streaming(streaming)) => streaming.pump(&mut self.session, &mut self.out, id),
            _ => return,
        }
        if !self.session.is_open(id) {
            self.lines.remove(&id);
        }
    }

    /// Something has happened elsewhere, or there is room again.
    fn attend(&mut self) {
        for ask in self.desk.take_asks() {
            self.ask(ask);
        }
        let (session, out) = (&mut self.session, &mut self.out);
        self.asked.retain(|id, asked| {
            let is_wanted = !asked.reply.is_closed();
            if !is_wanted {
                let _ = session.cancel(out.frames(), *id);
            }
            is_wanted
        });
        let mut over = Vec::new();
        for (id, line) in &mut self.lines {
            match line {
                Line::Streaming(streaming) => {
                    let taken = streaming.bodies.input.taken();
                    if taken > 0 {
                        let taken = u32::try_from(taken).unwrap_or(u32::MAX);
                        let _ = session.credit(out.frames(), *id, taken);
                    }
                    streaming.pump(session, out, *id);
                    if !session.is_open(*id) {
                        over.push(*id);
                    }
                }
                Line::Following(following) => {
                    while !out.is_full()
                        && let Some((item, body)) = following.mailbox.take()
                    {
                        let _ = session.item(out.frames(), *id, &item, &body);
                    }
                }
                Line::Collecting(_) | Line::Working { .. } | Line::Answering(_) => {}
            }
        }
        for id in over {
            self.lines.remove(&id);
        }
    }

    /// Asks the client what a plugin asks its host.
    fn ask(&mut self, ask: Ask) {
        let Ask { request, call, reply } = ask;
        if self.out.is_full() {
            let message = "the client that serves the method does not read what it is asked";
            let _ = reply.send(Err(HostError { retryable: true, ..HostError::new("unavailable", message) }));
            return;
        }
        self.office.count_host_call();
        let fits = request.body.len() <= PAYLOAD_BYTES_MAX as usize;
        let opening = Opening::HostCall(HostCall {
            plugin: request.plugin.to_string(),
            instance: request.instance.0,
            method: request.method,
            content_type: i32::try_from(request.content_type).unwrap_or_default(),
            deadline_ms: u32::try_from(request.remaining.as_millis()).unwrap_or(u32::MAX),
            more: !fits,
            call,
            traceparent: request.trace.parent,
            tracestate: request.trace.state,
            answer_bytes_max: request.answer_bytes_max,
        });
        let bytes_max = usize::try_from(request.answer_bytes_max).unwrap_or(usize::MAX);
        let first = if fits { request.body.as_slice() } else { &[] };
        match self.session.open(self.out.frames(), &opening, first) {
            Ok(id) => {
                let mut rest = Outgoing::rest(if fits { Vec::new() } else { request.body });
                rest.pump(&mut self.session, self.out.frames(), id);
                self.asked.insert(id, Asked { reply, rest, body: Vec::new(), bytes_max });
            }
            Err(misuse) => {
                let _ = reply.send(Err(HostError::new("unavailable", misuse.to_string())));
            }
        }
    }

    fn answered(&mut self, id: u64, result: HostResult, last: &[u8]) {
        let Some(asked) = self.asked.remove(&id) else { return };
        let mut body = asked.body;
        body.extend_from_slice(last);
        let content_type = u32::try_from(result.content_type).unwrap_or_default();
        let _ = asked.reply.send(match result.error {
            None => Ok(HostReply { content_type, body }),
            Some(error) => {
                Err(HostError { code: error.code, message: error.message, retryable: error.retryable })
            }
        });
    }

    /// A pipe that wakes this conversation, with the beginning of a body in it.
    pub(super) fn input(&self, body: &[u8], more: bool) -> Arc<Pipe> {
        let pipe = Pipe::watched(usize::MAX, Arc::clone(&self.wake));
        pipe.push(body);
        // What came with the opening cost no credit.
        if !more {
            pipe.end();
        }
        Arc::new(pipe)
    }

    pub(super) fn call_desk(&self, call: u64) -> Arc<CallDesk> {
        let serves_all = self.access.rights.contains(&Right::Serve);
        let office = (!serves_all).then(|| Arc::clone(&self.office));
        Arc::new(CallDesk { desk: Arc::clone(&self.desk), call, office })
    }
}

impl Drop for Conversation {
    /// However it ended: nobody is to wait for this client.
    fn drop(&mut self) {
        self.desk.leave();
        self.office.served.leave(&self.desk);
    }
}

/// As the supervisor says it of a host in its own process.
fn too_large(bytes_max: usize) -> HostError {
    HostError::new("too_large", format!("the host's answer is longer than {bytes_max} bytes (limits.output)"))
}

fn credit(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
