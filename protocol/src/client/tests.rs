mod golden;

use super::kind::KINDS;
use super::*;
use crate::frame::Decoder;
use proptest::prelude::*;

/// A client and a daemon that have greeted each other.
fn pair() -> (Session, Session) {
    let (mut client, mut daemon) = (Session::new(Side::Client), Session::new(Side::Daemon));
    let mut out = Vec::new();
    client.hello(&mut out, &hello()).unwrap();
    assert!(matches!(tell(&mut daemon, Side::Daemon, &out).unwrap(), Told::Other));
    out.clear();
    daemon.welcome(&mut out, &Welcome { version: VERSION, ..Welcome::default() }).unwrap();
    tell(&mut client, Side::Client, &out).unwrap();
    (client, daemon)
}

fn hello() -> Hello {
    Hello { magic: MAGIC, version_min: 1, version_max: VERSION, client: "test".to_owned() }
}

/// What a frame was, without its borrow.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Open(u64, Vec<u8>),
    Data(u64, usize, bool),
    End(u64),
    Late,
    Other,
}

fn tell(session: &mut Session, side: Side, bytes: &[u8]) -> Result<Told, Violation> {
    let mut decoder = Decoder::new(ClientBounds { side });
    decoder.push(bytes);
    let frame = decoder.next_frame()?.expect("a whole frame");
    Ok(match session.receive(frame)? {
        Received::Open(id, _, body, _) => Told::Open(id, body.to_vec()),
        Received::Data(id, body, end) => Told::Data(id, body.len(), end),
        Received::End(id, ..) => Told::End(id),
        Received::Late => Told::Late,
        _ => Told::Other,
    })
}

fn call(more: bool) -> Opening {
    Opening::Call(Call { plugin: "p".to_owned(), method: "m".to_owned(), more, ..Call::default() })
}

#[test]
fn a_call_goes_there_and_back() {
    let (mut client, mut daemon) = pair();
    let mut out = Vec::new();
    let id = client.open(&mut out, &call(false), b"in").unwrap();
    assert_eq!(id, 1);
    assert_eq!(tell(&mut daemon, Side::Daemon, &out).unwrap(), Told::Open(1, b"in".to_vec()));
    out.clear();
    daemon.end(&mut out, id, &Ending::Answer(Answer::default()), b"out").unwrap();
    assert_eq!(tell(&mut client, Side::Client, &out).unwrap(), Told::End(1));
    assert!(client.is_idle() && daemon.is_idle());
    assert_eq!(client.open(&mut out, &call(false), b"").unwrap(), 3);
}

#[test]
fn a_body_stops_at_its_window_until_there_is_credit() {
    let (mut client, mut daemon) = pair();
    let mut out = Vec::new();
    let id = client.open(&mut out, &call(true), b"").unwrap();
    tell(&mut daemon, Side::Daemon, &out).unwrap();
    let piece = vec![0; PAYLOAD_BYTES_MAX as usize];
    for _ in 0..WINDOW_BYTES / PAYLOAD_BYTES_MAX {
        out.clear();
        client.data(&mut out, id, &piece, false).unwrap();
        tell(&mut daemon, Side::Daemon, &out).unwrap();
    }
    assert_eq!(client.window(id), Some(0));
    assert_eq!(client.data(&mut out, id, b"x", false), Err(Misuse::Credit { id, bytes: 1 }));
    out.clear();
    daemon.credit(&mut out, id, 1).unwrap();
    tell(&mut client, Side::Client, &out).unwrap();
    out.clear();
    client.data(&mut out, id, b"x", true).unwrap();
    assert_eq!(tell(&mut daemon, Side::Daemon, &out).unwrap(), Told::Data(id, 1, true));
}

