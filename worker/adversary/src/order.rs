//! What a hostile worker is told to do, as words: the input of a call.
//!
//! | order | what is done |
//! |---|---|
//! | `where` | answers the address behind the instruction that every `syscall` of ours is made with |
//! | `syscall NAME [ARGUMENT]...` | makes a system call, by name or number; answers what the kernel said |
//! | `int80 NUMBER [A [B [C]]]` | makes one of the 32-bit table (x86-64) |
//! | `masked ORDER` | forges a signal frame that blocks every signal, returns through it, and goes on with the order |
//! | `spin` | computes for ever |
//! | `patch code` | writes over the module's sealed code |
//! | `patch text` | makes the program's own text writable, changes a function, calls it |
//! | `run data` | writes a function into new memory and calls it |
//! | `eat WAY` | takes memory until the kernel refuses, or half a GiB: `anonymous`, `reserved`, `heap`, `moved`, `module`, `stack`, `sparse`, `holes`, `mappings` |
//!
//! An argument is a number, or stands for an address: `@path:TEXT`, `@hex:BYTES`, `@page` (new, writable), `@code` (the
//! module's), `@text` (the program's).

use casemate_protocol::syscalls::{Arch, syscall_name};

/// An argument of a system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// Itself.
    Number(u64),
    /// The address of these bytes.
    Bytes(Vec<u8>),
    /// The address of a new page.
    Page,
    /// Where the module's code begins.
    Code,
    /// A page of the program's own text.
    Text,
}

/// Where to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patch {
    /// The module's code.
    Code,
    /// The program's own text.
    Text,
}

/// How to take memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// New mappings, written to.
    Anonymous,
    /// Mappings without rights that are then made writable.
    Reserved,
    /// The program break.
    Heap,
    /// One mapping that grows and moves.
    Moved,
    /// What the module's memory has reserved.
    Module,
    /// The stack.
    Stack,
    /// Pages far from each other, so that each costs page tables too.
    Sparse,
    /// One page of each 2 MiB, the rest given back: a page table a page.
    Holes,
    /// Mappings with nothing in them.
    Mappings,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// `where`.
    Where,
    /// `syscall`.
    Syscall(i64, Vec<Argument>),
    /// `int80`.
    Int80(u32, [u32; 3]),
    /// `masked`.
    Masked(Box<Self>),
    /// `spin`.
    Spin,
    /// `patch`.
    Patch(Patch),
    /// `run data`.
    RunData,
    /// `eat`.
    Eat(Way),
}

impl Order {
    /// Reads an order; `None` for what is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (word, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        match (word, rest) {
            ("where", "") => Some(Self::Where),
            ("spin", "") => Some(Self::Spin),
            ("masked", rest) => Some(Self::Masked(Box::new(Self::parse(rest)?))),
            ("patch", "code") => Some(Self::Patch(Patch::Code)),
            ("patch", "text") => Some(Self::Patch(Patch::Text)),
            ("run", "data") => Some(Self::RunData),
            ("eat", way) => Way::named(way).map(Self::Eat),
            ("syscall", rest) => {
                let mut words = rest.split(' ');
                let number = syscall_number(words.next()?)?;
                let arguments: Option<Vec<_>> = words.map(Argument::parse).collect();
                arguments.filter(|arguments| arguments.len() <= 6).map(|args| Self::Syscall(number, args))
            }
            ("int80", rest) => {
                let mut words = rest.split(' ').map(|word| number(word).and_then(|n| u32::try_from(n).ok()));
                let table_number = words.next()??;
                let mut arguments = [0; 3];
                for (argument, word) in arguments.iter_mut().zip(words) {
                    *argument = word?;
                }
                Some(Self::Int80(table_number, arguments))
            }
            _ => None,
        }
    }
}

impl Way {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "anonymous" => Self::Anonymous,
            "reserved" => Self::Reserved,
            "heap" => Self::Heap,
            "moved" => Self::Moved,
            "module" => Self::Module,
            "stack" => Self::Stack,
            "sparse" => Self::Sparse,
            "holes" => Self::Holes,
            "mappings" => Self::Mappings,
            _ => return None,
        })
    }
}

impl Argument {
    fn parse(word: &str) -> Option<Self> {
        if let Some(path) = word.strip_prefix("@path:") {
            return Some(Self::Bytes([path.as_bytes(), b"\0"].concat()));
        }
        if let Some(hex) = word.strip_prefix("@hex:") {
            let bytes = hex.as_bytes().chunks(2).map(|pair| {
                let pair = std::str::from_utf8(pair).ok()?;
                u8::from_str_radix(pair, 16).ok()
            });
            return bytes.collect::<Option<Vec<u8>>>().map(Self::Bytes);
        }
        match word {
            "@page" => Some(Self::Page),
            "@code" => Some(Self::Code),
            "@text" => Some(Self::Text),
            _ => number(word).map(Self::Number),
        }
    }
}

/// Decimal, `0x` and hexadecimal, or negative decimal as the register holds it.
fn number(word: &str) -> Option<u64> {
    if let Some(hex) = word.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok();
    }
    word.parse::<u64>().ok().or_else(|| word.parse::<i64>().ok().map(i64::cast_unsigned))
}

fn syscall_number(word: &str) -> Option<i64> {
    let known = (0..1024).find(|nr| syscall_name(Arch::NATIVE, *nr) == Some(word)).map(i64::from);
    known.or_else(|| number(word).map(u64::cast_signed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read() {
        assert_eq!(Order::parse("where"), Some(Order::Where));
        assert_eq!(
            Order::parse("syscall 39 0x10 -1 @hex:00ff @path:/etc @page @code"),
            Some(Order::Syscall(
                39,
                vec![
                    Argument::Number(16),
                    Argument::Number(u64::MAX),
                    Argument::Bytes(vec![0, 255]),
                    Argument::Bytes(b"/etc\0".to_vec()),
                    Argument::Page,
                    Argument::Code,
                ]
            ))
        );
        assert_eq!(Order::parse("masked eat sparse"), Some(Order::Masked(Box::new(Order::Eat(Way::Sparse)))));
        assert_eq!(Order::parse("int80 11 1 2"), Some(Order::Int80(11, [1, 2, 0])));
        let named = Order::parse("syscall exit_group");
        assert!(matches!(named, Some(Order::Syscall(number, ref none)) if number > 0 && none.is_empty()));
    }

    #[test]
    fn what_is_no_order_is_refused() {
        for text in [
            "",
            "what",
            "where now",
            "syscall",
            "syscall nothing",
            "syscall 1 2 3 4 5 6 7 8",
            "syscall 1 @hex:0g",
            "syscall 1 @nowhere",
            "int80 -1",
            "int80 1 x",
            "masked",
            "eat well",
            "patch",
        ] {
            assert_eq!(Order::parse(text), None, "{text}");
        }
    }
}
