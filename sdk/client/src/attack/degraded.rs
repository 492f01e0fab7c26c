//! What an attempt may come to on a host that does not give every wall.

use super::attacker::{Attacker, End};
use super::attempt::Must;
use casemate_protocol::certificate::Layer;
use casemate_protocol::outcome::{Cause, Exit};
use casemate_supervisor::inspect::host_facts;

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was stopped.
    Held,
    /// The wall that is there for it is off on this host, as the certificate says.
    Off,
    /// It was not stopped as it must be.
    Through,
}

/// What there is of walls that hosts may lack.
#[derive(Debug, Clone, Copy)]
pub(super) struct Host {
    reports: bool,
    sealed: bool,
    /// Filters of the host's own stand over the attacker as well, and an error of theirs comes before our verdict.
    filtered: bool,
}

impl Host {
    pub(super) fn of(attacker: &Attacker) -> Self {
        let certificate = attacker.plugin().certificate();
        let has = |layer| certificate.reason(layer).is_none();
        Self {
            reports: has(Layer::ViolationReports),
            sealed: has(Layer::SealedCode),
            filtered: host_facts().is_ok_and(|host| host.filters > 0),
        }
    }

    pub(super) fn judges(self, must: Must, end: &End, site: u64) -> Verdict {
        if must.holds(end, site) {
            return Verdict::Held;
        }
        match (must, end) {
            // Killed without a word; before 6.15 the kernel does not even say by what. The handler of a fault ends in a
            // forbidden call too: see `Attacker::order`.
            (Must::Report(..) | Must::Crash, End::Sigsys) if !self.reports => Verdict::Held,
            (Must::Report(..), end) if !self.reports && is_unexplained(end) => Verdict::Held,
            (Must::Stop(_) | Must::Gate | Must::Crash, end) if is_unexplained(end) => Verdict::Held,
            (Must::Report(..) | Must::Stop(_), End::Answered(said))
                if self.filtered && said.starts_with("error ") =>
            {
                Verdict::Held
            }
            (Must::Refuse(_), _) if !self.sealed => Verdict::Off,
            _ => Verdict::Through,
        }
    }
}

/// It ended, and this kernel does not say how.
fn is_unexplained(end: &End) -> bool {
    matches!(end, End::Otherwise(failure) if matches!(failure.cause, Cause::WorkerLost { exit: Exit::Unknown }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_host_lacks_is_excused() {
        let whole = Host { reports: true, sealed: true, filtered: false };
        let error = End::Answered("error 38".to_owned());
        let result = End::Answered("result 0x0".to_owned());
        let report = Must::Report("mseal", &[]);
        assert_eq!(whole.judges(report, &End::Sigsys, 0), Verdict::Through);
        assert_eq!(whole.judges(report, &error, 0), Verdict::Through);
        assert_eq!(whole.judges(Must::Refuse(1), &result, 0), Verdict::Through);
        let silent = Host { reports: false, ..whole };
        assert_eq!(silent.judges(report, &End::Sigsys, 0), Verdict::Held);
        let filtered = Host { filtered: true, ..whole };
        assert_eq!(filtered.judges(report, &error, 0), Verdict::Held);
        assert_eq!(filtered.judges(report, &result, 0), Verdict::Through);
        let unsealed = Host { sealed: false, ..whole };
        assert_eq!(unsealed.judges(Must::Refuse(1), &result, 0), Verdict::Off);
    }
}
