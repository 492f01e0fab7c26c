//! Strings of AssemblyScript: UTF-16 in little endian, their length in bytes in the word before them.

use super::super::allocator::exported_memory;
use super::super::memory::{Block, read, write};
use super::super::{function, invoke};
use crate::fault::Fault;
use crate::guest::State;
use wasmtime::{AsContext, Instance, Memory, Store, TypedFunc};

/// Numbers of classes in every program of AssemblyScript's.
const OBJECT: i32 = 0;
const STRING: i32 = 2;

/// Bytes of the word before an object.
const LENGTH_BYTES: u32 = 4;

/// What a program of AssemblyScript's makes objects with.
#[derive(Clone)]
pub(super) struct Script {
    memory: Memory,
    new: TypedFunc<(i32, i32), i32>,
    /// Keeps an object from the collector.
    pin: Option<TypedFunc<i32, i32>>,
    unpin: Option<TypedFunc<i32, ()>>,
    collect: Option<TypedFunc<(), ()>>,
}

impl Script {
    pub(super) fn find(store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<Self> {
        Ok(Self {
            memory: exported_memory(store, instance)?,
            new: instance.get_typed_func(&mut *store, "__new")?,
            pin: function(store, instance, "__pin")?,
            unpin: function(store, instance, "__unpin")?,
            collect: function(store, instance, "__collect")?,
        })
    }

    /// A string, pinned.
    pub(super) fn place(&self, store: &mut Store<State>, text: &str) -> wasmtime::Result<i32> {
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        Ok(self.object(store, STRING, &bytes)?.0)
    }

    /// Bytes, pinned, and how many.
    pub(super) fn place_bytes(&self, store: &mut Store<State>, bytes: &[u8]) -> wasmtime::Result<(i32, i32)> {
        self.object(store, OBJECT, bytes)
    }

    fn object(&self, store: &mut Store<State>, class: i32, bytes: &[u8]) -> wasmtime::Result<(i32, i32)> {
        let length = i32::try_from(bytes.len()).ok();
        let length =
            length.ok_or_else(|| Fault::Abi(format!("{} bytes do not fit into its memory", bytes.len())))?;
        let address = invoke(&self.new, &mut *store, (length, class))?;
        write(self.memory, store, Block::new(address, length), &[bytes], "the object __new gave")?;
        if let Some(pin) = &self.pin {
            invoke(pin, store, address)?;
        }
        Ok((address, length))
    }

    /// Leaves an object to the collector.
    pub(super) fn drop(&self, store: &mut Store<State>, address: i32) -> wasmtime::Result<()> {
        match &self.unpin {
            Some(unpin) => invoke(unpin, store, address),
            None => Ok(()),
        }
    }

    /// Has what nobody holds any more collected.
    pub(super) fn collect(&self, store: &mut Store<State>) -> wasmtime::Result<()> {
        match &self.collect {
            Some(collect) => invoke(collect, store, ()),
            None => Ok(()),
        }
    }

    /// The text of a string; null is none.
    pub(super) fn read(&self, store: &Store<State>, address: i32) -> Result<Option<String>, Fault> {
        read_string(self.memory, store, address)
    }

    /// Calls an export with a text, or with the bytes of one and how many, and reads the text that it gives. `None`: there is no
    /// such export.
    pub(super) fn call(
        &self,
        store: &mut Store<State>,
        instance: &Instance,
        name: &str,
        body: &[u8],
        as_bytes: bool,
    ) -> wasmtime::Result<Option<Vec<u8>>> {
        let text = String::from_utf8_lossy(body);
        let answer = if let Some(handler) = function::<(i32, i32), i32>(store, instance, name)? {
            let (address, length) = if as_bytes {
                self.place_bytes(store, body)?
            } else {
                let units = i32::try_from(text.encode_utf16().count()).unwrap_or(i32::MAX);
                (self.place(store, &text)?, units)
            };
            let answer = invoke(&handler, &mut *store, (address, length))?;
            self.drop(store, address)?;
            answer
        } else if let Some(answers) = function::<i32, i32>(store, instance, name)? {
            let address = self.place(store, &text)?;
            let answer = invoke(&answers, &mut *store, address)?;
            self.drop(store, address)?;
            answer
        } else if let Some(says) = function::<(), i32>(store, instance, name)? {
            invoke(&says, &mut *store, ())?
        } else {
            return Ok(None);
        };
        Ok(Some(self.read(store, answer)?.unwrap_or_default().into_bytes()))
    }
}

/// The text of a string in a memory; null is none.
pub(super) fn read_string<T: AsContext<Data = State>>(
    memory: Memory,
    store: &T,
    address: i32,
) -> Result<Option<String>, Fault> {
    let address = address.cast_unsigned();
    if address == 0 {
        return Ok(None);
    }
    let before = address.checked_sub(LENGTH_BYTES);
    let before = before.ok_or_else(|| Fault::Abi(format!("no string can be at {address:#x}")))?;
    let head = Block { address: before, length: LENGTH_BYTES };
    let length = read(memory, store, head, "the length of its string")?;
    let length = u32::from_le_bytes(*length.first_chunk().unwrap_or(&[0; 4]));
    let bytes = read(memory, store, Block { address, length }, "its string")?;
    Fault::unless_output_fits(bytes.len() / 2, store.as_context().data().output_bytes_max)?;
    let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes(*pair.first_chunk().unwrap_or(&[0; 2])));
    let text = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER));
    Ok(Some(text.collect()))
}