#[test]
fn what_crosses_a_cancel_is_late_and_no_violation() {
    let (mut client, mut daemon) = pair();
    let mut out = Vec::new();
    let id = client.open(&mut out, &call(false), b"").unwrap();
    tell(&mut daemon, Side::Daemon, &out).unwrap();
    let mut answer = Vec::new();
    daemon.end(&mut answer, id, &Ending::Answer(Answer::default()), b"").unwrap();
    let mut cancel = Vec::new();
    client.cancel(&mut cancel, id).unwrap();
    assert_eq!(tell(&mut client, Side::Client, &answer).unwrap(), Told::Late);
    assert_eq!(tell(&mut daemon, Side::Daemon, &cancel).unwrap(), Told::Late);
}

#[test]
fn other_versions_are_refused_and_both_are_named() {
    let mut daemon = Session::new(Side::Daemon);
    let mut out = Vec::new();
    let newer = Hello { version_min: 7, version_max: 9, ..hello() };
    Session::new(Side::Client).hello(&mut out, &newer).unwrap();
    let violation = tell(&mut daemon, Side::Daemon, &out).unwrap_err();
    assert_eq!(violation.code, ViolationCode::Version);
    assert!(violation.to_string().contains("versions 7 to 9, this one 1 to 1"), "{violation}");

    out.clear();
    let other = Hello { magic: 1, ..hello() };
    Session::new(Side::Client).hello(&mut out, &other).unwrap();
    let violation = tell(&mut Session::new(Side::Daemon), Side::Daemon, &out).unwrap_err();
    assert_eq!(violation.code, ViolationCode::Magic);
}

#[test]
fn fields_have_bounds() {
    for (opening, field) in [
        (Opening::Call(Call { method: "m".repeat(257), ..Call::default() }), "Call.method"),
        (Opening::Call(Call { plugin: "p".repeat(65), ..Call::default() }), "Call.plugin"),
        (Opening::Call(Call { content_type: 7, ..Call::default() }), "Call.content_type"),
        (Opening::Call(Call { tracestate: "t".repeat(513), ..Call::default() }), "Call.tracestate"),
    ] {
        let (mut client, mut daemon) = pair();
        let mut out = Vec::new();
        client.open(&mut out, &opening, b"").unwrap();
        let violation = tell(&mut daemon, Side::Daemon, &out).unwrap_err();
        assert_eq!((violation.code, violation.what.as_str()), (ViolationCode::Field, field));
        // It is over, whatever comes.
        out.clear();
        client.open(&mut out, &call(false), b"").unwrap();
        assert_eq!(tell(&mut daemon, Side::Daemon, &out).unwrap_err().code, ViolationCode::Closed);
    }
}

#[test]
fn nothing_is_reserved_for_a_frame_that_may_not_be_that_long() {
    for row in KINDS {
        let mut decoder = Decoder::new(ClientBounds { side: row.from.other() });
        let mut header = vec![0xff, 0xff, 0xff, 0x7f, row.kind, 0, 0, 0];
        header.extend([0; 8]);
        decoder.push(&header);
        assert!(decoder.next_frame().is_err(), "{}", row.name);
        assert!(decoder.spare().len() < 2048, "{}", row.name);
    }
}

#[test]
fn the_document_has_the_tables() {
    let document = include_str!("../../PROTOCOL.md");
    let table = table::markdown();
    assert!(document.contains(&table), "PROTOCOL.md, \"The client protocol\", needs:\n{table}");
    let table = operations::markdown();
    assert!(document.contains(&table), "PROTOCOL.md, \"Operations\", needs:\n{table}");
    for row in KINDS {
        let cells = format!("| {:#04x} | {} |", row.kind, row.name);
        assert!(document.contains(&cells), "PROTOCOL.md has no row {cells}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn the_machine_does_what_the_model_says(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        // Most sequences would end at the greeting.
        let mut greeted = vec![u8::from(bytes.len() % 2 == 0), 0, 0, 0, 0];
        greeted.extend(bytes);
        model::play(&greeted);
    }
}
