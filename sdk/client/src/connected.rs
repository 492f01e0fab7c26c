//! A daemon's supervisor, over its socket.
//!
//! ```text
//! calls, requests ─orders─► driver, a task of its own ─socket─► daemon
//!        answers ◄─────────┘  host calls ─► the handlers of this process
//! ```
//! | module | does |
//! |---|---|
//! | `driver` | owns the socket and the streams of one connection |
//! | `manifest` | a policy as what a plugin asks for |
//! | `order` | what it is told to do, and what it tells back |
//!
//! When a connection ends, what was open on it fails as lost, and the next call connects anew; host methods are served again
//! then, followings are over.

mod driver;
mod manifest;
mod order;

use crate::plugin::Around;
use crate::stream::{PIECE_BYTES, failed};
use casemate_protocol::client::request::Operation;
use casemate_protocol::client::{
    self, CLIENT_BYTES_MAX, Call, ClientBounds, Ending, Follow, Hello, Item, MAGIC, Opening, Received,
    Request, Response, Session, Side, VERSION, decode_failure,
};
use casemate_protocol::frame::Decoder;
use casemate_protocol::host::Host;
use casemate_protocol::link::cut;
use casemate_protocol::outcome::{Cause, Failure, escape};
use driver::Driver;
use interprocess::local_socket::tokio::Stream;
use interprocess::local_socket::traits::tokio::Stream as _;
use interprocess::local_socket::{GenericFilePath, ToFsName};
use order::{Answer, Followed, Order, Ticket};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Mutex, mpsc};

pub(crate) use manifest::manifest;
pub(crate) use order::Inbox;

/// Orders that wait for the driver.
const ORDERS_MAX: usize = 256;

/// How long a daemon may take to greet.
const GREETING: Duration = Duration::from_secs(10);

/// A daemon, connected to whenever it is needed.
#[derive(Debug)]
pub(crate) struct Connection {
    path: PathBuf,
    client: String,
    host: Host,
    live: Mutex<Option<Live>>,
    /// What the daemon said that this client may do.
    rights: std::sync::Mutex<Vec<String>>,
}

/// One connection.
#[derive(Debug, Clone)]
struct Live {
    orders: mpsc::Sender<Order>,
    wake: Arc<tokio::sync::Notify>,
}

impl Connection {
    /// Connects, and stays so.
    pub(crate) async fn open(path: &Path, client: &str) -> Result<Self, Failure> {
        let connection = Self {
            path: path.to_owned(),
            client: cut(client, CLIENT_BYTES_MAX).to_owned(),
            host: Host::default(),
            live: Mutex::default(),
            rights: std::sync::Mutex::default(),
        };
        connection.live().await?;
        Ok(connection)
    }

