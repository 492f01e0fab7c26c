//! Numbers and texts in a report: little endian, lengths first, each form has exactly one encoding.

use super::limits::{OverLimit, REPORT_BYTES_MAX};
use super::text::Text;

/// Bytes that are no report. The compiler process is at fault: it is either broken or taken over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeViolation {
    /// Longer than a report may be.
    #[error("a compiler's report of {report_bytes} bytes; {REPORT_BYTES_MAX} are allowed")]
    TooLong {
        /// How long it is.
        report_bytes: usize,
    },
    /// Of a format that this build does not know.
    #[error("a compiler's report of format {format}, which this build does not know")]
    Format {
        /// The first byte.
        format: u8,
    },
    /// It ends too early.
    #[error("a compiler's report is cut off within {field}")]
    CutOff {
        /// What was being read.
        field: &'static str,
    },
    /// It goes on after its end.
    #[error("a compiler's report has {bytes} bytes after its end")]
    Trailing {
        /// How many.
        bytes: usize,
    },
    /// A number that stands for nothing.
    #[error("a compiler's report has {number} for {field}, which means nothing")]
    Unknown {
        /// What was being read.
        field: &'static str,
        /// The number.
        number: u32,
    },
    /// A text that is too long, not UTF-8, or has characters that an honest compiler would have escaped.
    #[error("a compiler's report has a text for {field} that is too long or not printable")]
    Text {
        /// What was being read.
        field: &'static str,
    },
    /// More of something than any module may have.
    #[error("a compiler's report is over a limit: {0}")]
    OverLimit(#[from] OverLimit),
    /// A module was accepted whose own facts say that it cannot be.
    #[error("a compiler accepted a module that its own facts speak against")]
    Contradiction,
}

/// Appends to a report.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn flag(&mut self, value: bool) {
        self.u8(value.into());
    }

    pub(super) fn optional_u64(&mut self, value: Option<u64>) {
        self.flag(value.is_some());
        if let Some(value) = value {
            self.u64(value);
        }
    }

    /// How many follow. Every list has a limit far below what the field holds.
    pub(super) fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).unwrap_or(u32::MAX));
    }

    pub(super) fn text<const BYTES_MAX: usize>(&mut self, text: &Text<BYTES_MAX>) {
        const { assert!(BYTES_MAX <= 0xffff, "a text's length has two bytes") };
        let length = u16::try_from(text.as_str().len()).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(text.as_str().as_bytes());
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Bytes that a text takes in a report.
pub(super) fn text_bytes<const BYTES_MAX: usize>(text: &Text<BYTES_MAX>) -> usize {
    text.as_str().len().saturating_add(2)
}

/// Reads a report.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeViolation> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeViolation::CutOff { field })?;
        self.rest = rest;
        Ok(*bytes)
    }

    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, DecodeViolation> {
        self.array::<1>(field).map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, DecodeViolation> {
        self.array(field).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, field: &'static str) -> Result<u64, DecodeViolation> {
        self.array(field).map(u64::from_le_bytes)
    }

    pub(super) fn flag(&mut self, field: &'static str) -> Result<bool, DecodeViolation> {
        match self.u8(field)? {
            0 => Ok(false),
            1 => Ok(true),
            number => Err(DecodeViolation::Unknown { field, number: number.into() }),
        }
    }

    pub(super) fn optional_u64(&mut self, field: &'static str) -> Result<Option<u64>, DecodeViolation> {
        Ok(if self.flag(field)? { Some(self.u64(field)?) } else { None })
    }

    /// A one-byte number that stands for something.
    pub(super) fn tag<T>(
        &mut self,
        field: &'static str,
        from_number: impl FnOnce(u8) -> Option<T>,
    ) -> Result<T, DecodeViolation> {
        let number = self.u8(field)?;
        from_number(number).ok_or(DecodeViolation::Unknown { field, number: number.into() })
    }

    pub(super) fn text<const BYTES_MAX: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<Text<BYTES_MAX>, DecodeViolation> {
        let length = usize::from(self.array(field).map(u16::from_le_bytes)?);
        if length > BYTES_MAX {
            return Err(DecodeViolation::Text { field });
        }
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(DecodeViolation::CutOff { field })?;
        self.rest = rest;
        let text = std::str::from_utf8(bytes).ok().and_then(Text::checked);
        text.ok_or(DecodeViolation::Text { field })
    }

    pub(super) fn finish(self) -> Result<(), DecodeViolation> {
        match self.rest.len() {
            0 => Ok(()),
            bytes => Err(DecodeViolation::Trailing { bytes }),
        }
    }
}
