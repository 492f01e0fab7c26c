//! Owns the socket and the streams of one connection. It ends with the connection, or when nobody can order it about any
//! more.

use super::order::{Answer, Bell, Kind, Order, Piece, Shelf};
use casemate_protocol::client::{
    ClientBounds, Ending, HostCall, HostError, HostResult, Opening, Outgoing, PAYLOAD_BYTES_MAX, Received,
    Request, Serve, Session, Unsent, Unserve, request,
};
use casemate_protocol::frame::Decoder;
use casemate_protocol::host::{self, Host, HostReply, HostRequest, Trace};
use casemate_protocol::ids::{InstanceId, PluginName};
use futures_util::future::{AbortHandle, Abortable};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use interprocess::local_socket::tokio::Stream;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, mpsc, oneshot};

/// A stream of ours.
#[derive(Debug)]
struct Waiting {
    answer: oneshot::Sender<Answer>,
    /// What of our body has not been sent.
    rest: Outgoing,
    /// What of the answer has come.
    body: Vec<u8>,
    bell: Arc<Bell>,
    flow: Flow,
}

#[derive(Debug)]
enum Flow {
    Plain,
    Stream {
        supplied: mpsc::Receiver<Piece>,
        /// The piece that is being sent: how much of it has been.
        piece: Option<(Piece, usize)>,
        inflow: mpsc::UnboundedSender<Vec<u8>>,
    },
    Follow(Arc<Shelf>),
}

/// A host call that is being answered here.
#[derive(Debug)]
enum Hosting {
    /// Its body is coming.
    Collecting(Box<HostCall>, Vec<u8>),
    /// A handler works.
    Working(AbortHandle),
    /// Its answer is going.
    Answering(Box<Outgoing>),
}

type Answered = (u64, Option<Result<HostReply, host::HostError>>);
type Work = Pin<Box<dyn Future<Output = Answered> + Send>>;

pub(super) struct Driver {
    session: Session,
    host: Host,
    orders: mpsc::Receiver<Order>,
    wake: Arc<Notify>,
    out: Unsent,
    waiting: HashMap<u64, Waiting>,
    hosting: HashMap<u64, Hosting>,
    works: FuturesUnordered<Work>,
    /// What the daemon was told that is served here, and as of which change.
    served: BTreeSet<String>,
    changes: u64,
    is_over: bool,
}

impl Driver {
    pub(super) fn new(
        session: Session,
        host: Host,
        orders: mpsc::Receiver<Order>,
        wake: Arc<Notify>,
    ) -> Self {
        Self {
            session,
            host,
            orders,
            wake,
            out: Unsent::default(),
            waiting: HashMap::new(),
            hosting: HashMap::new(),
            works: FuturesUnordered::new(),
            served: BTreeSet::new(),
            changes: 0,
            is_over: false,
        }
    }

    pub(super) async fn run(mut self, socket: Stream, mut decoder: Decoder<ClientBounds>) {
        let (mut reader, mut writer) = (&socket, &socket);
        let wake = Arc::clone(&self.wake);
        let mut has_orders = true;
        self.serve();
        while self.take(&mut decoder) {
            let waiting = self.out.waiting();
            if !has_orders && self.waiting.is_empty() && waiting == 0 {
                break;
            }
            if self.out.is_batch()
                && let Some(result) = writer.write(self.out.rest()).now_or_never()
            {
                self.sent(result);
                continue;
            }
            tokio::select! {
                biased;
                result = reader.read(decoder.spare()) => match result {
                    Ok(bytes) if bytes > 0 => decoder.filled(bytes),
                    _ => break,
                },
                order = self.orders.recv(), if has_orders && !self.out.is_full() => match order {
                    Some(order) => self.open(order),
                    None => has_orders = false,
                },
                Some((id, answered)) = self.works.next(), if !self.works.is_empty() => self.answered(id, answered),
                () = wake.notified() => self.attend(),
                // Last, so that what is ready at once leaves at once.
                result = writer.write(self.out.rest()), if waiting > 0 => self.sent(result),
            }
        }
        for waiting in self.waiting.values() {
            if let Flow::Follow(shelf) = &waiting.flow {
                shelf.end();
            }
        }
        for hosting in self.hosting.values() {
            if let Hosting::Working(handle) = hosting {
                handle.abort();
            }
        }
    }

    /// The daemon has taken so much of what waits for it.
    fn sent(&mut self, result: io::Result<usize>) {
        match result {
            Ok(bytes) if self.out.took(bytes) => self.attend(),
            Ok(_) => {}
            // What it had to say may still be here.
            Err(_) => self.out.clear(),
        }
    }