    pub(crate) fn rights(&self) -> Vec<String> {
        self.rights.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// Tells the driver that the host's methods have changed.
    pub(crate) fn served(&self) {
        // Whoever connects right now serves them all anyway.
        if let Ok(live) = self.live.try_lock()
            && let Some(live) = &*live
        {
            live.wake.notify_one();
        }
    }

    fn lost(&self, message: impl Into<String>) -> Cause {
        Cause::Connection { socket: escape(&self.path.display().to_string(), 512), message: message.into() }
    }

    async fn live(&self) -> Result<Live, Failure> {
        let mut live = self.live.lock().await;
        if let Some(live) = live.as_ref().filter(|live| !live.orders.is_closed()) {
            return Ok(live.clone());
        }
        let greeted = tokio::time::timeout(GREETING, self.greet()).await;
        let late = |_| Failure::not_started(self.lost("the daemon does not answer"));
        let (socket, session, decoder) = greeted.map_err(late)??;
        let (orders, ordered) = mpsc::channel(ORDERS_MAX);
        let wake = Arc::new(tokio::sync::Notify::new());
        let driver = Driver::new(session, self.host.clone(), ordered, Arc::clone(&wake));
        tokio::spawn(driver.run(socket, decoder));
        let fresh = Live { orders, wake };
        *live = Some(fresh.clone());
        Ok(fresh)
    }

    async fn greet(&self) -> Result<(Stream, Session, Decoder<ClientBounds>), Failure> {
        let failed = |error: std::io::Error| {
            let hint = match error.kind() {
                std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => {
                    "; is `casemate serve` running, and with this socket?"
                }
                std::io::ErrorKind::PermissionDenied => {
                    "; its configuration has to name this user (daemon.clients)"
                }
                _ => "",
            };
            Failure::not_started(self.lost(format!("{error}{hint}")))
        };
        let name = self.path.as_path().to_fs_name::<GenericFilePath>().map_err(failed)?;
        let mut socket = Stream::connect(name).await.map_err(failed)?;
        let mut session = Session::new(Side::Client);
        let mut out = Vec::new();
        let hello =
            Hello { magic: MAGIC, version_min: VERSION, version_max: VERSION, client: self.client.clone() };
        let _ = session.hello(&mut out, &hello);
        // A daemon that refuses at once may be gone before it has read this.
        let written = socket.write_all(&out).await;
        let mut decoder = Decoder::new(ClientBounds { side: Side::Client });
        loop {
            let frame = decoder.next_frame().map_err(|violation| self.foreign(&violation))?;
            if let Some(frame) = frame {
                match session.receive(frame).map_err(|violation| self.foreign(&violation))? {
                    Received::Welcome(welcome) => {
                        *self.rights.lock().unwrap_or_else(PoisonError::into_inner) = welcome.rights;
                        return Ok((socket, session, decoder));
                    }
                    Received::Refused(refused) => {
                        let message = format!("it refuses: {} [{}]", refused.message, refused.code);
                        return Err(Failure::not_started(self.lost(escape(&message, 1024))));
                    }
                    _ => return Err(Failure::not_started(self.lost("it speaks another protocol"))),
                }
            }
            let bytes = socket.read(decoder.spare()).await.map_err(failed)?;
            if bytes == 0 {
                let message = match &written {
                    Ok(()) => "it closed the connection before it greeted".to_owned(),
                    Err(error) => error.to_string(),
                };
                return Err(Failure::not_started(self.lost(message)));
            }
            decoder.filled(bytes);
        }
    }

    fn foreign(&self, violation: &dyn std::fmt::Display) -> Failure {
        Failure::not_started(self.lost(format!("it speaks another protocol: {violation}")))
    }

    /// Opens a stream. An order that no driver takes was never sent.
    async fn order(&self, order: Order) -> Result<(), Failure> {
        let live = self.live().await?;
        match live.orders.send(order).await {
            Ok(()) => Ok(()),
            // The connection ended this moment: once more, on a new one.
            Err(mpsc::error::SendError(order)) => {
                let live = self.live().await?;
                let gone = |_| Failure::not_started(self.lost("the daemon closes every connection at once"));
                live.orders.send(order).await.map_err(gone)
            }
        }
    }

    async fn wait(&self, ticket: &mut Ticket) -> Result<(Ending, Vec<u8>), Failure> {
        let Answer { ending, body } = match ticket.answer().await {
            Some(answer) => answer,
            None => {
                let cause = self.lost("it ended the connection; what was open on it may have run");
                return Err(Failure::maybe_ran(cause));
            }
        };
        match ending {
            Ending::Failure(failure) => Err(decode_failure(failure, &body)),
            ending => Ok((ending, body)),
        }
    }

    /// Calls a plugin's method.
    ///
    /// Cancel safety: dropping the future gives the call up, in the daemon too.
    pub(crate) async fn call(
        &self,
        plugin: &str,
        method: &str,
        content_type: u32,
        body: Vec<u8>,
        around: &Around,
    ) -> Result<(u32, Vec<u8>), Failure> {
        let call = Opening::Call(opening(plugin, method, content_type, around, false));
        let (order, mut ticket) = Order::open(call, body);
        self.order(order).await?;
        answer(self.wait(&mut ticket).await?)
    }

    /// Calls a method that reads and writes while both bodies are under way.
    ///
    /// Cancel safety: dropping the future gives the call up; what has been written stays written.
    pub(crate) async fn stream(
        &self,
        plugin: &str,
        method: &str,
        around: &Around,
        mut input: impl AsyncRead + Unpin + Send,
        mut output: impl AsyncWrite + Unpin + Send,
    ) -> Result<(u32, Vec<u8>), Failure> {
        let call = Opening::Call(opening(plugin, method, 0, around, true));
        let (order, mut ticket, flow) = Order::stream(call);
        let order::Flow { supply, mut inflow, credit } = flow;
        self.order(order).await?;
        let supplying = async {
            let mut piece = vec![0; PIECE_BYTES];
            loop {
                let bytes = match input.read(&mut piece).await {
                    Ok(bytes) => piece.get(..bytes).unwrap_or_default(),
                    Err(error) => return Err(error),
                };
                if !supply.send(bytes).await || bytes.is_empty() {
                    return Ok(());
                }
            }
        };
        let taking = async {
            while let Some(bytes) = inflow.recv().await {
                output.write_all(&bytes).await?;
                credit.taken(bytes.len());
            }
            output.flush().await
        };
        let mut supplied = std::pin::pin!(supplying);
        let mut taken = std::pin::pin!(taking);
        let mut waiting = std::pin::pin!(self.wait(&mut ticket));
        let (mut is_supplied, mut is_taken) = (false, false);
        let ended = loop {
            tokio::select! {
                result = &mut supplied, if !is_supplied => {
                    result.map_err(failed)?;
                    is_supplied = true;
                }
                result = &mut taken, if !is_taken => {
                    result.map_err(failed)?;
                    is_taken = true;
                }
                ended = &mut waiting => break ended?,
            }
        };
        if !is_taken {
            // What was sent before the end is here.
            taken.await.map_err(failed)?;
        }
        answer(ended)
    }

    /// Has the daemon do something.
    pub(crate) async fn request(
        &self,
        operation: Operation,
        body: Vec<u8>,
    ) -> Result<(Response, Vec<u8>), Failure> {
        let request = Opening::Request(Request { more: false, operation: Some(operation) });
        let (order, mut ticket) = Order::open(request, body);
        self.order(order).await?;
        match self.wait(&mut ticket).await? {
            (Ending::Response(response), body) => Ok((response, body)),
            _ => Err(unexpected()),
        }
    }

    /// Follows something; returns once that is in force.
    pub(crate) async fn follow(&self, what: client::follow::What) -> Result<Inbox, Failure> {
        let follow = Opening::Follow(Follow { what: Some(what) });
        let (order, mut ticket, mut followed): (_, _, Followed) = Order::follow(follow);
        self.order(order).await?;
        tokio::select! {
            () = followed.in_force() => {}
            ended = self.wait(&mut ticket) => return Err(ended.err().unwrap_or_else(unexpected)),
        }
        Ok(followed.inbox(ticket))
    }
}

fn opening(plugin: &str, method: &str, content_type: u32, around: &Around, stream: bool) -> Call {
    let deadline_ms = around.deadline.map_or(0, |deadline| {
        // 0 says that there is none.
        u32::try_from(deadline.as_millis()).unwrap_or(u32::MAX).max(1)
    });
    Call {
        plugin: plugin.to_owned(),
        method: method.to_owned(),
        content_type: i32::try_from(content_type).unwrap_or_default(),
        deadline_ms,
        more: false,
        stream,
        traceparent: around.trace.parent.clone(),
        tracestate: around.trace.state.clone(),
    }
}

fn answer(ended: (Ending, Vec<u8>)) -> Result<(u32, Vec<u8>), Failure> {
    match ended {
        (Ending::Answer(answer), body) => Ok((u32::try_from(answer.content_type).unwrap_or_default(), body)),
        _ => Err(unexpected()),
    }
}

fn unexpected() -> Failure {
    let message = "the daemon ended a stream as another kind of stream".to_owned();
    Failure::maybe_ran(Cause::Reply { message })
}

/// An item without content says that a following is in force.
fn is_start(item: &Item) -> bool {
    item.of.is_none()
}
