//! `/proc/PID/status`: who a process is and what it may.

use super::text::{Lines, ParseError, ParseProblem, decimal, hexadecimal, key_value, words};

/// A walled process has some 1,500 bytes; the supervisor's own may list 65,536 groups of up to 11 bytes.
pub(super) const STATUS_BYTES_MAX: usize = 1 << 20;

/// Levels of nested pid namespaces that a kernel allows, and the first.
const PID_LEVELS_MAX: usize = 33;

/// Capability sets, a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities {
    /// Kept over exec, if the file says so.
    pub inheritable: u64,
    /// May be made effective.
    pub permitted: u64,
    /// In force.
    pub effective: u64,
    /// Kept over exec.
    pub ambient: u64,
    /// What exec can give at all.
    pub bounding: u64,
}

/// What the supervisor reads of a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Whether it ended already and only waits to be reaped.
    pub ended: bool,
    /// Its number in the reader's pid namespace.
    pub pid: u32,
    /// Its numbers from the reader's pid namespace inwards; empty without CONFIG_PID_NS.
    pub ns_pids: Vec<u32>,
    /// Real, effective, saved and file-system user, as the reader's user namespace calls them.
    pub uids: [u32; 4],
    /// How many.
    pub threads: u32,
    /// Whether exec can no longer raise privileges.
    pub no_new_privs: bool,
    /// Its capabilities.
    pub capabilities: Capabilities,
    /// 0 none, 1 strict, 2 filters; `None` without CONFIG_SECCOMP.
    pub seccomp: Option<u32>,
    /// Filters in the chain (kernel 5.9).
    pub seccomp_filters: Option<u32>,
    /// Private writable memory in KiB; `None` for a process that has ended.
    pub data_kib: Option<u64>,
}

#[derive(Default)]
struct Fields {
    state: Option<u8>,
    pid: Option<u32>,
    ns_pids: Option<Vec<u32>>,
    uids: Option<[u32; 4]>,
    threads: Option<u32>,
    no_new_privs: Option<bool>,
    inheritable: Option<u64>,
    permitted: Option<u64>,
    effective: Option<u64>,
    ambient: Option<u64>,
    bounding: Option<u64>,
    seccomp: Option<u32>,
    seccomp_filters: Option<u32>,
    data_kib: Option<u64>,
}

impl Status {
    /// Reads a status. Fields that nobody asks for are not looked at.
    pub fn parse(text: &[u8]) -> Result<Self, ParseError> {
        let mut lines = Lines::new("status", text, STATUS_BYTES_MAX)?;
        let mut fields = Fields::default();
        while let Some(line) = lines.next_line() {
            if let Some((key, value)) = key_value(line) {
                fields.take(&lines, key, value)?;
            }
        }
        fields.finish(&lines)
    }
}

impl Fields {
    fn take(&mut self, lines: &Lines<'_>, key: &[u8], value: &[u8]) -> Result<(), ParseError> {
        macro_rules! once {
            ($name:literal, $place:expr, $value:expr) => {{
                let value = lines.field($name, $value)?;
                lines.once($name, &mut $place, value)
            }};
        }
        match key {
            b"State" => once!("State", self.state, value.first().copied()),
            b"Pid" => once!("Pid", self.pid, decimal(value)),
            b"NSpid" => once!("NSpid", self.ns_pids, numbers(value, PID_LEVELS_MAX)),
            b"Uid" => once!("Uid", self.uids, numbers(value, 4).and_then(|uids| uids.try_into().ok())),
            b"Threads" => once!("Threads", self.threads, decimal(value)),
            b"NoNewPrivs" => once!("NoNewPrivs", self.no_new_privs, flag(value)),
            b"CapInh" => once!("CapInh", self.inheritable, hexadecimal(value)),
            b"CapPrm" => once!("CapPrm", self.permitted, hexadecimal(value)),
            b"CapEff" => once!("CapEff", self.effective, hexadecimal(value)),
            b"CapAmb" => once!("CapAmb", self.ambient, hexadecimal(value)),
            b"CapBnd" => once!("CapBnd", self.bounding, hexadecimal(value)),
            b"Seccomp" => once!("Seccomp", self.seccomp, decimal(value)),
            b"Seccomp_filters" => once!("Seccomp_filters", self.seccomp_filters, decimal(value)),
            b"VmData" => once!("VmData", self.data_kib, value.strip_suffix(b" kB").and_then(decimal)),
            _ => Ok(()),
        }
    }

