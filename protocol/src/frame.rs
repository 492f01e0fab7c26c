//! Frames: a fixed header with the length first, then the body.
//!
//! ```text
//! offset 0   u32 LE  body length in bytes (what follows the header)
//!        4   u8      kind
//!        5   u8      flags, must be 0
//!        6   u16 LE  reserved, must be 0
//!        8   u64 LE  id
//!       16           body
//! ```
//! The decoder is sans-I/O. It asks [`Bounds`] how long a body of this kind may be *before* it reserves memory for it, and
//! after the first violation it says nothing else any more. It must never know what a body means.

use prost::Message;

/// Bytes of a frame header.
pub const HEADER_BYTES: usize = 16;

/// Bytes a message in front of a raw payload may have: every link message is a few numbers and short texts.
pub const META_BYTES_MAX: u32 = 32 * 1024;

/// Bytes of the length in front of that message.
pub const META_LENGTH_BYTES: usize = 4;

/// What the decoder keeps between frames: one read usually brings a whole small frame.
const BUFFER_BYTES_IDLE: usize = 1024;

/// A buffer larger than this is given back once its frame is consumed.
const BUFFER_BYTES_KEPT: usize = 256 * 1024;

/// How long a body may be, by kind; `None` for a kind that does not exist in this direction.
pub trait Bounds {
    /// The most bytes a body of `kind` may have.
    fn body_bytes_max(&self, kind: u8) -> Option<u32>;
}

/// One frame, borrowed from its decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What the body is.
    pub kind: u8,
    /// The call it belongs to; 0 outside calls.
    pub id: u64,
    /// The bytes after the header.
    pub body: &'a [u8],
}

/// Bytes that are no frame of this direction. The peer is at fault; the stream cannot be read any further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameViolation {
    /// The kind does not exist here.
    #[error("a frame of unknown kind {kind:#04x}")]
    UnknownKind {
        /// The byte at offset 4.
        kind: u8,
    },
    /// Flags or reserved bytes are set.
    #[error(
        "a frame of kind {kind:#04x} has flags {flags:#04x} and reserved {reserved:#06x}; both must be 0"
    )]
    Reserved {
        /// The byte at offset 4.
        kind: u8,
        /// The byte at offset 5.
        flags: u8,
        /// The two bytes at offset 6.
        reserved: u16,
    },
    /// The body is longer than its kind allows.
    #[error("a frame of kind {kind:#04x} announces {body_bytes} bytes; at most {body_bytes_max} are allowed")]
    TooLong {
        /// The byte at offset 4.
        kind: u8,
        /// The length announced.
        body_bytes: u32,
        /// The limit.
        body_bytes_max: u32,
    },
    /// The body does not hold the message it must begin with.
    #[error(
        "a frame of kind {kind:#04x} has a body of {body_bytes} bytes whose message is cut off or too long"
    )]
    Meta {
        /// The byte at offset 4.
        kind: u8,
        /// The length of the body.
        body_bytes: usize,
    },
    /// The message in the body does not parse.
    #[error("a frame of kind {kind:#04x} holds a message that does not parse")]
    Message {
        /// The byte at offset 4.
        kind: u8,
    },
}

/// A body that is too long to be framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a body of {body_bytes} bytes does not fit into a frame")]
pub struct TooLong {
    /// Its length.
    pub body_bytes: usize,
}

/// Turns a byte stream into frames.
#[derive(Debug)]
pub struct Decoder<B> {
    bounds: B,
    buffer: Vec<u8>,
    /// Where the unread bytes begin and end in `buffer`.
    start: usize,
    end: usize,
    violation: Option<FrameViolation>,
}

impl<B: Bounds> Decoder<B> {
    /// An empty decoder with these bounds.
    pub fn new(bounds: B) -> Self {
        Self { bounds, buffer: Vec::new(), start: 0, end: 0, violation: None }
    }

