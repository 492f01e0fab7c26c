//! `/proc/PID/limits`: resource limits in force.

use super::text::{Lines, ParseError, ParseProblem, decimal, words};

/// Seventeen lines of some 80 bytes.
pub(super) const LIMITS_BYTES_MAX: usize = 16 << 10;

/// A limit, in /proc's words and order, which is also the kernel's numbering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Resource {
    /// RLIMIT_CPU, in seconds.
    CpuTime = 0,
    /// RLIMIT_FSIZE, in bytes.
    FileSize,
    /// RLIMIT_DATA, in bytes.
    DataSize,
    /// RLIMIT_STACK, in bytes.
    StackSize,
    /// RLIMIT_CORE, in bytes.
    CoreFileSize,
    /// RLIMIT_RSS, in bytes; without effect.
    ResidentSet,
    /// RLIMIT_NPROC.
    Processes,
    /// RLIMIT_NOFILE.
    OpenFiles,
    /// RLIMIT_MEMLOCK, in bytes.
    LockedMemory,
    /// RLIMIT_AS, in bytes.
    AddressSpace,
    /// RLIMIT_LOCKS; without effect.
    FileLocks,
    /// RLIMIT_SIGPENDING.
    PendingSignals,
    /// RLIMIT_MSGQUEUE, in bytes.
    MessageQueues,
    /// RLIMIT_NICE.
    NicePriority,
    /// RLIMIT_RTPRIO.
    RealtimePriority,
    /// RLIMIT_RTTIME, in microseconds.
    RealtimeTimeout,
}

const RESOURCES: [(Resource, &str); 16] = [
    (Resource::CpuTime, "Max cpu time"),
    (Resource::FileSize, "Max file size"),
    (Resource::DataSize, "Max data size"),
    (Resource::StackSize, "Max stack size"),
    (Resource::CoreFileSize, "Max core file size"),
    (Resource::ResidentSet, "Max resident set"),
    (Resource::Processes, "Max processes"),
    (Resource::OpenFiles, "Max open files"),
    (Resource::LockedMemory, "Max locked memory"),
    (Resource::AddressSpace, "Max address space"),
    (Resource::FileLocks, "Max file locks"),
    (Resource::PendingSignals, "Max pending signals"),
    (Resource::MessageQueues, "Max msgqueue size"),
    (Resource::NicePriority, "Max nice priority"),
    (Resource::RealtimePriority, "Max realtime priority"),
    (Resource::RealtimeTimeout, "Max realtime timeout"),
];

impl Resource {
    /// The kernel's number of it.
    pub fn number(self) -> u32 {
        self as u32
    }

    /// Its line in /proc.
    pub fn name(self) -> &'static str {
        RESOURCES.iter().find(|(resource, _)| *resource == self).map_or("?", |(_, name)| *name)
    }
}

/// A limit's two values; unlimited is [`u64::MAX`], as it is for the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// In force.
    pub soft: u64,
    /// What the process may raise it to.
    pub hard: u64,
}

/// Every limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits([Limit; 16]);

impl Limits {
    /// Reads a limits file. Lines of limits that a newer kernel may have are passed over.
    pub fn parse(text: &[u8]) -> Result<Self, ParseError> {
        let mut lines = Lines::new("limits", text, LIMITS_BYTES_MAX)?;
        let mut seen: [Option<Limit>; 16] = [None; 16];
        while let Some(line) = lines.next_line() {
            for ((_, name), place) in RESOURCES.iter().zip(&mut seen) {
                // The name fills its column, so blanks follow: none is the beginning of another.
                let Some(values) = line.strip_prefix(name.as_bytes()) else { continue };
                let mut values = words(values).map(value);
                let limit = match (values.next(), values.next()) {
                    (Some(Some(soft)), Some(Some(hard))) => Limit { soft, hard },
                    _ => return Err(lines.error(ParseProblem::Malformed(name))),
                };
                lines.once(name, place, limit)?;
            }
        }
        let mut limits = [Limit { soft: 0, hard: 0 }; 16];
        for (((_, name), seen), place) in RESOURCES.iter().zip(seen).zip(&mut limits) {
            *place = seen.ok_or_else(|| lines.missing(name))?;
        }
        Ok(Self(limits))
    }

    /// One of them.
    pub fn get(&self, resource: Resource) -> Limit {
        let place = RESOURCES.iter().zip(&self.0).find(|((other, _), _)| *other == resource);
        place.map_or(Limit { soft: u64::MAX, hard: u64::MAX }, |(_, limit)| *limit)
    }
}

fn value(word: &[u8]) -> Option<u64> {
    if word == b"unlimited" { Some(u64::MAX) } else { decimal(word) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As kernel 6.18 writes it.
    const TEXT: &str = "\
Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max file size             0                    0                    bytes     
Max data size             104857600            104857600            bytes     
Max stack size            8388608              unlimited            bytes     
Max core file size        0                    0                    bytes     
Max resident set          unlimited            unlimited            bytes     
Max processes             96365                96365                processes 
Max open files            64                   64                   files     
Max locked memory         8388608              8388608              bytes     
Max address space         unlimited            unlimited            bytes     
Max file locks            unlimited            unlimited            locks     
Max pending signals       96365                96365                signals   
Max msgqueue size         819200               819200               bytes     
Max nice priority         0                    0                    
Max realtime priority     0                    0                    
Max realtime timeout      unlimited            unlimited            us        
";

    #[test]
    fn every_limit_is_read() {
        let limits = Limits::parse(TEXT.as_bytes()).unwrap();
        assert_eq!(limits.get(Resource::DataSize), Limit { soft: 104_857_600, hard: 104_857_600 });
        assert_eq!(limits.get(Resource::StackSize), Limit { soft: 8_388_608, hard: u64::MAX });
        assert_eq!(limits.get(Resource::RealtimePriority), Limit { soft: 0, hard: 0 });
        assert!(Limits::parse(&std::fs::read("/proc/self/limits").unwrap()).is_ok());
    }

    #[test]
    fn numbers_are_the_kernels() {
        let limits = Limits::parse(&std::fs::read("/proc/self/limits").unwrap()).unwrap();
        for (resource, name) in RESOURCES {
            let (soft, hard) =
                casemate_sys::process::limit_of(std::process::id(), resource.number()).unwrap();
            // Another test may change its own soft limits.
            assert_eq!(limits.get(resource).hard, hard, "{name}");
            assert!(soft <= hard || resource == Resource::NicePriority, "{name}");
        }
    }

    #[test]
    fn nonsense_is_an_error() {
        let with = |from: &str, to: &str| Limits::parse(TEXT.replacen(from, to, 1).as_bytes());
        let minus = with("Max open files            64 ", "Max open files            -1 ").unwrap_err();
        assert_eq!(minus.to_string(), "/proc/PID/limits, line 9: Max open files is malformed");
        assert_eq!(
            with("Max processes ", "Max purposes ").unwrap_err().problem,
            ParseProblem::Missing("Max processes")
        );
        let twice = with("Max file locks", "Max data size ").unwrap_err();
        assert_eq!(twice.problem, ParseProblem::Twice("Max data size"));
        assert!(with("Max nice priority         0", "Max nice priority").is_err());
        assert!(with("Max file locks", "Max newer thing      1  1  x\nMax file locks").is_ok());
        for end in 0..TEXT.len() {
            assert!(Limits::parse(&TEXT.as_bytes()[..end]).is_err(), "{end}");
        }
    }
}