    /// Every whole frame that is here; whether the connection goes on.
    fn take(&mut self, decoder: &mut Decoder<ClientBounds>) -> bool {
        loop {
            let frame = match decoder.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => return !self.is_over,
                Err(violation) => {
                    tracing::warn!("the daemon broke the protocol: {violation}");
                    return false;
                }
            };
            match self.session.receive(frame) {
                Ok(Received::Open(id, Opening::HostCall(call), body, more)) => {
                    self.asked(id, call, body, more)
                }
                Ok(Received::Data(id, bytes, end)) => self.more(id, bytes, end),
                Ok(Received::Credit(id, _)) => self.pump(id),
                Ok(Received::Cancel(id)) => {
                    if let Some(Hosting::Working(handle)) = self.hosting.remove(&id) {
                        handle.abort();
                    }
                }
                Ok(Received::Item(id, item, body)) => {
                    if let Some(Waiting { flow: Flow::Follow(shelf), .. }) = self.waiting.get(&id) {
                        shelf.put(item, body);
                    }
                }
                Ok(Received::End(id, ending, body)) => self.ended(id, ending, body),
                Ok(Received::Refused(refused)) => {
                    tracing::warn!("the daemon ended the connection: {} [{}]", refused.message, refused.code);
                    self.is_over = true;
                }
                Ok(_) => {}
                Err(violation) => {
                    tracing::warn!("the daemon broke the protocol: {violation}");
                    return false;
                }
            }
        }
    }

    /// Opens a stream.
    fn open(&mut self, order: Order) {
        self.serve();
        let Order { mut opening, body, answer, kind, bell } = order;
        if answer.is_closed() {
            return;
        }
        let fits = body.len() <= PAYLOAD_BYTES_MAX as usize;
        let streams = matches!(kind, Kind::Stream { .. });
        match &mut opening {
            Opening::Call(call) => call.more = !fits || streams,
            Opening::Request(request) => request.more = !fits,
            Opening::Follow(_) | Opening::HostCall(_) => {}
        }
        let (first, rest) = if fits { (body, Vec::new()) } else { (Vec::new(), body) };
        // Dropping the answer's sender says that the connection takes nothing.
        let Ok(id) = self.session.open(self.out.frames(), &opening, &first) else { return };
        bell.hang(&self.wake);
        let flow = match kind {
            Kind::Plain => Flow::Plain,
            Kind::Stream { supplied, inflow } => Flow::Stream { supplied, piece: None, inflow },
            Kind::Follow(shelf) => Flow::Follow(shelf),
        };
        self.waiting.insert(id, Waiting { answer, rest: Outgoing::rest(rest), body: Vec::new(), bell, flow });
        self.pump(id);
    }

    fn more(&mut self, id: u64, bytes: &[u8], end: bool) {
        let count = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        if let Some(waiting) = self.waiting.get_mut(&id) {
            match &waiting.flow {
                // Whoever takes it says so.
                Flow::Stream { inflow, .. } => {
                    let _ = inflow.send(bytes.to_vec());
                }
                Flow::Plain | Flow::Follow(_) => {
                    waiting.body.extend_from_slice(bytes);
                    let _ = self.session.credit(self.out.frames(), id, count);
                }
            }
            return;
        }
        let Some(Hosting::Collecting(call, body)) = self.hosting.get_mut(&id) else { return };
        body.extend_from_slice(bytes);
        if end {
            let (call, body) = (std::mem::take(&mut **call), std::mem::take(body));
            self.host_call(id, call, body);
        } else {
            let _ = self.session.credit(self.out.frames(), id, count);
        }
    }

    fn ended(&mut self, id: u64, ending: Ending, last: &[u8]) {
        let Some(mut waiting) = self.waiting.remove(&id) else { return };
        let streamed = matches!(waiting.flow, Flow::Stream { .. });
        if let Flow::Follow(shelf) = &waiting.flow {
            shelf.end();
        }
        let body = if streamed {
            last.to_vec()
        } else {
            waiting.body.extend_from_slice(last);
            waiting.body
        };
        // Nobody may want it any more.
        let _ = waiting.answer.send(Answer { ending, body });
    }

    fn pump(&mut self, id: u64) {
        if let Some(waiting) = self.waiting.get_mut(&id) {
            waiting.rest.pump(&mut self.session, self.out.frames(), id);
            waiting.supply(&mut self.session, self.out.frames(), id);
        } else if let Some(Hosting::Answering(answering)) = self.hosting.get_mut(&id) {
            answering.pump(&mut self.session, self.out.frames(), id);
            if answering.is_over() {
                self.hosting.remove(&id);
            }
        }
    }

    /// Something has happened elsewhere, or there is room again.
    fn attend(&mut self) {
        self.serve();
        let (session, out) = (&mut self.session, self.out.frames());
        self.waiting.retain(|id, waiting| {
            if waiting.answer.is_closed() {
                let _ = session.cancel(out, *id);
                return false;
            }
            let taken = waiting.bell.taken();
            if taken > 0 {
                let _ = session.credit(out, *id, u32::try_from(taken).unwrap_or(u32::MAX));
            }
            waiting.supply(session, out, *id);
            true
        });
    }

    /// Tells the daemon what is served here, where that has changed.
    fn serve(&mut self) {
        let changes = self.host.changes();
        if changes == self.changes {
            return;
        }
        self.changes = changes;
        let methods: BTreeSet<String> = self.host.methods().into_iter().collect();
        let gone = self
            .served
            .difference(&methods)
            .map(|method| request::Operation::Unserve(Unserve { method: method.clone() }));
        let new = methods
            .difference(&self.served)
            .map(|method| request::Operation::Serve(Serve { method: method.clone() }));
        let (session, out) = (&mut self.session, self.out.frames());
        for operation in gone.chain(new) {
            // Its answer is of no interest: the frame is in the order of the calls.
            let request = Opening::Request(Request { more: false, operation: Some(operation) });
            let _ = session.open(out, &request, &[]);
        }
        self.served = methods;
    }

    fn asked(&mut self, id: u64, call: HostCall, body: &[u8], more: bool) {
        if more {
            self.hosting.insert(id, Hosting::Collecting(Box::new(call), body.to_vec()));
        } else {
            self.host_call(id, call, body.to_vec());
        }
    }

    fn host_call(&mut self, id: u64, call: HostCall, body: Vec<u8>) {
        let request = HostRequest {
            plugin: PluginName::from_lossy(&call.plugin),
            instance: InstanceId(call.instance),
            method: call.method,
            content_type: u32::try_from(call.content_type).unwrap_or_default(),
            body,
            remaining: Duration::from_millis(call.deadline_ms.into()),
            trace: Trace { parent: call.traceparent, state: call.tracestate },
            answer_bytes_max: call.answer_bytes_max,
        };
        let host = self.host.clone();
        let (handle, registration) = AbortHandle::new_pair();
        let answer = Abortable::new(async move { host.answer(request).await }, registration);
        self.works.push(Box::pin(async move { (id, answer.await.ok()) }));
        self.hosting.insert(id, Hosting::Working(handle));
    }

    fn answered(&mut self, id: u64, answered: Option<Result<HostReply, host::HostError>>) {
        let Some(answered) = answered else { return };
        if !matches!(self.hosting.get(&id), Some(Hosting::Working(_))) {
            return;
        }
        let (result, body) = match answered {
            Ok(HostReply { content_type, body }) => {
                let content_type = i32::try_from(content_type).unwrap_or_default();
                (HostResult { content_type, error: None }, body)
            }
            Err(host::HostError { code, message, retryable }) => {
                let cut = |text: &str, bytes| casemate_protocol::link::cut(text, bytes).to_owned();
                let error = HostError { code: cut(&code, 128), message: cut(&message, 4096), retryable };
                (HostResult { content_type: 0, error: Some(error) }, Vec::new())
            }
        };
        self.hosting
            .insert(id, Hosting::Answering(Box::new(Outgoing::answer(Ending::HostResult(result), body))));
        self.pump(id);
    }
}

impl Waiting {
    /// Sends of a stream's input what its caller has brought and the daemon takes.
    fn supply(&mut self, session: &mut Session, out: &mut Vec<u8>, id: u64) {
        let Flow::Stream { supplied, piece, .. } = &mut self.flow else { return };
        loop {
            if piece.is_none() {
                *piece = supplied.try_recv().ok().map(|piece| (piece, 0));
            }
            let Some((now, sent)) = piece else { return };
            let rest = now.bytes.get(*sent..).unwrap_or_default();
            let is_end = now.bytes.is_empty();
            let window = session.window(id).unwrap_or_default().min(PAYLOAD_BYTES_MAX) as usize;
            let (bytes, later) = rest.split_at(window.min(rest.len()));
            if (bytes.is_empty() && !is_end) || session.data(out, id, bytes, is_end).is_err() {
                return;
            }
            *sent += bytes.len();
            if later.is_empty()
                && let Some((done, _)) = piece.take()
            {
                let _ = done.sent.send(());
            }
        }
    }
}
