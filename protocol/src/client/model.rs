//! The rules of a connection once more, written as a list of what has happened and not as tables: what the machine does with
//! any sequence of frames must be what this says. For fuzz targets and tests.

use super::kind::{self, Class, KINDS, Row};
use super::{
    Answer, Call, Credit, Data, Ending, Failure, Follow, Hello, HostCall, HostResult, Item, List, MAGIC,
    Opening, Received, Request, Response, Session, Side, Subscribe, VERSION, ViolationCode as Code,
    WINDOW_BYTES, Welcome, follow, request,
};
use crate::frame::{Decoder, META_BYTES_MAX, encode_within};
use std::collections::BTreeMap;

/// One stream as it was seen.
#[derive(Debug, Clone)]
struct Seen {
    opened_by: u8,
    is_over: bool,
    body_goes_on: bool,
    received: u64,
    granted: u64,
}

#[derive(Debug, Clone)]
struct Model {
    side: Side,
    greeted: bool,
    left: bool,
    broken: bool,
    /// Also those that are over.
    streams: BTreeMap<u64, Seen>,
}

/// What becomes of a frame.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Taken,
    Late,
    Broken(Code),
}

/// What a frame of the test is made of.
#[derive(Debug, Clone, Copy)]
struct Draft {
    row: &'static Row,
    id: u64,
    flag: bool,
    body_bytes: usize,
}

impl Model {
    fn is_own(&self, id: u64) -> bool {
        id != 0 && (id % 2 == 1) == (self.side == Side::Client)
    }

    fn expect(&mut self, draft: Draft) -> Fate {
        let fate = self.judge(draft);
        if let Fate::Broken(_) = fate {
            self.broken = true;
        }
        fate
    }

    fn judge(&mut self, draft: Draft) -> Fate {
        let Draft { row, id, .. } = draft;
        if self.broken {
            return Fate::Broken(Code::Closed);
        }
        match row.class {
            Class::Greeting | Class::Refused | Class::Bye => {
                if row.class == Class::Greeting && self.greeted {
                    return Fate::Broken(Code::GreetingAgain);
                }
                if row.class == Class::Bye && !self.greeted {
                    return Fate::Broken(Code::Greeting);
                }
                if row.class == Class::Bye && self.left {
                    return Fate::Broken(Code::Closed);
                }
                if id != 0 {
                    return Fate::Broken(Code::Field);
                }
                self.greeted |= row.class == Class::Greeting;
                self.left |= row.class == Class::Bye;
                self.broken |= row.class == Class::Refused;
                Fate::Taken
            }
            _ if !self.greeted => Fate::Broken(Code::Greeting),
            Class::Open => self.judge_open(draft),
            _ => self.judge_in_stream(draft),
        }
    }

    fn judge_open(&mut self, draft: Draft) -> Fate {
        let Draft { row, id, flag, .. } = draft;
        if id == 0 || self.is_own(id) {
            return Fate::Broken(Code::StreamParity);
        }
        if self.streams.range(id..).any(|(id, _)| !self.is_own(*id)) {
            return Fate::Broken(Code::StreamId);
        }
        if self.left {
            return Fate::Broken(Code::Closed);
        }
        let body_goes_on = flag && row.kind != kind::FOLLOW;
        let granted = WINDOW_BYTES.into();
        self.streams
            .insert(id, Seen { opened_by: row.kind, is_over: false, body_goes_on, received: 0, granted });
        Fate::Taken
    }

