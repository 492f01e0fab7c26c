//! Why a module was not accepted, in stable codes and in words for its author.

use super::codec::{DecodeViolation, Reader, Writer};
use super::dialect::{DetectError, Dialect, Direction};
use super::glue::{Glue, GlueFound};
use super::limits::{Limit, MISSING_MAX, OverLimit};
use super::sniff::LooksLike;
use super::text::{Message, Name};
use std::fmt;

/// A module that was not accepted. Whoever made or chose it is at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompileError {
    /// Not wasm at all.
    NotWasm(LooksLike),
    /// A component, where a core module is needed.
    Component,
    /// Made for a JavaScript loader.
    Glue(GlueFound),
    /// Of no dialect, or of one but not as it should be.
    Dialect(DetectError),
    /// Too much of something.
    TooLarge(OverLimit),
    /// Not valid.
    Invalid {
        /// The validator's words.
        message: Message,
        /// Where in the file.
        offset: u64,
    },
    /// Valid only with a proposal that is switched off here.
    UnsupportedFeature {
        /// The proposal.
        feature: Name,
        /// The validator's words.
        message: Message,
        /// Where in the file.
        offset: u64,
    },
    /// Valid, but the code generator could not do it.
    CompileFailed {
        /// Its words.
        message: Message,
    },
}

impl CompileError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotWasm(_) => "not_wasm",
            Self::Component => "component",
            Self::Glue(found) => found.glue.code(),
            Self::Dialect(error) => error.code(),
            Self::TooLarge(_) => "too_large",
            Self::Invalid { .. } => "invalid",
            Self::UnsupportedFeature { .. } => "unsupported_feature",
            Self::CompileFailed { .. } => "compile_failed",
        }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        match self {
            Self::NotWasm(look) => {
                out.u8(tag::NOT_WASM);
                out.u8(look.number());
            }
            Self::Component => out.u8(tag::COMPONENT),
            Self::Glue(GlueFound { glue, module, name }) => {
                out.u8(tag::GLUE);
                out.u8(glue.number());
                out.text(module);
                out.text(name);
            }
            Self::Dialect(error) => write_detect_error(error, out),
            Self::TooLarge(OverLimit { limit, observed, allowed }) => {
                out.u8(tag::TOO_LARGE);
                out.u8(limit.number());
                out.u64(*observed);
                out.u64(*allowed);
            }
            Self::Invalid { message, offset } => {
                out.u8(tag::INVALID);
                out.text(message);
                out.u64(*offset);
            }
            Self::UnsupportedFeature { feature, message, offset } => {
                out.u8(tag::UNSUPPORTED_FEATURE);
                out.text(feature);
                out.text(message);
                out.u64(*offset);
            }
            Self::CompileFailed { message } => {
                out.u8(tag::COMPILE_FAILED);
                out.text(message);
            }
        }
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, DecodeViolation> {
        let number = input.u8("an error")?;
        Ok(match number {
            tag::NOT_WASM => Self::NotWasm(input.tag("what the file looks like", LooksLike::from_number)?),
            tag::COMPONENT => Self::Component,
            tag::GLUE => Self::Glue(GlueFound {
                glue: input.tag("who made the module", Glue::from_number)?,
                module: input.text("an import's module")?,
                name: input.text("an import's name")?,
            }),
            tag::TOO_LARGE => Self::TooLarge(OverLimit {
                limit: input.tag("a limit", Limit::from_number)?,
                observed: input.u64("a limit")?,
                allowed: input.u64("a limit")?,
            }),
            tag::INVALID => {
                Self::Invalid { message: input.text("a message")?, offset: input.u64("an offset")? }
            }
            tag::UNSUPPORTED_FEATURE => Self::UnsupportedFeature {
                feature: input.text("a proposal")?,
                message: input.text("a message")?,
                offset: input.u64("an offset")?,
            },
            tag::COMPILE_FAILED => Self::CompileFailed { message: input.text("a message")? },
            _ => Self::Dialect(read_detect_error(number, input)?),
        })
    }
}

/// The first byte of an error.
mod tag {
    pub(super) const NOT_WASM: u8 = 1;
    pub(super) const COMPONENT: u8 = 2;
    pub(super) const GLUE: u8 = 3;
    pub(super) const TOO_LARGE: u8 = 4;
    pub(super) const INVALID: u8 = 5;
    pub(super) const UNSUPPORTED_FEATURE: u8 = 6;
    pub(super) const COMPILE_FAILED: u8 = 7;
    pub(super) const NO_DIALECT: u8 = 16;
    pub(super) const UNKNOWN_IMPORT: u8 = 17;
    pub(super) const WRONG_SIGNATURE: u8 = 18;
    pub(super) const MISSING_MEMORY: u8 = 19;
    pub(super) const TIE: u8 = 20;
}

