//! Memory of the host's that a guest reaches by numbers. Each block is its own: whoever runs over its end is told so.

use crate::fault::Fault;
use crate::limiter::Limiter;
use std::collections::BTreeMap;

/// What a block takes besides its bytes.
const OVERHEAD_BYTES: u64 = 128;

/// Addresses between two blocks, so that none begins where another ends.
const GAP: u64 = 16;

/// Blocks by their first address; 0 is no block. What they take counts as the guest's memory.
#[derive(Debug)]
pub(super) struct Blocks {
    blocks: BTreeMap<u64, Box<[u8]>>,
    next: u64,
    bytes: u64,
}

impl Default for Blocks {
    fn default() -> Self {
        Self { blocks: BTreeMap::new(), next: GAP, bytes: 0 }
    }
}

impl Blocks {
    /// A new block of zeros; none of no bytes.
    pub(super) fn alloc(&mut self, limiter: &mut Limiter, length: usize) -> Result<u64, Fault> {
        self.reserve(limiter, length)?;
        Ok(self.insert(vec![0; length].into_boxed_slice()))
    }

    /// A new block with these bytes.
    pub(super) fn put(&mut self, limiter: &mut Limiter, bytes: &[u8]) -> Result<u64, Fault> {
        self.reserve(limiter, bytes.len())?;
        Ok(self.insert(bytes.into()))
    }

    fn reserve(&mut self, limiter: &mut Limiter, length: usize) -> Result<(), Fault> {
        let bytes = charged(length);
        limiter.take(bytes)?;
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(())
    }

    fn insert(&mut self, block: Box<[u8]>) -> u64 {
        let at = self.next;
        let length = u64::try_from(block.len()).unwrap_or(u64::MAX);
        self.next = at.saturating_add(length).saturating_add(GAP);
        self.blocks.insert(at, block);
        at
    }

    /// Gives a block back; what is none is left alone.
    pub(super) fn free(&mut self, limiter: &mut Limiter, at: u64) {
        if let Some(block) = self.blocks.remove(&at) {
            let bytes = charged(block.len());
            self.bytes = self.bytes.saturating_sub(bytes);
            limiter.give_back(bytes);
        }
    }

    /// Gives all back.
    pub(super) fn clear(&mut self, limiter: &mut Limiter) {
        limiter.give_back(self.bytes);
        *self = Self::default();
    }

    /// What all of them take.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The block that begins here.
    pub(super) fn whole(&self, at: u64) -> Option<&[u8]> {
        self.blocks.get(&at).map(|block| &**block)
    }

    /// Bytes within one block. None of no bytes is wherever anybody likes.
    pub(super) fn part(&self, at: u64, length: u64) -> Option<&[u8]> {
        if length == 0 {
            return Some(&[]);
        }
        let (start, block) = self.blocks.range(..=at).next_back()?;
        let first = usize::try_from(at - start).ok()?;
        let end = first.checked_add(usize::try_from(length).ok()?)?;
        block.get(first..end)
    }

    /// Fills bytes within one block.
    pub(super) fn write(&mut self, at: u64, bytes: &[u8]) -> Option<()> {
        let (start, block) = self.blocks.range_mut(..=at).next_back()?;
        let first = usize::try_from(at - start).ok()?;
        block.get_mut(first..first.checked_add(bytes.len())?)?.copy_from_slice(bytes);
        Some(())
    }
}

fn charged(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX).saturating_add(OVERHEAD_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_ends_and_count_as_memory() {
        let mut limiter = Limiter::new(1000, 0);
        let mut blocks = Blocks::default();
        let block = blocks.put(&mut limiter, b"twelve bytes").unwrap();
        assert_eq!(blocks.part(block + 7, 5), Some(&b"bytes"[..]));
        assert_eq!(blocks.part(block + 7, 6), None, "over its end");
        assert_eq!(blocks.part(block - 1, 1), None, "before its beginning");
        assert_eq!(blocks.write(block + 11, b"!!"), None);
        assert_eq!(blocks.write(block + 11, b"!"), Some(()));
        assert_eq!(blocks.whole(block), Some(&b"twelve byte!"[..]));
        assert_eq!(blocks.whole(block + 1), None);
        assert_eq!(limiter.memory_bytes(), 12 + OVERHEAD_BYTES);
        assert!(blocks.alloc(&mut limiter, 900).is_err(), "over the limit");
        blocks.free(&mut limiter, block);
        blocks.free(&mut limiter, block);
        assert_eq!((limiter.memory_bytes(), blocks.bytes()), (0, 0));
        assert!(blocks.alloc(&mut limiter, 800).is_ok());
        blocks.clear(&mut limiter);
        assert_eq!(limiter.memory_bytes(), 0);
    }
}
