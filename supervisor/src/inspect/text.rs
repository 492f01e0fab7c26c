//! What all of /proc's texts have in common: whole lines, and numbers that fit.

/// A text of /proc that is not what the kernel writes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("/proc/PID/{file}, line {line}: {problem}")]
pub struct ParseError {
    /// Its name below /proc/PID.
    pub file: &'static str,
    /// Counted from 1; 0 for the text as a whole.
    pub line: usize,
    /// What is wrong.
    pub problem: ParseProblem,
}

/// What is wrong with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseProblem {
    /// A field is not there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A field is there twice: one of them is somebody's forgery.
    #[error("{0} comes twice")]
    Twice(&'static str),
    /// A field that is not of its form, or a number that does not fit.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// The last line has no end.
    #[error("the text is cut off")]
    Cut,
    /// More than any process of ours can have.
    #[error("longer than {bytes_max} bytes")]
    TooLong {
        /// The limit.
        bytes_max: usize,
    },
}

/// The lines of a text, each with its number.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    file: &'static str,
    rest: &'a [u8],
    number: usize,
}

impl<'a> Lines<'a> {
    /// Checks that the text is bounded and ends with its last line.
    pub(super) fn new(file: &'static str, text: &'a [u8], bytes_max: usize) -> Result<Self, ParseError> {
        let problem = match text.last() {
            _ if text.len() > bytes_max => ParseProblem::TooLong { bytes_max },
            Some(b'\n') | None => return Ok(Self { file, rest: text, number: 0 }),
            Some(_) => ParseProblem::Cut,
        };
        Err(ParseError { file, line: 0, problem })
    }

    /// The next line, without its end.
    pub(super) fn next_line(&mut self) -> Option<&'a [u8]> {
        let end = self.rest.iter().position(|byte| *byte == b'\n')?;
        let (line, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.split_first().map_or(&[], |(_, rest)| rest);
        self.number += 1;
        Some(line)
    }

    /// An error in the line returned last.
    pub(super) fn error(&self, problem: ParseProblem) -> ParseError {
        ParseError { file: self.file, line: self.number, problem }
    }

    /// An error of the whole text.
    pub(super) fn missing(&self, field: &'static str) -> ParseError {
        ParseError { file: self.file, line: 0, problem: ParseProblem::Missing(field) }
    }

    /// The value, or that this field is malformed.
    pub(super) fn field<T>(&self, field: &'static str, value: Option<T>) -> Result<T, ParseError> {
        value.ok_or_else(|| self.error(ParseProblem::Malformed(field)))
    }

    /// Fills a place once.
    pub(super) fn once<T>(
        &self,
        field: &'static str,
        place: &mut Option<T>,
        value: T,
    ) -> Result<(), ParseError> {
        match place.replace(value) {
            None => Ok(()),
            Some(_) => Err(self.error(ParseProblem::Twice(field))),
        }
    }
}

/// `name:value`, the value without the blanks around it.
pub(super) fn key_value(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (key, value) = cut_at(line, b':')?;
    Some((key, value.trim_ascii()))
}

/// What stands before and after the first such byte.
pub(super) fn cut_at(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|other| *other == byte)?;
    let (before, rest) = text.split_at_checked(at)?;
    Some((before, rest.split_first()?.1))
}

/// What stands between blanks.
pub(super) fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// Decimal digits only, and it fits.
pub(super) fn decimal<T: TryFrom<u64>>(text: &[u8]) -> Option<T> {
    number(text, 10)
}

/// Hexadecimal digits only, and it fits.
pub(super) fn hexadecimal<T: TryFrom<u64>>(text: &[u8]) -> Option<T> {
    number(text, 16)
}

fn number<T: TryFrom<u64>>(text: &[u8], base: u32) -> Option<T> {
    let mut value = None;
    for byte in text {
        let digit = char::from(*byte).to_digit(base)?;
        value = Some(value.unwrap_or(0_u64).checked_mul(u64::from(base))?.checked_add(u64::from(digit))?);
    }
    T::try_from(value?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_and_fit() {
        assert_eq!(decimal::<u64>(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(hexadecimal::<u64>(b"000001fffeffffff"), Some(0x1ff_feff_ffff));
        for bad in
            [&b""[..], b"-1", b"+1", b" 1", b"1 ", b"18446744073709551616", b"0x1", b"1_0", b"\xd9\xa1"]
        {
            assert_eq!(decimal::<u64>(bad), None, "{bad:?}");
        }
        assert_eq!(decimal::<u32>(b"4294967296"), None);
    }

    #[test]
    fn lines_are_whole() {
        let mut lines = Lines::new("x", b"a\n\nb\n", 9).unwrap();
        assert_eq!(lines.next_line(), Some(&b"a"[..]));
        assert_eq!(lines.next_line(), Some(&b""[..]));
        assert_eq!(lines.next_line(), Some(&b"b"[..]));
        assert_eq!(lines.next_line(), None);
        assert_eq!(lines.error(ParseProblem::Cut).line, 3);
        assert_eq!(Lines::new("x", b"a\nb", 9).unwrap_err().problem, ParseProblem::Cut);
        let long = Lines::new("x", b"a\n", 1).unwrap_err();
        assert_eq!(long.to_string(), "/proc/PID/x, line 0: longer than 1 bytes");
    }
}