fn write_detect_error(error: &DetectError, out: &mut Writer) {
    match error {
        DetectError::NoDialect { nearest, missing } => {
            out.u8(tag::NO_DIALECT);
            out.u32(nearest.map_or(0, Dialect::number));
            let missing = missing.get(..MISSING_MAX).unwrap_or(missing);
            out.count(missing.len());
            missing.iter().for_each(|name| out.text(name));
        }
        DetectError::UnknownImport { module, name } => {
            out.u8(tag::UNKNOWN_IMPORT);
            out.text(module);
            out.text(name);
        }
        DetectError::WrongSignature { direction, name, expected, found } => {
            out.u8(tag::WRONG_SIGNATURE);
            out.u8(*direction as u8);
            out.text(name);
            out.text(expected);
            out.text(found);
        }
        DetectError::MissingMemory => out.u8(tag::MISSING_MEMORY),
        DetectError::Tie { first, second } => {
            out.u8(tag::TIE);
            out.u32(first.number());
            out.u32(second.number());
        }
    }
}

fn read_detect_error(number: u8, input: &mut Reader<'_>) -> Result<DetectError, DecodeViolation> {
    Ok(match number {
        tag::NO_DIALECT => {
            let nearest = match input.u32("a dialect")? {
                0 => None,
                number => Some(dialect(number)?),
            };
            let count = input.u32("missing exports")?;
            if usize::try_from(count).is_ok_and(|count| count <= MISSING_MAX) {
                let missing = (0..count).map(|_| input.text("a missing export")).collect::<Result<_, _>>()?;
                DetectError::NoDialect { nearest, missing }
            } else {
                return Err(DecodeViolation::Unknown {
                    field: "the number of missing exports",
                    number: count,
                });
            }
        }
        tag::UNKNOWN_IMPORT => DetectError::UnknownImport {
            module: input.text("an import's module")?,
            name: input.text("an import's name")?,
        },
        tag::WRONG_SIGNATURE => DetectError::WrongSignature {
            direction: input.tag("import or export", Direction::from_number)?,
            name: input.text("a name")?,
            expected: input.text("a type")?,
            found: input.text("a type")?,
        },
        tag::MISSING_MEMORY => DetectError::MissingMemory,
        tag::TIE => DetectError::Tie {
            first: input.u32("a dialect").and_then(dialect)?,
            second: input.u32("a dialect").and_then(dialect)?,
        },
        _ => return Err(DecodeViolation::Unknown { field: "an error", number: number.into() }),
    })
}

fn dialect(number: u32) -> Result<Dialect, DecodeViolation> {
    Dialect::from_number(number).ok_or(DecodeViolation::Unknown { field: "a dialect", number })
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWasm(look) => write!(f, "the file is not a wasm module: {look}"),
            Self::Component => f.write_str(
                "the file is a wasm component and plugins are core modules here: build for wasm32-unknown-unknown",
            ),
            Self::Glue(found) => found.fmt(f),
            Self::Dialect(error) => error.fmt(f),
            Self::TooLarge(over) => over.fmt(f),
            Self::Invalid { message, offset } => {
                write!(f, "the module is not valid at byte {offset}: {message}: build it again")
            }
            Self::UnsupportedFeature { feature, message, offset } => write!(
                f,
                "the module needs the wasm proposal {feature}, which is switched off here: build without it ({message}, at byte {offset})"
            ),
            Self::CompileFailed { message } => write!(f, "the module is valid but cannot be compiled: {message}"),
        }
    }
}

impl std::error::Error for CompileError {}

impl From<OverLimit> for CompileError {
    fn from(over: OverLimit) -> Self {
        Self::TooLarge(over)
    }
}

impl From<DetectError> for CompileError {
    fn from(error: DetectError) -> Self {
        Self::Dialect(error)
    }
}

impl From<GlueFound> for CompileError {
    fn from(found: GlueFound) -> Self {
        Self::Glue(found)
    }
}

impl From<LooksLike> for CompileError {
    fn from(look: LooksLike) -> Self {
        Self::NotWasm(look)
    }
}
