//! A body that is sent as far as there is credit for it.

use super::{Ending, Failure, PAYLOAD_BYTES_MAX, Session};

/// A body on its way out, and what comes at its end.
#[derive(Debug)]
pub struct Outgoing {
    ending: Option<Ending>,
    body: Vec<u8>,
    sent: usize,
    is_over: bool,
}

impl Outgoing {
    /// The answer to a stream of the other end's.
    pub fn answer(ending: Ending, body: Vec<u8>) -> Self {
        Self { ending: Some(ending), body, sent: 0, is_over: false }
    }

    /// What follows the opening of a stream of our own: its last piece says that it is that.
    pub fn rest(body: Vec<u8>) -> Self {
        let is_over = body.is_empty();
        Self { ending: None, body, sent: 0, is_over }
    }

    /// Whether it is an answer in the sense of [`Ending::Answer`].
    pub fn is_answer(&self) -> bool {
        matches!(self.ending, Some(Ending::Answer(_)))
    }

    /// Whether all of it has been sent.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Sends what may be sent now.
    pub fn pump(&mut self, session: &mut Session, out: &mut Vec<u8>, id: u64) {
        while !self.is_over {
            let rest = self.body.get(self.sent..).unwrap_or_default();
            if let Some(ending) = &self.ending
                && rest.len() <= PAYLOAD_BYTES_MAX as usize
            {
                // A stream that is over needs no end; an end that is too long for its frame is told in a short one.
                if session.end(out, id, ending, rest).is_err() && session.is_open(id) {
                    let message = "the answer does not fit into a frame".to_owned();
                    let failure = Failure { code: "daemon.answer".to_owned(), message, ..Failure::default() };
                    let _ = session.end(out, id, &Ending::Failure(failure), &[]);
                }
                self.is_over = true;
                return;
            }
            let window = session.window(id).unwrap_or_default().min(PAYLOAD_BYTES_MAX) as usize;
            let (now, later) = rest.split_at(window.min(rest.len()));
            let is_end = self.ending.is_none() && later.is_empty();
            if now.is_empty() || session.data(out, id, now, is_end).is_err() {
                return;
            }
            self.sent += now.len();
            self.is_over = is_end;
        }
    }
}