    /// Where the next bytes of the stream go; never empty. Follow up with [`Decoder::filled`].
    pub fn spare(&mut self) -> &mut [u8] {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            if self.buffer.len() > BUFFER_BYTES_KEPT {
                self.buffer = Vec::new();
            }
        }
        if self.start > 0 && self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let needed = self.frame_bytes_known().max(BUFFER_BYTES_IDLE).max(self.end.saturating_add(1));
        if self.buffer.len() < needed {
            self.buffer.resize(needed, 0);
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// Says how many bytes of [`Decoder::spare`] were filled.
    pub fn filled(&mut self, bytes: usize) {
        self.end = self.end.saturating_add(bytes).min(self.buffer.len());
    }

    /// Copies bytes in; for callers that have them already.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let spare = self.spare();
            let taken = spare.len().min(bytes.len());
            let (now, later) = bytes.split_at(taken);
            if let Some(target) = spare.get_mut(..taken) {
                target.copy_from_slice(now);
            }
            self.filled(taken);
            bytes = later;
        }
    }

    /// The next whole frame, `None` if more bytes are needed. A violation is final and repeats.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, FrameViolation> {
        if let Some(violation) = &self.violation {
            return Err(violation.clone());
        }
        let header = match self.header() {
            Ok(None) => return Ok(None),
            Ok(Some(header)) => header,
            Err(violation) => {
                self.violation = Some(violation.clone());
                return Err(violation);
            }
        };
        let body_start = self.start.saturating_add(HEADER_BYTES);
        let body_end = body_start.saturating_add(header.body_bytes);
        if body_end > self.end {
            return Ok(None);
        }
        self.start = body_end;
        let body = self.buffer.get(body_start..body_end).unwrap_or_default();
        Ok(Some(Frame { kind: header.kind, id: header.id, body }))
    }

    /// Whether bytes of an unfinished frame are waiting.
    pub fn is_mid_frame(&self) -> bool {
        self.start != self.end
    }

    fn header(&self) -> Result<Option<Header>, FrameViolation> {
        let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
        let Some(bytes) = unread.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        Header::parse(bytes, &self.bounds).map(Some)
    }

    /// Bytes of buffer the frame that is being received needs, once its header is here and within bounds.
    fn frame_bytes_known(&self) -> usize {
        match self.header() {
            Ok(Some(header)) if self.violation.is_none() => {
                self.start.saturating_add(HEADER_BYTES).saturating_add(header.body_bytes)
            }
            _ => 0,
        }
    }
}

struct Header {
    body_bytes: usize,
    kind: u8,
    id: u64,
}

impl Header {
    fn parse(bytes: &[u8; HEADER_BYTES], bounds: &impl Bounds) -> Result<Self, FrameViolation> {
        let [l0, l1, l2, l3, kind, flags, r0, r1, i0, i1, i2, i3, i4, i5, i6, i7] = *bytes;
        let body_bytes = u32::from_le_bytes([l0, l1, l2, l3]);
        let reserved = u16::from_le_bytes([r0, r1]);
        let Some(body_bytes_max) = bounds.body_bytes_max(kind) else {
            return Err(FrameViolation::UnknownKind { kind });
        };
        if flags != 0 || reserved != 0 {
            return Err(FrameViolation::Reserved { kind, flags, reserved });
        }
        if body_bytes > body_bytes_max {
            return Err(FrameViolation::TooLong { kind, body_bytes, body_bytes_max });
        }
        let body_bytes = usize::try_from(body_bytes).unwrap_or(usize::MAX);
        Ok(Self { body_bytes, kind, id: u64::from_le_bytes([i0, i1, i2, i3, i4, i5, i6, i7]) })
    }
}

/// Appends a frame whose body is a message and a raw payload: `u32 LE message length, message, payload`.
pub fn encode(
    out: &mut Vec<u8>,
    kind: u8,
    id: u64,
    meta: &impl Message,
    payload: &[u8],
) -> Result<(), TooLong> {
    encode_within(out, META_BYTES_MAX, kind, id, meta, payload)
}

/// As [`encode`], for messages that may be longer or must be shorter.
pub fn encode_within(
    out: &mut Vec<u8>,
    meta_bytes_max: u32,
    kind: u8,
    id: u64,
    meta: &impl Message,
    payload: &[u8],
) -> Result<(), TooLong> {
    let meta_bytes = meta.encoded_len();
    let body_bytes = META_LENGTH_BYTES.saturating_add(meta_bytes).saturating_add(payload.len());
    let (Ok(meta_u32), Ok(body_u32)) = (u32::try_from(meta_bytes), u32::try_from(body_bytes)) else {
        return Err(TooLong { body_bytes });
    };
    if meta_u32 > meta_bytes_max {
        return Err(TooLong { body_bytes });
    }
    out.reserve(HEADER_BYTES.saturating_add(body_bytes));
    out.extend_from_slice(&body_u32.to_le_bytes());
    out.extend_from_slice(&[kind, 0, 0, 0]);
    out.extend_from_slice(&id.to_le_bytes());
    out.extend_from_slice(&meta_u32.to_le_bytes());
    meta.encode_raw(out);
    out.extend_from_slice(payload);
    Ok(())
}

/// Splits a body made by [`encode`] into its message and payload.
pub fn split<'a, M: Message + Default>(frame: &Frame<'a>) -> Result<(M, &'a [u8]), FrameViolation> {
    split_within(META_BYTES_MAX, frame)
}

