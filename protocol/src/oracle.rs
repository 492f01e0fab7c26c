//! What the fuzz targets check; on stable the same functions replay the seeds.
//!
//! Each takes arbitrary bytes, must not panic, and asserts what must hold for all of them.

use crate::frame::Decoder;
use crate::link::{DownBounds, SupervisorLink, UpBounds, WorkerLink};
use crate::module::CompileReport;

const UP: UpBounds = UpBounds { output_bytes_max: 4096, host_call_bytes_max: 4096 };
const DOWN: DownBounds = DownBounds { input_bytes_max: 4096, host_result_bytes_max: 4096 };

/// Frames come out the same however the stream is cut; memory stays within the bounds.
pub fn frame(data: &[u8]) {
    let whole = frames(data, data.len().max(1));
    let cut = frames(data, data.first().map_or(1, |first| usize::from(*first % 17) + 1));
    assert_eq!(whole, cut, "cutting the stream changed its frames");
}

fn frames(data: &[u8], step: usize) -> (Vec<(u8, u64, Vec<u8>)>, bool) {
    let mut decoder = Decoder::new(UP);
    let mut seen = Vec::new();
    for piece in data.chunks(step) {
        decoder.push(piece);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => seen.push((frame.kind, frame.id, frame.body.to_vec())),
                Ok(None) => break,
                Err(_) => return (seen, true),
            }
        }
        assert!(decoder.spare().len() < 1 << 18, "the decoder reserved more than its bounds allow");
    }
    (seen, false)
}

/// Both link machines take any stream without a panic; after a violation nothing is accepted.
pub fn link(data: &[u8]) {
    let mut decoder = Decoder::new(UP);
    let mut link = SupervisorLink::new();
    let mut sent = Vec::new();
    decoder.push(data);
    let mut closed = false;
    while let Ok(Some(frame)) = decoder.next_frame() {
        let accepted = link.receive(frame).is_ok();
        assert!(!(closed && accepted), "a closed link accepted a frame");
        closed |= !accepted;
        if link.wants_setup() {
            let _ = link.setup(&mut sent, &crate::link::Setup::default(), &[]);
        }
        if link.is_idle() {
            let _ = link.call(&mut sent, &crate::link::Call::default(), &[]);
        }
        let _ = link.host_result(&mut sent, crate::link::HostStatus::Ok, 0, &[]);
    }

    let mut decoder = Decoder::new(DOWN);
    let Ok(mut link) = WorkerLink::ready(&mut sent, 0, 0) else { return };
    decoder.push(data);
    while let Ok(Some(frame)) = decoder.next_frame() {
        if link.receive(frame).is_err() {
            break;
        }
        let _ = link.result(&mut sent, &crate::link::CallResult::default(), &[]);
    }
}

/// A compiler's report decodes to a value or a violation, and a decoded one encodes to something that decodes to it again.
pub fn module_report(data: &[u8]) {
    if let Ok(report) = CompileReport::decode(data) {
        let again = CompileReport::decode(&report.encode());
        assert_eq!(again.as_ref(), Ok(&report), "a report changed in a round trip");
    }
}

/// What a zygote says over the control socket never panics.
pub fn control(data: &[u8]) {
    let _ = crate::spawn::ControlUp::parse(data);
}

/// An end of a client's connection takes any stream without a panic, and any sequence of well-formed frames as a model of
/// it says.
#[cfg(feature = "client")]
pub fn client(data: &[u8]) {
    use crate::client::{ClientBounds, Session, Side};
    for side in [Side::Client, Side::Daemon] {
        let mut decoder = Decoder::new(ClientBounds { side });
        let mut session = Session::new(side);
        decoder.push(data);
        let mut closed = false;
        while let Ok(Some(frame)) = decoder.next_frame() {
            let accepted = session.receive(frame).is_ok();
            assert!(!(closed && accepted), "a closed connection accepted a frame");
            closed |= !accepted;
        }
        assert!(decoder.spare().len() < 2 << 20, "the decoder reserved more than its bounds allow");
    }
    crate::client::model::play(data);
}
