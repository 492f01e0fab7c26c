//! Functions that take a block and give one, in the three ways that compilers have of returning two numbers.

use super::allocator::Allocator;
use super::memory::{Block, read};
use super::{function, invoke};
use crate::fault::Fault;
use crate::guest::State;
use wasmtime::{Instance, Store, TypedFunc};

/// Bytes of two words.
const PAIR_BYTES: usize = 8;

/// A function `block → block`.
pub(crate) enum BlockCall {
    /// Two results.
    Two(TypedFunc<(i32, i32), (i32, i32)>),
    /// One result: `address << 32 | length`.
    Packed(TypedFunc<(i32, i32), i64>),
    /// No result: the first parameter says where the two words go. This is what Rust and C make of a pair.
    Pair(TypedFunc<(i32, i32, i32), ()>),
}

impl BlockCall {
    /// Finds an export, by its type.
    pub(crate) fn find(store: &mut Store<State>, instance: &Instance, name: &str) -> wasmtime::Result<Self> {
        if let Some(two) = function(store, instance, name)? {
            return Ok(Self::Two(two));
        }
        if let Some(packed) = function(store, instance, name)? {
            return Ok(Self::Packed(packed));
        }
        Ok(Self::Pair(instance.get_typed_func(&mut *store, name)?))
    }

    /// Calls it. What it gives is the guest's own.
    pub(crate) fn call(
        &self,
        store: &mut Store<State>,
        allocator: &Allocator,
        block: Block,
    ) -> wasmtime::Result<Block> {
        let (address, length) = block.numbers();
        match self {
            Self::Two(function) => {
                let (address, length) = invoke(function, &mut *store, (address, length))?;
                Ok(Block::new(address, length))
            }
            Self::Packed(function) => {
                let Block { address: length, length: address } =
                    Block::unpack(invoke(function, &mut *store, (address, length))?);
                Ok(Block { address, length })
            }
            Self::Pair(function) => {
                let pair = allocator.room(&mut *store, PAIR_BYTES)?;
                invoke(function, &mut *store, (pair.numbers().0, address, length))?;
                let words = read(allocator.memory(), &*store, pair, "the pair it returned")?;
                let (a, b) = words.split_first_chunk::<4>().unwrap_or((&[0; 4], &[]));
                let b = b.first_chunk::<4>().unwrap_or(&[0; 4]);
                let answer = Block { address: u32::from_le_bytes(*a), length: u32::from_le_bytes(*b) };
                allocator.free(&mut *store, pair)?;
                Ok(answer)
            }
        }
    }
}

/// Copies an answer out of the guest's memory.
pub(crate) fn take(
    store: &mut Store<State>,
    allocator: &Allocator,
    block: Block,
    what: &str,
) -> wasmtime::Result<Vec<u8>> {
    let bytes = read(allocator.memory(), &*store, block, what)?;
    Fault::unless_output_fits(bytes.len(), store.data().output_bytes_max)?;
    Ok(bytes.to_vec())
}
