//! Guest memory. Every pointer and length in here comes from hostile code, and nothing else touches guest memory.

use crate::fault::Fault;
use std::ops::Range;
use wasmtime::{AsContext, AsContextMut, Memory};

/// A block as dialects return it: length in the upper half, address in the lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) address: u32,
    pub(crate) length: u32,
}

impl Block {
    /// A block that a guest names by two numbers; negative ones are large.
    pub(crate) fn new(address: i32, length: i32) -> Self {
        Self { address: address.cast_unsigned(), length: length.cast_unsigned() }
    }

    /// Address and length as a guest takes them.
    pub(crate) fn numbers(self) -> (i32, i32) {
        (self.address.cast_signed(), self.length.cast_signed())
    }

    /// From `length << 32 | address`.
    pub(crate) fn unpack(packed: i64) -> Self {
        let [a, b, c, d, e, f, g, h] = packed.to_le_bytes();
        Self { address: u32::from_le_bytes([a, b, c, d]), length: u32::from_le_bytes([e, f, g, h]) }
    }

    /// As `length << 32 | address`.
    pub(crate) fn pack(self) -> i64 {
        (i64::from(self.length.cast_signed()) << 32) | i64::from(self.address)
    }

    fn range(self) -> Option<Range<usize>> {
        let start = usize::try_from(self.address).ok()?;
        let end = start.checked_add(usize::try_from(self.length).ok()?)?;
        Some(start..end)
    }

    fn outside(self, what: &str, size: usize) -> Fault {
        Fault::Abi(format!(
            "{what} is {} bytes at {:#x}, outside its memory of {size} bytes",
            self.length, self.address
        ))
    }
}

/// Reads a block. `what` names it in the error.
pub(crate) fn read<'a, T: 'static>(
    memory: Memory,
    store: &'a (impl AsContext<Data = T> + 'a),
    block: Block,
    what: &str,
) -> Result<&'a [u8], Fault> {
    let data = memory.data(store);
    block.range().and_then(|range| data.get(range)).ok_or_else(|| block.outside(what, data.len()))
}

/// Fills a block of the same length.
pub(crate) fn write(
    memory: Memory,
    store: &mut impl AsContextMut,
    block: Block,
    parts: &[&[u8]],
    what: &str,
) -> Result<(), Fault> {
    let data = memory.data_mut(store);
    let size = data.len();
    let Some(mut rest) = block.range().and_then(|range| data.get_mut(range)) else {
        return Err(block.outside(what, size));
    };
    for part in parts {
        let Some((now, later)) = rest.split_at_mut_checked(part.len()) else {
            return Err(block.outside(what, size));
        };
        now.copy_from_slice(part);
        rest = later;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_keeps_both_halves_whole() {
        for block in [
            Block { address: 0, length: 0 },
            Block { address: u32::MAX, length: 1 },
            Block { address: 1, length: u32::MAX },
            Block { address: 0x8000_0000, length: 0x8000_0000 },
        ] {
            assert_eq!(Block::unpack(block.pack()), block);
        }
        assert_eq!(Block::unpack(5 << 32 | 7), Block { address: 7, length: 5 });
    }
}
