//! Whoever gives room in a guest's memory: its own allocator, under the name that its dialect has for it.

use super::memory::{Block, write};
use super::{function, invoke};
use crate::fault::Fault;
use crate::guest::State;
use wasmtime::{AsContextMut, Instance, Memory, Store, TypedFunc};

/// Blocks are of bytes.
const ALIGNMENT: i32 = 1;

#[derive(Clone)]
enum Alloc {
    Length(TypedFunc<i32, i32>),
    LengthAlignment(TypedFunc<(i32, i32), i32>),
}

#[derive(Clone)]
enum Free {
    Block(TypedFunc<(i32, i32), ()>),
    BlockAlignment(TypedFunc<(i32, i32, i32), ()>),
}

/// The allocator of one instance.
#[derive(Clone)]
pub(crate) struct Allocator {
    name: &'static str,
    memory: Memory,
    alloc: Alloc,
    /// Some dialects know none: what is given to the guest is lost until its instance is.
    free: Option<Free>,
}

impl Allocator {
    /// Finds it by name, and by whether it wants to be told an alignment.
    pub(crate) fn find(
        store: &mut Store<State>,
        instance: &Instance,
        name: &'static str,
        free: &str,
    ) -> wasmtime::Result<Self> {
        let memory = exported_memory(store, instance)?;
        let alloc = match function(store, instance, name)? {
            Some(alloc) => Alloc::LengthAlignment(alloc),
            None => Alloc::Length(instance.get_typed_func(&mut *store, name)?),
        };
        let free = match (function(store, instance, free)?, function(store, instance, free)?) {
            (Some(free), _) => Some(Free::Block(free)),
            (None, Some(free)) => Some(Free::BlockAlignment(free)),
            (None, None) => None,
        };
        Ok(Self { name, memory, alloc, free })
    }

    pub(crate) fn memory(&self) -> Memory {
        self.memory
    }

    /// Asks the guest for a block.
    pub(crate) fn room(
        &self,
        mut store: impl AsContextMut<Data = State>,
        bytes: usize,
    ) -> wasmtime::Result<Block> {
        let length = i32::try_from(bytes)
            .ok()
            .ok_or_else(|| Fault::Abi(format!("{bytes} bytes do not fit into a 32-bit memory")))?;
        let address = match &self.alloc {
            Alloc::Length(alloc) => invoke(alloc, &mut store, length)?,
            Alloc::LengthAlignment(alloc) => invoke(alloc, &mut store, (length, ALIGNMENT))?,
        };
        let block = Block::new(address, length);
        if block.address == 0 && length > 0 {
            return Err(Fault::Abi(format!("{} gave no block of {length} bytes", self.name)).into());
        }
        Ok(block)
    }

    /// Asks the guest for a block and fills it.
    pub(crate) fn place(
        &self,
        mut store: impl AsContextMut<Data = State>,
        parts: &[&[u8]],
    ) -> wasmtime::Result<Block> {
        let block = self.room(&mut store, parts.iter().map(|part| part.len()).sum())?;
        write(self.memory, &mut store, block, parts, &format!("the block {} gave", self.name))?;
        Ok(block)
    }

    /// Gives a block back, where the dialect has a word for that.
    pub(crate) fn free(
        &self,
        mut store: impl AsContextMut<Data = State>,
        block: Block,
    ) -> wasmtime::Result<()> {
        let (address, length) = block.numbers();
        match &self.free {
            Some(Free::Block(free)) => invoke(free, &mut store, (address, length)),
            Some(Free::BlockAlignment(free)) => invoke(free, &mut store, (address, length, ALIGNMENT)),
            None => Ok(()),
        }
    }
}

/// The memory that all dialects share with their guests.
pub(crate) fn exported_memory(store: &mut Store<State>, instance: &Instance) -> Result<Memory, Fault> {
    let memory = instance.get_memory(&mut *store, "memory");
    let memory = memory.ok_or_else(|| Fault::Abi("it exports no memory".to_owned()))?;
    store.data_mut().memory = Some(memory);
    Ok(memory)
}
