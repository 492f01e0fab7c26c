//! What bytes are by their first few: enough to refuse a wrong file in words that help.

use std::fmt;

/// What a file seems to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sniffed {
    /// A core wasm module, as far as its first bytes go.
    Module,
    /// A component.
    Component,
    /// Neither.
    NotWasm(LooksLike),
}

/// What bytes that are no wasm look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LooksLike {
    /// There are none.
    Empty = 1,
    /// Nothing known.
    Unknown = 2,
    /// The beginning of a wasm file and no more.
    CutOff = 3,
    /// Native code that some engine made of wasm.
    Cwasm = 4,
    /// A native program or library of Linux.
    Elf = 5,
    /// One of Windows.
    Pe = 6,
    /// One of macOS.
    MachO = 7,
    /// The text form of wasm.
    Wat = 8,
    /// A zip archive.
    Zip = 9,
    /// Something packed with gzip.
    Gzip = 10,
    /// Something packed with zstd.
    Zstd = 11,
    /// A web page.
    Html = 12,
    /// A JSON text.
    Json = 13,
    /// A program for an interpreter, by its `#!`.
    Script = 14,
}

/// Bytes of text that are looked through for its first word.
const TEXT_BYTES_SEEN: usize = 4096;

/// `e_ident[EI_OSABI]` of wasmtime's compiled modules.
const ELFOSABI_WASMTIME: u8 = 200;

/// Looks at the first bytes of a file.
pub fn sniff(bytes: &[u8]) -> Sniffed {
    const MAGIC: &[u8] = b"\0asm";
    match bytes {
        [] => Sniffed::NotWasm(LooksLike::Empty),
        [0, b'a', b's', b'm', _, _, layer, _, ..] => {
            if *layer == 1 {
                Sniffed::Component
            } else {
                Sniffed::Module
            }
        }
        _ if bytes.starts_with(MAGIC) || MAGIC.starts_with(bytes) => Sniffed::NotWasm(LooksLike::CutOff),
        _ => Sniffed::NotWasm(LooksLike::of(bytes)),
    }
}

impl LooksLike {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Empty,
        Self::Unknown,
        Self::CutOff,
        Self::Cwasm,
        Self::Elf,
        Self::Pe,
        Self::MachO,
        Self::Wat,
        Self::Zip,
        Self::Gzip,
        Self::Zstd,
        Self::Html,
        Self::Json,
        Self::Script,
    ];

    /// The look with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|look| look.number() == number)
    }

    /// Its number in a report.
    pub fn number(self) -> u8 {
        self as u8
    }

    fn of(bytes: &[u8]) -> Self {
        match bytes {
            [0x7f, b'E', b'L', b'F', _, _, _, ELFOSABI_WASMTIME, ..] => Self::Cwasm,
            [0x7f, b'E', b'L', b'F', ..] => Self::Elf,
            [b'M', b'Z', ..] => Self::Pe,
            [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..] | [0xce | 0xcf, 0xfa, 0xed, 0xfe, ..] => Self::MachO,
            [b'P', b'K', 3 | 5, 4 | 6, ..] => Self::Zip,
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            [b'#', b'!', ..] => Self::Script,
            _ => Self::of_text(bytes.get(..TEXT_BYTES_SEEN).unwrap_or(bytes)),
        }
    }

    fn of_text(bytes: &[u8]) -> Self {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
        let begins =
            |word: &[u8]| bytes.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        // A page may begin with a comment, a module in text form as well.
        if [&b"(module"[..], b"(component", b";;", b"(;"].into_iter().any(begins) {
            Self::Wat
        } else if [&b"<!doctype"[..], b"<html", b"<!--"].into_iter().any(begins) {
            Self::Html
        } else if matches!(bytes, [b'{' | b'[', ..]) {
            Self::Json
        } else {
            Self::Unknown
        }
    }
}

impl fmt::Display for LooksLike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::Unknown => "a wasm file begins with \\0asm",
            Self::CutOff => "it ends within the first 8 bytes: copy or download it again",
            Self::Cwasm => {
                "it is precompiled native code, which is never accepted: give the .wasm that it was made from"
            }
            Self::Elf => "it is a native Linux program or library: build for wasm32-unknown-unknown",
            Self::Pe => "it is a native Windows program or library: build for wasm32-unknown-unknown",
            Self::MachO => "it is a native macOS program or library: build for wasm32-unknown-unknown",
            Self::Wat => "it is the text form: assemble it with wat2wasm or `wasm-tools parse`",
            Self::Zip => "it is a zip archive: unpack it and give the .wasm inside",
            Self::Gzip => "it is packed with gzip: unpack it first",
            Self::Zstd => "it is packed with zstd: unpack it first",
            Self::Html => "it is a web page: the download went wrong",
            Self::Json => "it is JSON: give the .wasm that it may name",
            Self::Script => "it is a script: give a .wasm",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart() {
        let cases: [(&[u8], LooksLike); 20] = [
            (b"", LooksLike::Empty),
            (b"\0", LooksLike::CutOff),
            (b"\0asm\x01\0\0", LooksLike::CutOff),
            (b"\x7fELF\x02\x01\x01\x00rest", LooksLike::Elf),
            (b"\x7fELF", LooksLike::Elf),
            (b"\x7fELF\x02\x01\x01\xc8rest", LooksLike::Cwasm),
            (b"MZ\x90", LooksLike::Pe),
            (b"\xcf\xfa\xed\xfe", LooksLike::MachO),
            (b"PK\x03\x04", LooksLike::Zip),
            (b"\x1f\x8b\x08", LooksLike::Gzip),
            (b"\x28\xb5\x2f\xfd", LooksLike::Zstd),
            (b"#!/bin/sh", LooksLike::Script),
            (b"\n  (module)", LooksLike::Wat),
            (b";; a comment\n(module)", LooksLike::Wat),
            (b"(component)", LooksLike::Wat),
            (b"<!DOCTYPE html>", LooksLike::Html),
            (b"\xef\xbb\xbf <html>", LooksLike::Html),
            (b"{}", LooksLike::Json),
            (b"hello", LooksLike::Unknown),
            (b"\0bsm\x01\0\0\0", LooksLike::Unknown),
        ];
        for (bytes, expected) in cases {
            assert_eq!(sniff(bytes), Sniffed::NotWasm(expected), "{bytes:?}");
        }
        assert_eq!(sniff(b"\0asm\x01\0\0\0"), Sniffed::Module);
        assert_eq!(sniff(b"\0asm\x0d\0\x01\0"), Sniffed::Component);
    }

    #[test]
    fn numbers_come_back() {
        for look in LooksLike::ALL {
            assert_eq!(LooksLike::from_number(look.number()), Some(look));
        }
    }
}