    fn judge_in_stream(&mut self, draft: Draft) -> Fate {
        let Draft { row, id, flag, body_bytes } = draft;
        let own = self.is_own(id);
        let Some(seen) = self.streams.get_mut(&id) else {
            // Ids may be left out; what is left out is over too.
            let passed = !own && id != 0 && self.streams.range(id..).any(|(other, _)| other % 2 == id % 2);
            return match row.class {
                Class::Item | Class::End if passed => Fate::Broken(Code::StreamDirection),
                _ if passed => fields_of_data(row, own, flag, body_bytes, Fate::Late),
                _ => Fate::Broken(Code::StreamUnknown),
            };
        };
        match row.class {
            Class::Cancel if own => return Fate::Broken(Code::StreamDirection),
            Class::Item | Class::End if !own => return Fate::Broken(Code::StreamDirection),
            _ => {}
        }
        if seen.is_over {
            return fields_of_data(row, own, flag, body_bytes, Fate::Late);
        }
        if row.class == Class::Data && !own && !seen.body_goes_on {
            return Fate::Broken(Code::StreamEnded);
        }
        let fits = match row.kind {
            kind::ANSWER => seen.opened_by == kind::CALL,
            kind::FAILURE => seen.opened_by != kind::HOST_CALL,
            kind::RESPONSE => matches!(seen.opened_by, kind::REQUEST | kind::FOLLOW),
            kind::ITEM => seen.opened_by == kind::FOLLOW,
            _ => true,
        };
        if !fits {
            return Fate::Broken(Code::StreamKind);
        }
        if row.class == Class::Data {
            let fields = fields_of_data(row, own, flag, body_bytes, Fate::Taken);
            if fields != Fate::Taken {
                return fields;
            }
            seen.received += body_bytes as u64;
            seen.body_goes_on &= !flag;
            if seen.received > seen.granted {
                return Fate::Broken(Code::Credit);
            }
        }
        seen.is_over |= matches!(row.class, Class::End | Class::Cancel);
        Fate::Taken
    }
}

fn fields_of_data(row: &Row, own: bool, flag: bool, body_bytes: usize, otherwise: Fate) -> Fate {
    let is_wrong = row.class == Class::Data && ((flag && own) || (body_bytes == 0 && !flag));
    if is_wrong { Fate::Broken(Code::Field) } else { otherwise }
}

/// The frame of a draft, well-formed in itself.
fn frame(draft: Draft) -> Vec<u8> {
    let Draft { row, id, flag, body_bytes } = draft;
    let body = vec![b'x'; body_bytes];
    let mut out = Vec::new();
    let list = request::Operation::List(List {});
    let subscribe = follow::What::Subscribe(Subscribe { pattern: "**".to_owned() });
    let put = |out: &mut Vec<u8>, message: &dyn Fn(&mut Vec<u8>) -> bool| message(out);
    macro_rules! put {
        ($message:expr) => {
            put(&mut out, &|out| {
                encode_within(
                    out,
                    META_BYTES_MAX,
                    row.kind,
                    id,
                    &$message,
                    if row.has_body { &body } else { &[] },
                )
                .is_ok()
            })
        };
    }
    let fits = match row.kind {
        kind::HELLO => put!(Hello { magic: MAGIC, version_min: 1, version_max: 1, client: String::new() }),
        kind::WELCOME => put!(Welcome { version: VERSION, ..Welcome::default() }),
        kind::CALL => put!(Call { more: flag, ..Call::default() }),
        kind::REQUEST => put!(Request { more: flag, operation: Some(list.clone()) }),
        kind::FOLLOW => put!(Follow { what: Some(subscribe.clone()) }),
        kind::HOST_CALL => put!(HostCall { more: flag, ..HostCall::default() }),
        kind::HOST_RESULT => put!(HostResult::default()),
        kind::ANSWER => put!(Answer::default()),
        kind::FAILURE => put!(Failure::default()),
        kind::RESPONSE => put!(Response::default()),
        kind::ITEM => put!(Item::default()),
        kind::CLIENT_DATA | kind::DAEMON_DATA => put!(Data { end: flag }),
        kind::CLIENT_CREDIT | kind::DAEMON_CREDIT => put!(Credit { bytes: 1000 }),
        _ => put!(()),
    };
    assert!(fits, "a draft is small");
    out
}