    fn finish(self, lines: &Lines<'_>) -> Result<Status, ParseError> {
        let need = |field| move || lines.missing(field);
        Ok(Status {
            ended: matches!(self.state.ok_or_else(need("State"))?, b'Z' | b'X' | b'x'),
            pid: self.pid.ok_or_else(need("Pid"))?,
            ns_pids: self.ns_pids.unwrap_or_default(),
            uids: self.uids.ok_or_else(need("Uid"))?,
            threads: self.threads.ok_or_else(need("Threads"))?,
            no_new_privs: self.no_new_privs.ok_or_else(need("NoNewPrivs"))?,
            capabilities: Capabilities {
                inheritable: self.inheritable.ok_or_else(need("CapInh"))?,
                permitted: self.permitted.ok_or_else(need("CapPrm"))?,
                effective: self.effective.ok_or_else(need("CapEff"))?,
                ambient: self.ambient.ok_or_else(need("CapAmb"))?,
                bounding: self.bounding.ok_or_else(need("CapBnd"))?,
            },
            seccomp: self.seccomp,
            seccomp_filters: self.seccomp_filters,
            data_kib: self.data_kib,
        })
    }
}

fn flag(value: &[u8]) -> Option<bool> {
    match value {
        b"0" => Some(false),
        b"1" => Some(true),
        _ => None,
    }
}

fn numbers(value: &[u8], count_max: usize) -> Option<Vec<u32>> {
    let numbers: Vec<u32> = words(value).take(count_max + 1).map(decimal).collect::<Option<_>>()?;
    (!numbers.is_empty() && numbers.len() <= count_max).then_some(numbers)
}

/// What `/proc/self/fdinfo/PIDFD` says of the process behind a pidfd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PidfdTarget {
    /// Its number in /proc's pid namespace.
    Pid(u32),
    /// It has ended and was reaped.
    Gone,
    /// It is in no namespace that /proc shows.
    OutOfSight,
}

