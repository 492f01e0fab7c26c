//! What waits to be written to a connection, on either side.

/// Bytes that wait before nothing more is read or produced.
const HIGH_BYTES: usize = 1 << 20;
/// Bytes that are worth a write of their own, whatever else is ready.
const BATCH_BYTES: usize = 16 << 10;
/// Buffers that have grown larger than this are given back.
const KEPT_BYTES: usize = 256 << 10;

/// Frames on their way to a socket that takes a part at a time.
#[derive(Debug, Default)]
pub struct Unsent {
    bytes: Vec<u8>,
    sent: usize,
}

impl Unsent {
    /// Where frames are put.
    pub const fn frames(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// What has not been sent.
    pub fn rest(&self) -> &[u8] {
        self.bytes.get(self.sent..).unwrap_or_default()
    }

    /// How much that is.
    pub fn waiting(&self) -> usize {
        self.bytes.len().saturating_sub(self.sent)
    }

    /// Whether so much waits that nothing should be added.
    pub fn is_full(&self) -> bool {
        self.waiting() >= HIGH_BYTES
    }

    /// Whether so much waits that collecting more of it before it is sent saves nothing.
    pub fn is_batch(&self) -> bool {
        self.waiting() >= BATCH_BYTES
    }

    /// The socket has taken so much; whether nothing waits any more.
    pub fn took(&mut self, bytes: usize) -> bool {
        self.sent = self.sent.saturating_add(bytes).min(self.bytes.len());
        if self.waiting() == 0 {
            self.clear();
            return true;
        }
        if self.sent > KEPT_BYTES {
            // A reader that is always a little behind must not make it grow.
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
        false
    }

    /// Forgets what waits.
    pub fn clear(&mut self) {
        self.sent = 0;
        self.bytes.clear();
        if self.bytes.capacity() > KEPT_BYTES {
            self.bytes = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_is_always_behind_does_not_make_it_grow() {
        let mut unsent = Unsent::default();
        let mut expected = 0_u8;
        for turn in 0..10_000_u32 {
            unsent.frames().extend((0..1000_u32).map(|at| (turn * 1000 + at).to_le_bytes()[0]));
            // All but a byte, in the order in which they came.
            let taken = unsent.waiting() - 1;
            for byte in &unsent.rest()[..taken] {
                assert_eq!(*byte, expected);
                expected = expected.wrapping_add(1);
            }
            assert!(!unsent.took(taken));
            assert!(unsent.bytes.len() <= KEPT_BYTES + 2000, "{} bytes", unsent.bytes.len());
        }
        assert!(unsent.took(1));
        assert_eq!((unsent.waiting(), unsent.rest()), (0, &[][..]));
    }

    #[test]
    fn what_waits_bounds_what_is_added_and_memory_is_given_back() {
        let mut unsent = Unsent::default();
        unsent.frames().resize(HIGH_BYTES - 1, 0);
        assert!(!unsent.is_full());
        unsent.frames().push(0);
        assert!(unsent.is_full());
        assert!(unsent.took(HIGH_BYTES));
        assert!(unsent.bytes.capacity() <= KEPT_BYTES);
    }
}
