//! One attempt: an order, and the end that it must come to.

use super::attacker::End;
use super::numbers;
use std::borrow::Cow;

/// What must become of an order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Must {
    /// The kernel reports this call, with these first arguments; `None` stands for an address.
    Report(&'static str, &'static [Option<u64>]),
    /// The kernel stops the call of this number: reported, or killed for being the zygote's alone.
    Stop(u32),
    /// The kernel knows no such gate, or kills whoever goes through it.
    Gate,
    /// The processor or the kernel ends it: a fault.
    Crash,
    /// The kernel refuses with this error number, and it goes on.
    Refuse(i32),
    /// Memory ends, after so many bytes at most.
    Starve(u64),
    /// The hard deadline ends it.
    Deadline,
}

/// One attempt.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The order, in the hostile program's words.
    pub order: Cow<'static, str>,
    /// Its end.
    pub must: Must,
}

impl Must {
    /// Whether this end is the one.
    pub fn holds(&self, end: &End, site: u64) -> bool {
        match (*self, end) {
            (Self::Report(call, args), End::Reported(report)) => {
                let as_given = |(seen, wanted): (&u64, &Option<u64>)| match wanted {
                    Some(value) => seen == value,
                    None => *seen != 0,
                };
                report.name == Some(call)
                    && report.instruction_pointer == site
                    && report.args.iter().zip(args).all(as_given)
            }
            (Self::Stop(number), End::Reported(report)) => report.number.cast_unsigned() == number,
            (Self::Stop(_) | Self::Gate, End::Sigsys) => true,
            (Self::Stop(number), end) => numbers::past_seccomp(number, end),
            (Self::Gate | Self::Crash, End::Crashed) | (Self::Deadline, End::Killed) => true,
            (Self::Refuse(error), End::Answered(said)) => *said == format!("error {error}"),
            (Self::Starve(bytes_max), End::Answered(said)) => {
                let bytes = said.split(' ').next().and_then(|bytes| bytes.parse::<u64>().ok());
                said.ends_with("error 12") && bytes.is_some_and(|bytes| bytes <= bytes_max)
            }
            _ => false,
        }
    }
}

/// An end, for people.
pub(super) fn words(end: &End) -> String {
    match end {
        End::Answered(said) => said.clone(),
        End::Reported(report) => report.to_string(),
        End::Sigsys => "killed by the kernel (SIGSYS)".to_owned(),
        End::Crashed => "ended by a fault".to_owned(),
        End::Exited(code) => format!("ended with exit code {code}"),
        End::Killed => "killed at the deadline".to_owned(),
        End::Otherwise(failure) => failure.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use casemate_protocol::outcome::SyscallReport;

    #[test]
    fn an_end_that_is_not_the_one_is_seen() {
        let report = SyscallReport {
            arch: 0,
            number: 41,
            name: Some("socket"),
            args: [2, 1, 0, 0, 0, 0],
            instruction_pointer: 9,
        };
        let end = End::Reported(Box::new(report));
        let must = Must::Report("socket", &[Some(2), Some(1)]);
        assert!(must.holds(&end, 9) && Must::Stop(41).holds(&end, 9));
        assert!(!must.holds(&end, 8) && !Must::Stop(42).holds(&end, 9));
        assert!(!Must::Report("socket", &[Some(2), None, None]).holds(&end, 9));
        assert!(!must.holds(&End::Answered("result 0x3".to_owned()), 9));
        assert!(Must::Starve(10).holds(&End::Answered("10 bytes in 1 steps, error 12".to_owned()), 0));
        assert!(!Must::Starve(9).holds(&End::Answered("10 bytes in 1 steps, error 12".to_owned()), 0));
        assert!(!Must::Refuse(1).holds(&End::Answered("error 13".to_owned()), 0));
        assert!(!Must::Crash.holds(&End::Exited(0), 0) && !Must::Deadline.holds(&End::Crashed, 0));
    }
}
