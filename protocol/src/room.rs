//! Room in a plugin's own files: what its workers ask for before they write, and what they are lent.
//!
//! A worker with WASI asks by the host method [`ROOM`], and each answer takes the place of all that it was lent before. What
//! was lent ends with the call during which it was asked for. All numbers are little endian, eight bytes each.

/// The host method. It needs no permission and counts for no rate; nobody but the supervisor answers it.
pub const ROOM: &str = "vfs.room";

/// So much of a plugin's files, or of what is left for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amount {
    /// Lengths of its files together.
    pub bytes: u64,
    /// Files, folders and links.
    pub files: u64,
}

/// What a worker asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ask {
    /// What the guest is about to use, at the least.
    pub need: Amount,
    /// Bytes of files that it has open and that have no name any more, which nobody else can see.
    pub nameless_bytes: u64,
}

/// Bytes of an encoded [`Ask`].
pub const ASK_BYTES: usize = 24;
/// Bytes of an encoded [`Amount`].
pub const AMOUNT_BYTES: usize = 16;

impl Amount {
    /// Both added.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_add(other.bytes), files: self.files.saturating_add(other.files) }
    }

    /// What is left of it, of each at least nothing.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_sub(other.bytes), files: self.files.saturating_sub(other.files) }
    }

    /// Whether it is no more than another, in neither.
    pub fn fits(self, within: Self) -> bool {
        self.bytes <= within.bytes && self.files <= within.files
    }

    /// As the answer to an [`Ask`].
    pub fn encode(self) -> [u8; AMOUNT_BYTES] {
        written([self.bytes, self.files])
    }

    /// From an answer.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let [bytes, files] = numbers(bytes)?;
        Some(Self { bytes, files })
    }
}

impl Ask {
    /// As a host call's body.
    pub fn encode(self) -> [u8; ASK_BYTES] {
        written([self.need.bytes, self.need.files, self.nameless_bytes])
    }

    /// From a host call's body.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let [bytes, files, nameless_bytes] = numbers(bytes)?;
        Some(Self { need: Amount { bytes, files }, nameless_bytes })
    }
}

fn written<const NUMBERS: usize, const BYTES: usize>(numbers: [u64; NUMBERS]) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    for (place, number) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(numbers) {
        *place = number.to_le_bytes();
    }
    bytes
}

/// So many numbers, and nothing after them.
fn numbers<const N: usize>(bytes: &[u8]) -> Option<[u64; N]> {
    let (chunks, []) = bytes.as_chunks::<8>() else { return None };
    let chunks: &[[u8; 8]; N] = chunks.try_into().ok()?;
    Some(chunks.map(u64::from_le_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let need = Amount { bytes: 7, files: u64::MAX };
        let ask = Ask { need, nameless_bytes: 1 << 40 };
        assert_eq!(Ask::decode(&ask.encode()), Some(ask));
        assert_eq!(Amount::decode(&need.encode()), Some(need));
        for bytes in 0..64 {
            let zeroes = vec![0; bytes];
            assert_eq!(Ask::decode(&zeroes).is_some(), bytes == ASK_BYTES);
            assert_eq!(Amount::decode(&zeroes).is_some(), bytes == AMOUNT_BYTES);
        }
    }

    #[test]
    fn amounts_never_wrap() {
        let most = Amount { bytes: u64::MAX, files: u64::MAX };
        assert_eq!(most.plus(most), most);
        assert_eq!(Amount::default().less(most), Amount::default());
        assert!(!Amount { bytes: 1, files: 0 }.fits(Amount { bytes: 0, files: 1 }));
    }
}
