//! How much of everything a module and a report may have. A limit is met before memory is reserved.

use std::fmt;

/// Bytes of a module. The largest plugins in the field (a Python or JavaScript interpreter compiled to wasm) have 10 to 30 MiB.
pub const MODULE_BYTES_MAX: u64 = 64 << 20;

/// Functions that a module defines. The same interpreters have some 30,000; more is what compile bombs are made of.
pub const FUNCTIONS_MAX: u32 = 100_000;

/// Bytes of one function's body. Register allocation takes more than linear time, and one function is compiled as a whole;
/// the largest real ones, interpreter loops, have 0.3 MiB.
pub const FUNCTION_BYTES_MAX: u32 = 2 << 20;

/// Imports. No dialect knows a hundred.
pub const IMPORTS_MAX: u32 = 1024;

/// Exports. Modules that export every function for their loader stay below.
pub const EXPORTS_MAX: u32 = 4096;

/// Globals that a module defines. Each costs the instance 16 bytes; real modules have fewer than a hundred.
pub const GLOBALS_MAX: u32 = 10_000;

/// Memories. The engine allows one; the number leaves room in the report's format.
pub const MEMORIES_MAX: u32 = 8;

/// Tables, which is what the validator allows as well.
pub const TABLES_MAX: u32 = 100;

/// Bytes of a compiled module. Native code has some three times the bytes of wasm; a bomb of small functions has ten.
pub const CWASM_BYTES_MAX: u64 = 512 << 20;

/// Bytes of a name or a type as it is shown. Names that mean something to a host are short; longer ones are cut.
pub const NAME_BYTES_MAX: usize = 256;

/// Bytes of a message. The validator and the code generator say what is wrong in a line.
pub const MESSAGE_BYTES_MAX: usize = 4096;

/// Bytes of a report: what the supervisor reserves for words of a process that it does not trust.
pub const REPORT_BYTES_MAX: usize = 256 * 1024;

/// Bytes of the facts in a report; the rest is for its head and an error.
pub(super) const FACTS_BYTES_MAX: usize = 224 * 1024;

/// Exports that an error lists as missing.
pub(super) const MISSING_MAX: usize = 16;

/// Something that there may only be so much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// [`MODULE_BYTES_MAX`].
    ModuleBytes = 1,
    /// [`FUNCTIONS_MAX`].
    Functions = 2,
    /// [`FUNCTION_BYTES_MAX`].
    FunctionBytes = 3,
    /// [`IMPORTS_MAX`].
    Imports = 4,
    /// [`EXPORTS_MAX`].
    Exports = 5,
    /// [`GLOBALS_MAX`].
    Globals = 6,
    /// [`MEMORIES_MAX`].
    Memories = 7,
    /// [`TABLES_MAX`].
    Tables = 8,
    /// The names and types of all imports and exports together.
    NamesBytes = 9,
    /// [`CWASM_BYTES_MAX`].
    CwasmBytes = 10,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::ModuleBytes,
        Self::Functions,
        Self::FunctionBytes,
        Self::Imports,
        Self::Exports,
        Self::Globals,
        Self::Memories,
        Self::Tables,
        Self::NamesBytes,
        Self::CwasmBytes,
    ];

    /// The limit with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|limit| limit.number() == number)
    }

    /// Its number in a report.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// What is counted, for a sentence.
    pub fn what(self) -> &'static str {
        match self {
            Self::ModuleBytes => "bytes",
            Self::Functions => "functions",
            Self::FunctionBytes => "bytes in one function",
            Self::Imports => "imports",
            Self::Exports => "exports",
            Self::Globals => "globals",
            Self::Memories => "memories",
            Self::Tables => "tables",
            Self::NamesBytes => "bytes of import and export names and types",
            Self::CwasmBytes => "bytes of native code",
        }
    }
}

/// More than a limit allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub struct OverLimit {
    /// Of what.
    pub limit: Limit,
    /// How much there is, or the first amount that was too much where counting stopped.
    pub observed: u64,
    /// How much there may be.
    pub allowed: u64,
}

impl OverLimit {
    /// Compares an amount with what is allowed.
    pub fn check(limit: Limit, observed: u64, allowed: u64) -> Result<(), Self> {
        if observed > allowed { Err(Self { limit, observed, allowed }) } else { Ok(()) }
    }
}

impl fmt::Display for OverLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, observed, allowed } = self;
        write!(f, "the module has {observed} {} and {allowed} are allowed: make it smaller", limit.what())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for limit in Limit::ALL {
            assert_eq!(Limit::from_number(limit.number()), Some(limit));
        }
        assert_eq!(Limit::from_number(0), None);
    }
}
