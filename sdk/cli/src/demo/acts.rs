//! The programme: who does what, what is there against it, how it must end.

use super::guests::{ECHO, HOSTILE, LIAR, STRANGER, STUCK};
use casemate::{Limits, Policy, PolicyError, PolicySpec};
use std::borrow::Cow;
use std::time::Duration;

/// One guest doing one thing.
#[derive(Debug, Clone)]
pub(super) struct Act {
    pub(super) tried: &'static str,
    pub(super) stopped_by: &'static str,
    pub(super) guest: Cow<'static, [u8]>,
    pub(super) setting: Setting,
    pub(super) method: &'static str,
    pub(super) input: Vec<u8>,
    pub(super) expected: Expected,
}

/// How an act must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// With an answer.
    Answer,
    /// With one of these codes.
    Code(&'static [&'static str]),
    /// With an error that the host's refusal gave it, and the host's method never reached.
    Denied,
    /// With an answer, and most of its log dropped.
    LogCapped,
}

/// The policy of an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    /// Defaults, and one host method granted.
    Good,
    /// Nothing granted, little memory.
    Tight,
    /// Nothing granted, and little time.
    Hasty,
    /// Room for a guest that fills memory, and no patience with it.
    Impatient,
}

/// The host method that [`Setting::Good`] grants.
pub(super) const GRANTED: &str = "demo.greet";
/// The host method that nobody is granted.
pub(super) const SECRET: &str = "demo.secret";

impl Setting {
    pub(super) fn policy(self) -> Result<Policy, PolicyError> {
        let mut spec = match self {
            Self::Good => PolicySpec { host: vec![GRANTED.to_owned()], ..PolicySpec::default() },
            Self::Tight => PolicySpec {
                limits: Limits { memory_bytes: 16 << 20, ..Limits::default() },
                ..PolicySpec::default()
            },
            Self::Hasty => PolicySpec {
                limits: Limits {
                    call_timeout: Duration::from_millis(300),
                    // On a busy machine too it is the interrupt that is to be seen.
                    grace: Duration::from_secs(10),
                    ..Limits::default()
                },
                ..PolicySpec::default()
            },
            Self::Impatient => PolicySpec {
                limits: Limits {
                    memory_bytes: 256 << 20,
                    call_timeout: Duration::from_millis(300),
                    grace: Duration::ZERO,
                    ..Limits::default()
                },
                ..PolicySpec::default()
            },
        };
        // Several acts share a plugin's settings, and each may end a worker.
        spec.restart.within = Duration::from_millis(1);
        Policy::new(spec)
    }
}

/// Every act, the good ones around the bad ones: what came before leaves no trace in what comes after.
pub(super) fn all(real: Vec<Act>) -> Vec<Act> {
    let mut acts = real;
    acts.push(good("a guest that answers what it gets", "echo"));
    acts.push(good("a host call that its policy grants", "ask"));
    acts.extend(bad());
    acts.extend(traps());
    acts.push(good("the good guest, after all of them", "echo"));
    acts
}

fn good(tried: &'static str, method: &'static str) -> Act {
    Act {
        tried,
        stopped_by: "",
        guest: Cow::Borrowed(ECHO),
        setting: Setting::Good,
        method,
        input: br#"{"hello":"world"}"#.to_vec(),
        expected: Expected::Answer,
    }
}

fn hostile(
    tried: &'static str,
    stopped_by: &'static str,
    method: &'static str,
    codes: &'static [&'static str],
) -> Act {
    Act {
        tried,
        stopped_by,
        guest: Cow::Borrowed(HOSTILE),
        setting: Setting::Tight,
        method,
        input: b"null".to_vec(),
        expected: Expected::Code(codes),
    }
}

fn bad() -> Vec<Act> {
    let of = |guest: &'static [u8], act: Act| Act { guest: Cow::Borrowed(guest), ..act };
    vec![
        Act {
            setting: Setting::Hasty,
            ..hostile(
                "an endless loop",
                "limits.call_timeout, 300 ms: interrupted",
                "loop",
                &["timeout.soft"],
            )
        },
        Act {
            setting: Setting::Impatient,
            ..of(
                STUCK,
                // Should the interrupt fall just between two of its instructions, it is stopped all the same.
                hostile(
                    "an endless loop that is deaf",
                    "limits.grace, 0 ms: killed",
                    "fill",
                    &["timeout.hard", "timeout.soft"],
                ),
            )
        },
        hostile("eats all memory", "limits.memory, 16 MiB", "eat", &["limit.memory"]),
        hostile("fills all tables", "limits.tables, 10000 entries", "table", &["limit.tables"]),
        of(LIAR, hostile("an allocator that lies", "checked guest pointers", "lie", &["guest.abi"])),
        hostile("a reply that is not in its memory", "checked guest pointers", "reply", &["guest.abi"]),
        Act {
            expected: Expected::Denied,
            ..hostile("a host call that nobody granted", "permissions.host", "host", &[])
        },
        Act {
            expected: Expected::LogCapped,
            ..hostile("4 MiB of log lines", "limits.log, 64 KiB/s", "flood", &[])
        },
        of(
            STRANGER,
            hostile(
                "imports a function of the system",
                "the compiler's checks",
                "-",
                &["module.unknown_import"],
            ),
        ),
        Act {
            guest: Cow::Borrowed(b"\x7fELF\x02\x01\x01"),
            ..hostile("a program that is not wasm", "the compiler's checks", "-", &["module.not_wasm"])
        },
    ]
}

fn traps() -> Vec<Act> {
    let trap = |tried, method, code| hostile(tried, "a trap; the instance is not used again", method, code);
    vec![
        trap("gives up (unreachable)", "0", &["trap.unreachable"]),
        trap("reads far behind its memory", "1", &["trap.memory_out_of_bounds"]),
        trap("calls behind its table", "2", &["trap.table_out_of_bounds"]),
        trap("calls an empty table entry", "3", &["trap.indirect_call_to_null"]),
        trap("calls a function by another type", "4", &["trap.bad_signature"]),
        trap("overflows an integer division", "5", &["trap.integer_overflow"]),
        trap("divides by zero", "6", &["trap.division_by_zero"]),
        trap("makes an integer of no number", "7", &["trap.bad_conversion"]),
        trap("calls itself without end", "8", &["trap.stack_overflow"]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_a_policy() {
        for setting in [Setting::Good, Setting::Tight, Setting::Hasty, Setting::Impatient] {
            assert!(setting.policy().is_ok(), "{setting:?}");
            assert!(!setting.policy().unwrap().allows_host(SECRET));
        }
        assert!(Setting::Good.policy().unwrap().allows_host(GRANTED));
    }

    #[test]
    fn what_must_be_stopped_names_what_stops_it() {
        for act in all(Vec::new()) {
            let may = act.expected == Expected::Answer;
            assert_eq!(act.stopped_by.is_empty(), may, "{}", act.tried);
            assert!(act.tried.chars().count() <= 40, "{} is wider than its column", act.tried);
        }
    }

    #[test]
    fn every_trap_is_tried() {
        use casemate::{Cause, TrapKind};
        let tried: Vec<&str> = traps()
            .iter()
            .filter_map(|act| match act.expected {
                Expected::Code([code]) => Some(*code),
                _ => None,
            })
            .collect();
        for number in 1..=9 {
            let cause = Cause::Trap { kind: TrapKind::from_number(number), message: String::new() };
            assert!(tried.contains(&cause.code().as_str()), "{}", cause.code());
        }
    }
}
