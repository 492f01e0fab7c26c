//! What the compiler process says about a module, and how that is written down.
//!
//! ```text
//! u8   format, 3
//! u8   verdict: 0 accepted, 1 refused
//! accepted: facts, u32 dialect that was wanted, u64 compatibility, u64 bytes of native code that follow the report
//! refused:  error, u8 whether facts follow, facts
//! ```
//! Numbers are little endian; a text has a u16 length in front; a list has a u32 count in front. Every report has exactly
//! one encoding. The dialect that was found is not part of it: whoever reads the facts sees it there. One that was wanted in
//! its place is, as its number; 0 is none.

use super::codec::{DecodeViolation, Reader, Writer};
use super::dialect::{DetectError, Detected, Dialect, Wants, detect, profile};
use super::error::CompileError;
use super::facts::ModuleFacts;
use super::limits::REPORT_BYTES_MAX;
use crate::certificate::Profile;

const FORMAT: u8 = 3;
const ACCEPTED: u8 = 0;
const REFUSED: u8 = 1;

/// What a compiler found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompileReport {
    /// The module is a plugin.
    Accepted(Accepted),
    /// It is not.
    Refused {
        /// Why.
        error: CompileError,
        /// What is known about it all the same.
        facts: Option<ModuleFacts>,
    },
}

/// Native code as the compiler describes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Code {
    /// Bytes of native code; 0 when the module was only looked at.
    pub cwasm_bytes: u64,
    /// A number that is the same for engines that load each other's code; 0 when the module was only looked at.
    pub compatibility: u64,
}

/// A module that is a plugin, by its own facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    facts: ModuleFacts,
    wanted: Option<Dialect>,
    detected: Detected,
    code: Code,
}

impl Accepted {
    /// Takes facts that show a dialect, or the one that is wanted, and no others.
    pub fn new(facts: ModuleFacts, wanted: Option<Dialect>, code: Code) -> Result<Self, DetectError> {
        let detected = detect(&facts, wanted)?;
        Ok(Self { facts, wanted, detected, code })
    }

    /// The same, with code that has been made of it.
    pub fn with_code(self, code: Code) -> Self {
        Self { code, ..self }
    }

    /// What is known about the module.
    pub fn facts(&self) -> &ModuleFacts {
        &self.facts
    }

    /// The dialect that it speaks.
    pub fn dialect(&self) -> Dialect {
        self.detected.dialect
    }

    /// The worker that it runs in.
    pub fn profile(&self) -> Profile {
        profile(&self.facts, self.dialect())
    }

    /// What it wants besides calls.
    pub fn wants(&self) -> Wants {
        Wants::of(&self.facts, self.dialect())
    }

    /// What spoke for that dialect.
    pub fn why(&self) -> &str {
        self.detected.why.as_str()
    }

    /// The native code.
    pub fn code(&self) -> Code {
        self.code
    }
}

impl CompileReport {
    /// What is known about the module, if it was one.
    pub fn facts(&self) -> Option<&ModuleFacts> {
        match self {
            Self::Accepted(accepted) => Some(accepted.facts()),
            Self::Refused { facts, .. } => facts.as_ref(),
        }
    }

    /// The plugin, or why it is none.
    pub fn into_result(self) -> Result<Accepted, CompileError> {
        match self {
            Self::Accepted(accepted) => Ok(accepted),
            Self::Refused { error, .. } => Err(error),
        }
    }

    /// The bytes of a report; at most [`REPORT_BYTES_MAX`].
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.u8(FORMAT);
        match self {
            Self::Accepted(accepted) => {
                out.u8(ACCEPTED);
                accepted.facts.write(&mut out);
                out.u32(accepted.wanted.map_or(0, Dialect::number));
                out.u64(accepted.code.compatibility);
                out.u64(accepted.code.cwasm_bytes);
            }
            Self::Refused { error, facts } => {
                out.u8(REFUSED);
                error.write(&mut out);
                out.flag(facts.is_some());
                if let Some(facts) = facts {
                    facts.write(&mut out);
                }
            }
        }
        out.finish()
    }

    /// Reads what a compiler process wrote, believing none of it.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeViolation> {
        if bytes.len() > REPORT_BYTES_MAX {
            return Err(DecodeViolation::TooLong { report_bytes: bytes.len() });
        }
        let mut input = Reader::new(bytes);
        match input.u8("the format")? {
            FORMAT => {}
            format => return Err(DecodeViolation::Format { format }),
        }
        let report = match input.u8("the verdict")? {
            ACCEPTED => {
                let facts = ModuleFacts::read(&mut input)?;
                let wanted = wanted(input.u32("the dialect that was wanted")?)?;
                let compatibility = input.u64("the compatibility")?;
                let cwasm_bytes = input.u64("the size of the native code")?;
                let code = Code { cwasm_bytes, compatibility };
                let accepted = Accepted::new(facts, wanted, code);
                Self::Accepted(accepted.ok().ok_or(DecodeViolation::Contradiction)?)
            }
            REFUSED => {
                let error = CompileError::read(&mut input)?;
                let has_facts = input.flag("whether facts follow")?;
                Self::Refused { error, facts: has_facts.then(|| ModuleFacts::read(&mut input)).transpose()? }
            }
            number => return Err(DecodeViolation::Unknown { field: "the verdict", number: number.into() }),
        };
        input.finish()?;
        Ok(report)
    }
}

fn wanted(number: u32) -> Result<Option<Dialect>, DecodeViolation> {
    match number {
        0 => Ok(None),
        number => Dialect::from_number(number)
            .map(Some)
            .ok_or(DecodeViolation::Unknown { field: "the dialect that was wanted", number }),
    }
}

#[cfg(test)]
mod tests;
