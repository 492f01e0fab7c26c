//! Answers that a guest writes into room that its host gives it.

use super::allocator::Allocator;
use super::memory::{Block, read};
use crate::fault::Fault;
use crate::guest::State;
use wasmtime::Store;

/// What a guest does that was given too little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Short {
    /// It says how much it wants, and can be asked again.
    Asks,
    /// It cuts its answer.
    Cuts,
}

/// Gives the guest room, has it written to by `call`, which is told address and length and tells how many bytes it wrote, and
/// copies those out. `None` is a number below zero, or nothing written.
pub(crate) fn fill(
    store: &mut Store<State>,
    allocator: &Allocator,
    bytes: usize,
    short: Short,
    mut call: impl FnMut(&mut Store<State>, i32, i32) -> wasmtime::Result<i32>,
) -> wasmtime::Result<Option<Vec<u8>>> {
    let mut bytes = bytes;
    for asked_again in [false, true] {
        let room = allocator.room(&mut *store, bytes)?;
        let (address, length) = room.numbers();
        let written = call(store, address, length)?;
        let wanted = usize::try_from(written).unwrap_or(0);
        if wanted <= bytes {
            let block = Block { length: u32::try_from(wanted).unwrap_or(0), ..room };
            let answer = read(allocator.memory(), &*store, block, "its answer")?.to_vec();
            allocator.free(&mut *store, room)?;
            Fault::unless_output_fits(answer.len(), store.data().output_bytes_max)?;
            return Ok((wanted > 0).then_some(answer));
        }
        allocator.free(&mut *store, room)?;
        if asked_again || short == Short::Cuts {
            break;
        }
        Fault::unless_output_fits(wanted, store.data().output_bytes_max)?;
        bytes = wanted;
    }
    Err(Fault::Abi(format!("it wrote more than the {bytes} bytes of room that it was given")).into())
}