impl PidfdTarget {
    /// Reads the fdinfo of a pidfd.
    pub fn parse(text: &[u8]) -> Result<Self, ParseError> {
        let mut lines = Lines::new("fdinfo", text, STATUS_BYTES_MAX)?;
        let mut target = None;
        while let Some(line) = lines.next_line() {
            let Some((b"Pid", value)) = key_value(line) else { continue };
            let seen = match value {
                b"-1" => Self::Gone,
                b"0" => Self::OutOfSight,
                _ => Self::Pid(lines.field("Pid", decimal(value))?),
            };
            if target.replace(seen).is_some() {
                return Err(lines.error(ParseProblem::Twice("Pid")));
            }
        }
        target.ok_or_else(|| lines.missing("Pid"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As kernel 6.18 writes it, of a worker in its namespaces.
    const WORKER: &str = "Name:\tcasemate-worker\nUmask:\t0077\nState:\tS (sleeping)\nTgid:\t4711\nNgid:\t0\nPid:\t4711\n\
        PPid:\t4709\nTracerPid:\t0\nUid:\t100001\t100001\t100001\t100001\nGid:\t100001\t100001\t100001\t100001\n\
        FDSize:\t64\nGroups:\t \nNStgid:\t4711\t2\nNSpid:\t4711\t2\nNSpgid:\t0\t0\nNSsid:\t0\t0\nKthread:\t0\n\
        VmPeak:\t 4312 kB\nVmSize:\t 4312 kB\nVmData:\t  360 kB\nCoreDumping:\t0\nThreads:\t1\nSigQ:\t0/96365\nCapInh:\t0000000000000000\n\
        CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t000001fffeffffff\nCapAmb:\t0000000000000000\n\
        NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t2\nSpeculation_Store_Bypass:\tvulnerable\n";

    #[test]
    fn a_worker_is_read() {
        let status = Status::parse(WORKER.as_bytes()).unwrap();
        assert_eq!((status.pid, status.ns_pids.as_slice()), (4711, &[4711, 2][..]));
        assert_eq!((status.uids, status.threads), ([100_001; 4], 1));
        assert_eq!((status.seccomp, status.seccomp_filters), (Some(2), Some(2)));
        assert!(status.no_new_privs && !status.ended);
        assert_eq!(status.capabilities.effective, 0);
        assert_eq!(status.capabilities.bounding, 0x1ff_feff_ffff);
        assert_eq!(status.data_kib, Some(360));
    }

    #[test]
    fn the_own_status_is_read() {
        let status = Status::parse(&std::fs::read("/proc/self/status").unwrap()).unwrap();
        assert_eq!(status.pid, std::process::id());
        assert!(status.threads >= 1 && status.seccomp_filters.is_some());
    }

    #[test]
    fn forgeries_and_nonsense_are_errors() {
        let with = |from: &str, to: &str| Status::parse(WORKER.replacen(from, to, 1).as_bytes());
        let twice = with("FDSize:\t64", "Seccomp:\t2");
        assert_eq!(twice.unwrap_err().problem, ParseProblem::Twice("Seccomp"));
        for (from, to, field) in [
            ("Threads:\t1", "Threads:\t99999999999999999999", "Threads"),
            ("Seccomp:\t2", "Seccomp:\t-1", "Seccomp"),
            ("CapEff:\t0000000000000000", "CapEff:\t10000000000000000", "CapEff"),
            ("NoNewPrivs:\t1", "NoNewPrivs:\t2", "NoNewPrivs"),
            ("VmData:\t  360 kB", "VmData:\t  360", "VmData"),
            ("Uid:\t100001\t100001\t100001\t100001", "Uid:\t100001\t100001\t100001", "Uid"),
            ("NSpid:\t4711\t2", &format!("NSpid:{}", "\t1".repeat(34)), "NSpid"),
        ] {
            assert_eq!(with(from, to).unwrap_err().problem, ParseProblem::Malformed(field), "{to}");
        }
        let missing = with("Threads:\t1\n", "").unwrap_err();
        assert_eq!(missing.to_string(), "/proc/PID/status, line 0: Threads is missing");
        // A kernel escapes line ends in names; a name that looks like a field is still only a name.
        assert!(with("Name:\tcasemate-worker", "Name:\tx\\nSeccomp:\t0").is_ok());
        for end in 0..WORKER.len() {
            assert!(
                Status::parse(&WORKER.as_bytes()[..end]).is_err() || WORKER.as_bytes()[end - 1] == b'\n',
                "{end}"
            );
        }
    }

    #[test]
    fn a_pidfd_names_its_process() {
        let parse = |pid: &str| {
            PidfdTarget::parse(format!("pos:\t0\nflags:\t02000002\nPid:\t{pid}\nNSpid:\t{pid}\n").as_bytes())
        };
        assert_eq!(parse("4711"), Ok(PidfdTarget::Pid(4711)));
        assert_eq!(parse("-1"), Ok(PidfdTarget::Gone));
        assert_eq!(parse("0"), Ok(PidfdTarget::OutOfSight));
        assert!(parse("-2").is_err() && parse("").is_err() && parse("1\nPid:\t2").is_err());
        assert!(PidfdTarget::parse(b"pos:\t0\n").is_err());
    }
}