/// As [`split`], of a body made by [`encode_within`].
pub fn split_within<'a, M: Message + Default>(
    meta_bytes_max: u32,
    frame: &Frame<'a>,
) -> Result<(M, &'a [u8]), FrameViolation> {
    let cut_off = FrameViolation::Meta { kind: frame.kind, body_bytes: frame.body.len() };
    let Some((length, rest)) = frame.body.split_first_chunk::<META_LENGTH_BYTES>() else {
        return Err(cut_off);
    };
    let meta_bytes = u32::from_le_bytes(*length);
    if meta_bytes > meta_bytes_max {
        return Err(cut_off);
    }
    let Some((meta, payload)) =
        usize::try_from(meta_bytes).ok().and_then(|meta_bytes| rest.split_at_checked(meta_bytes))
    else {
        return Err(cut_off);
    };
    match M::decode(meta) {
        Ok(message) => Ok((message, payload)),
        // prost's text would quote the peer's bytes; the kind says enough.
        Err(_) => Err(FrameViolation::Message { kind: frame.kind }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone, Copy)]
    struct Only(u8, u32);
    impl Bounds for Only {
        fn body_bytes_max(&self, kind: u8) -> Option<u32> {
            (kind == self.0).then_some(self.1)
        }
    }

    fn raw(kind: u8, id: u64, body: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(body.len()).unwrap().to_le_bytes().to_vec();
        bytes.extend_from_slice(&[kind, 0, 0, 0]);
        bytes.extend_from_slice(&id.to_le_bytes());
        bytes.extend_from_slice(body);
        bytes
    }

    #[test]
    fn golden_header() {
        let mut out = Vec::new();
        encode(&mut out, 0x82, 0x0102_0304_0506_0708, &(), b"xyz").unwrap();
        assert_eq!(out, [7, 0, 0, 0, 0x82, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0, b'x', b'y', b'z']);
    }

    #[test]
    fn a_frame_fed_byte_by_byte_comes_out_once_and_whole() {
        let bytes = raw(7, 42, b"hello");
        for repeat in [1, 2, 3] {
            let mut decoder = Decoder::new(Only(7, 5));
            let mut seen = 0;
            for byte in bytes.repeat(repeat) {
                decoder.push(&[byte]);
                if let Some(frame) = decoder.next_frame().unwrap() {
                    assert_eq!(frame, Frame { kind: 7, id: 42, body: b"hello" });
                    seen += 1;
                }
            }
            assert_eq!(seen, repeat);
            assert!(!decoder.is_mid_frame());
        }
    }

    #[test]
    fn every_cut_waits_and_never_fails() {
        let bytes = raw(7, 1, &[9; 100]);
        for cut in 0..bytes.len() {
            let mut decoder = Decoder::new(Only(7, 100));
            decoder.push(&bytes[..cut]);
            assert_eq!(decoder.next_frame(), Ok(None), "cut at {cut}");
        }
    }

    #[test]
    fn lengths_meet_the_limit_before_memory_is_reserved() {
        for body_bytes in [6, 7, 1 << 20, u32::MAX] {
            let mut decoder = Decoder::new(Only(7, 5));
            let mut header = raw(7, 1, b"");
            header[..4].copy_from_slice(&body_bytes.to_le_bytes());
            decoder.push(&header);
            assert!(decoder.buffer.capacity() <= 2 * BUFFER_BYTES_IDLE);
            let violation = FrameViolation::TooLong { kind: 7, body_bytes, body_bytes_max: 5 };
            assert_eq!(decoder.next_frame(), Err(violation.clone()));
            decoder.push(&raw(7, 1, b"ok"));
            assert_eq!(decoder.next_frame(), Err(violation), "a violation is final");
        }
    }

    #[test]
    fn flags_reserved_and_kinds_are_checked() {
        for (offset, value) in [(4, 8_u8), (5, 1), (6, 1), (7, 0x80)] {
            let mut bytes = raw(7, 1, b"");
            bytes[offset] = value;
            let mut decoder = Decoder::new(Only(7, 5));
            decoder.push(&bytes);
            assert!(decoder.next_frame().is_err(), "offset {offset}");
        }
    }

    #[test]
    fn a_large_buffer_is_given_back() {
        let mut decoder = Decoder::new(Only(7, 1 << 20));
        decoder.push(&raw(7, 1, &vec![1; 1 << 20]));
        assert!(decoder.next_frame().unwrap().is_some());
        decoder.spare();
        assert!(decoder.buffer.len() <= BUFFER_BYTES_IDLE);
    }

    proptest! {
        #[test]
        fn chunking_never_changes_the_frames(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8),
            chunks in prop::collection::vec(1_usize..70, 1..50),
        ) {
            let mut stream = Vec::new();
            for (id, body) in bodies.iter().enumerate() {
                stream.extend(raw(7, id as u64, body));
            }
            let mut decoder = Decoder::new(Only(7, 300));
            let mut seen = Vec::new();
            let mut rest = stream.as_slice();
            for chunk in chunks.iter().cycle() {
                if rest.is_empty() { break }
                let (now, later) = rest.split_at(rest.len().min(*chunk));
                decoder.push(now);
                rest = later;
                while let Some(frame) = decoder.next_frame().unwrap() {
                    seen.push(frame.body.to_vec());
                }
            }
            prop_assert_eq!(seen, bodies);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut decoder = Decoder::new(Only(0, 64));
            decoder.push(&bytes);
            while let Ok(Some(frame)) = decoder.next_frame() {
                let _ = split::<()>(&frame);
            }
        }
    }
}
