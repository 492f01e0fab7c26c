//! What the driver of a connection is told to do, and what it tells back.

use casemate_protocol::client::{Ending, Item, Opening};
use casemate_protocol::feed::Backlog;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, mpsc, oneshot};

/// How a stream ended.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) ending: Ending,
    pub(super) body: Vec<u8>,
}

/// One stream to be opened.
#[derive(Debug)]
pub(crate) struct Order {
    pub(super) opening: Opening,
    pub(super) body: Vec<u8>,
    pub(super) answer: oneshot::Sender<Answer>,
    pub(super) kind: Kind,
    /// Where its driver hears that something of it has changed.
    pub(super) bell: Arc<Bell>,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// Its answer is all there is.
    Plain,
    /// Both bodies are under way.
    Stream { supplied: mpsc::Receiver<Piece>, inflow: mpsc::UnboundedSender<Vec<u8>> },
    /// Items come.
    Follow(Arc<Shelf>),
}

/// A piece of a stream's input; an empty one ends it.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    pub(super) sent: oneshot::Sender<()>,
}

/// Wakes the driver that has an order, once one has.
#[derive(Debug, Default)]
pub(super) struct Bell {
    state: Mutex<BellState>,
}

#[derive(Debug, Default)]
struct BellState {
    driver: Option<Arc<Notify>>,
    taken: usize,
}

impl Bell {
    pub(super) fn hang(&self, driver: &Arc<Notify>) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).driver = Some(Arc::clone(driver));
    }

    fn ring(&self) {
        if let Some(driver) = &self.state.lock().unwrap_or_else(PoisonError::into_inner).driver {
            driver.notify_one();
        }
    }

    /// Bytes that were taken since this was last asked.
    pub(super) fn taken(&self) -> usize {
        std::mem::take(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner).taken)
    }
}

/// Waits for the end of a stream. Dropping it gives the stream up.
#[derive(Debug)]
pub(super) struct Ticket {
    answer: Option<oneshot::Receiver<Answer>>,
    bell: Arc<Bell>,
}

impl Ticket {
    /// The end; `None`: that of the connection.
    pub(super) async fn answer(&mut self) -> Option<Answer> {
        match &mut self.answer {
            Some(answer) => answer.await.ok(),
            None => None,
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.answer = None;
        self.bell.ring();
    }
}

/// The bodies of a stream, at the caller.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) supply: Supply,
    pub(super) inflow: mpsc::UnboundedReceiver<Vec<u8>>,
    pub(super) credit: Taker,
}

#[derive(Debug)]
pub(super) struct Supply {
    pieces: mpsc::Sender<Piece>,
    bell: Arc<Bell>,
}

impl Supply {
    /// Sends a piece, and waits until there was credit for all of it; an empty one ends the input. `false`: nobody wants more.
    pub(super) async fn send(&self, bytes: &[u8]) -> bool {
        let (sent, is_sent) = oneshot::channel();
        if self.pieces.send(Piece { bytes: bytes.to_vec(), sent }).await.is_err() {
            return false;
        }
        self.bell.ring();
        is_sent.await.is_ok()
    }
}

#[derive(Debug)]
pub(super) struct Taker(Arc<Bell>);

impl Taker {
    /// The caller has taken so much: the daemon may send it again.
    pub(super) fn taken(&self, bytes: usize) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).taken += bytes;
        self.0.ring();
    }
}

impl Order {
    fn new(opening: Opening, body: Vec<u8>, kind: Kind) -> (Self, Ticket) {
        let (answer, answered) = oneshot::channel();
        let bell = Arc::new(Bell::default());
        let ticket = Ticket { answer: Some(answered), bell: Arc::clone(&bell) };
        (Self { opening, body, answer, kind, bell }, ticket)
    }

    pub(super) fn open(opening: Opening, body: Vec<u8>) -> (Self, Ticket) {
        Self::new(opening, body, Kind::Plain)
    }

    #[expect(clippy::disallowed_methods, reason = "the stream's window bounds what can be in it")]
    pub(super) fn stream(opening: Opening) -> (Self, Ticket, Flow) {
        let (pieces, supplied) = mpsc::channel(1);
        let (inflow, taken) = mpsc::unbounded_channel();
        let (order, ticket) = Self::new(opening, Vec::new(), Kind::Stream { supplied, inflow });
        let supply = Supply { pieces, bell: Arc::clone(&order.bell) };
        let credit = Taker(Arc::clone(&order.bell));
        (order, ticket, Flow { supply, inflow: taken, credit })
    }

    pub(super) fn follow(opening: Opening) -> (Self, Ticket, Followed) {
        let shelf = Arc::new(Shelf::default());
        let (order, ticket) = Self::new(opening, Vec::new(), Kind::Follow(Arc::clone(&shelf)));
        (order, ticket, Followed { shelf })
    }
}

/// What is followed and has not been taken.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    state: Mutex<ShelfState>,
    has_some: Notify,
}

#[derive(Debug, Default)]
struct ShelfState {
    backlog: Backlog<(Item, Vec<u8>)>,
    is_in_force: bool,
    is_over: bool,
}

impl Shelf {
    pub(super) fn put(&self, item: Item, body: &[u8]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if super::is_start(&item) {
            state.is_in_force = true;
        } else {
            state.backlog.put((item, body.to_vec()), body.len());
        }
        drop(state);
        self.has_some.notify_one();
    }

    pub(super) fn end(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_over = true;
        self.has_some.notify_one();
    }
}

/// A following that may not be in force yet.
#[derive(Debug)]
pub(super) struct Followed {
    shelf: Arc<Shelf>,
}

impl Followed {
    pub(super) async fn in_force(&mut self) {
        loop {
            if self.shelf.state.lock().unwrap_or_else(PoisonError::into_inner).is_in_force {
                return;
            }
            self.shelf.has_some.notified().await;
        }
    }

    pub(super) fn inbox(self, ticket: Ticket) -> Inbox {
        Inbox { shelf: self.shelf, _held: ticket }
    }
}

/// What comes of a following. Dropping it ends that.
#[derive(Debug)]
pub(crate) struct Inbox {
    shelf: Arc<Shelf>,
    _held: Ticket,
}

impl Inbox {
    /// The next; `None` once the connection or the daemon is gone. What was dropped on the way counts for the item after it.
    pub(crate) async fn next(&mut self) -> Option<(Item, Vec<u8>)> {
        loop {
            {
                let mut state = self.shelf.state.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(((mut item, body), dropped)) = state.backlog.take() {
                    item.dropped += dropped;
                    return Some((item, body));
                }
                if state.is_over {
                    return None;
                }
            }
            self.shelf.has_some.notified().await;
        }
    }
}