/// Plays any sequence of frames and sendings and compares.
pub(crate) fn play(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let side = if first & 1 == 0 { Side::Client } else { Side::Daemon };
    let mut session = Session::new(side);
    let mut model = Model { side, greeted: false, left: false, broken: false, streams: BTreeMap::new() };
    let mut out = Vec::new();
    if side == Side::Client {
        let _ = session.hello(&mut out, &Hello::default());
    }
    for step in rest.chunks_exact(4) {
        let [what, which, id, more] = *step else { return };
        let id = u64::from(id % 16);
        out.clear();
        if what & 3 == 3 {
            send(&mut session, &mut model, &mut out, which, id, more);
            continue;
        }
        let rows: Vec<&'static Row> = KINDS.iter().filter(|row| row.from != side).collect();
        let Some(row) = rows.get(usize::from(which) % rows.len()).copied() else { return };
        let body_bytes = if row.has_body { usize::from(more >> 1) * 512 } else { 0 };
        let draft = Draft { row, id, flag: more & 1 == 1, body_bytes };
        // A violation ends everything: most sequences are to get further than that.
        if what & 0x1c != 0 && matches!(model.clone().expect(draft), Fate::Broken(_)) {
            continue;
        }
        let expected = model.expect(draft);
        let mut decoder = Decoder::new(super::ClientBounds { side });
        decoder.push(&frame(draft));
        let received = decoder.next_frame().ok().flatten().map(|frame| session.receive(frame));
        let found = received.map(|received| match received {
            Ok(Received::Late) => Fate::Late,
            Ok(_) => Fate::Taken,
            Err(violation) => Fate::Broken(violation.code),
        });
        let found = found.as_ref();
        assert_eq!(found, Some(&expected), "{draft:?}");
        if side == Side::Daemon && matches!(row.kind, kind::HELLO) && found == Some(&Fate::Taken) {
            let _ = session.welcome(&mut out, &Welcome::default());
        }
    }
}

/// Something of ours: what the machine lets through, the model hears of.
fn send(session: &mut Session, model: &mut Model, out: &mut Vec<u8>, which: u8, id: u64, more: u8) {
    let own = model.is_own(id);
    match which % 5 {
        0 => {
            let (kind, opening) = match (model.side, more % 3) {
                (Side::Daemon, _) => (kind::HOST_CALL, Opening::HostCall(HostCall::default())),
                (Side::Client, 0) => (kind::CALL, Opening::Call(Call::default())),
                (Side::Client, 1) => (kind::REQUEST, Opening::Request(Request::default())),
                (Side::Client, _) => (kind::FOLLOW, Opening::Follow(Follow::default())),
            };
            if let Ok(id) = session.open(out, &opening, b"") {
                assert!(model.is_own(id) && !model.streams.contains_key(&id), "a used id {id}");
                let granted = WINDOW_BYTES.into();
                let seen =
                    Seen { opened_by: kind, is_over: false, body_goes_on: false, received: 0, granted };
                model.streams.insert(id, seen);
            }
        }
        1 => {
            let is_open = model.streams.get(&id).is_some_and(|seen| !seen.is_over) && !model.broken;
            assert_eq!(session.credit(out, id, 500).is_ok(), is_open, "credit for stream {id}");
            if let Some(seen) = model.streams.get_mut(&id).filter(|_| is_open) {
                seen.granted += 500;
            }
        }
        2 => {
            let may = own && !model.broken && model.streams.get(&id).is_some_and(|seen| !seen.is_over);
            assert_eq!(session.cancel(out, id).is_ok(), may, "giving up stream {id}");
            if let Some(seen) = model.streams.get_mut(&id).filter(|_| may) {
                seen.is_over = true;
            }
        }
        3 => {
            let ending = match model.side {
                Side::Client => Ending::HostResult(HostResult::default()),
                Side::Daemon => Ending::Failure(Failure::default()),
            };
            let may = !own && !model.broken && model.streams.get(&id).is_some_and(|seen| !seen.is_over);
            assert_eq!(session.end(out, id, &ending, b"").is_ok(), may, "ending stream {id}");
            if let Some(seen) = model.streams.get_mut(&id).filter(|_| may) {
                seen.is_over = true;
            }
        }
        _ => {
            let _ = session.data(out, id, &[0; 100], more & 1 == 1);
        }
    }
}
