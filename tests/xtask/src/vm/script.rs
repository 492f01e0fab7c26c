//! What is run in the machine, and reading what it says.

use std::collections::BTreeMap;
use std::fmt;

use super::image::Image;
use super::{GUESTS, PROGRAMS};
use crate::tally::Count;

/// Lines of ours on the console begin so; everything else is a job's, the kernel's or the firmware's.
const MARK: &str = "@@vm ";

/// Lines of the console that are kept for a problem's words.
const TAIL_LINES: usize = 40;

/// Where the tests write which of them could not run.
const SKIPS: &str = "/tmp/skips";
const SHOW_SKIPS: &str = "[ ! -f /tmp/skips ] || sed 's/^/skipped: /' /tmp/skips; rm -f /tmp/skips";

/// The id of the ordinary user.
const USER_ID: u32 = 1000;

/// As whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum User {
    Root,
    Ordinary,
}

impl fmt::Display for User {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Root => "root",
            Self::Ordinary => "ordinary user",
        })
    }
}

/// On which root file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    /// The one that the kernel unpacks the image into, which cannot be pivoted away from.
    Initramfs,
    /// One that stands over it, as on any machine that has booted from an initramfs.
    Ordinary,
}

impl fmt::Display for Root {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Initramfs => "initramfs",
            Self::Ordinary => "ordinary root directory",
        })
    }
}

/// One command.
#[derive(Debug)]
pub(super) struct Job {
    /// Names it on the console.
    pub(super) name: String,
    pub(super) root: Root,
    pub(super) user: User,
    /// For the machine's shell; without single quotes.
    pub(super) command: String,
}

/// Puts the scripts that run the jobs into an image.
pub(super) fn write(image: &mut Image, jobs: &[Job]) {
    for folder in ["/proc", "/sys", "/dev", "/tmp", "/ordinary"] {
        image.folder(folder);
    }
    let user = format!("root:x:0:0::/:/bin/sh\nuser:x:{USER_ID}:{USER_ID}::/tmp:/bin/sh\n");
    image.text("/etc/passwd", user.as_bytes());
    image.text("/etc/group", format!("root:x:0:\nuser:x:{USER_ID}:\n").as_bytes());
    image.text("/init", init(jobs).as_bytes());
    image.text("/ordinary.sh", ordinary(jobs).as_bytes());
}

fn init(jobs: &[Job]) -> String {
    let jobs = lines(jobs, Root::Initramfs);
    format!(
        "#!/bin/busybox sh\n/bin/busybox --install -s /bin\n{MOUNTS}{jobs}\
         umount /dev /sys/fs/cgroup /sys/kernel/security /sys /proc\nmount -o bind / /ordinary\ncd /ordinary\nmount -o move . /\n\
         exec chroot . /bin/sh /ordinary.sh\n"
    )
}

fn ordinary(jobs: &[Job]) -> String {
    let jobs = lines(jobs, Root::Ordinary);
    format!("{MOUNTS}{jobs}echo '{MARK}whole'\nsync\npoweroff -f\n")
}

const MOUNTS: &str = "export PATH=/bin\nmount -t proc proc /proc\nmount -t sysfs sys /sys\n\
                      mount -t securityfs security /sys/kernel/security\nmount -t cgroup2 cgroup /sys/fs/cgroup\n\
                      mount -t devtmpfs dev /dev\n\
                      chmod 1777 /tmp\n";

fn lines(jobs: &[Job], root: Root) -> String {
    let mut text = String::new();
    for job in jobs.iter().filter(|job| job.root == root) {
        let Job { name, command, .. } = job;
        let command = format!(
            "cd /tmp; rm -f {SKIPS}; CASEMATE_VM=1 CASEMATE_GUESTS={GUESTS} CASEMATE_PROGRAMS={PROGRAMS} \
             CASEMATE_SKIPS={SKIPS} TMPDIR=/tmp {command}"
        );
        let command = match job.user {
            User::Root => format!("sh -c '{command}'"),
            User::Ordinary => format!("su -s /bin/sh user -c '{command}'"),
        };
        // What is on the console is a terminal to programs that ask.
        text.push_str(&format!(
            "echo '{MARK}begin {name}'\n{{ {command}; code=$?; {SHOW_SKIPS}; echo \"{MARK}end $code {name}\"; }} \
             < /dev/null 2>&1 | cat\n"
        ));
    }
    text
}

/// What the console said, by job.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    sections: BTreeMap<String, Section>,
    open: Option<String>,
    tail: Vec<String>,
    whole: bool,
}

#[derive(Debug, Default)]
struct Section {
    lines: Vec<String>,
    code: Option<i32>,
}

impl Transcript {
    /// Takes a line of the console; says whether it is worth showing.
    pub(super) fn take(&mut self, line: &str) -> bool {
        let line = line.trim_end_matches('\r');
        if self.tail.len() == TAIL_LINES {
            self.tail.remove(0);
        }
        self.tail.push(line.to_owned());
        if let Some(mark) = line.strip_prefix(MARK) {
            self.take_mark(mark);
            return true;
        }
        let Some(open) = &self.open else { return false };
        self.sections.entry(open.clone()).or_default().lines.push(line.to_owned());
        true
    }

    fn take_mark(&mut self, mark: &str) {
        if mark == "whole" {
            self.whole = true;
        } else if let Some(name) = mark.strip_prefix("begin ") {
            self.open = Some(name.to_owned());
        } else if let Some((code, name)) = mark.strip_prefix("end ").and_then(|end| end.split_once(' ')) {
            self.sections.entry(name.to_owned()).or_default().code = code.parse().ok();
            self.open = None;
        }
    }

    /// Whether the machine came to its end.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// The last lines of the console.
    pub(super) fn tail(&self) -> String {
        self.tail.join("\n")
    }

    /// How a job's tests ended. One that did not run, or says nothing of a failure that its exit code tells, counts as a
    /// failed one.
    pub(super) fn count_of(&self, job: &Job) -> Count {
        let failed = Count { failed: 1, ..Count::default() };
        let Some(section) = self.sections.get(&job.name) else { return failed };
        let mut count = Count::default();
        for line in &section.lines {
            count += Count::in_line(line).unwrap_or_default();
            if line.starts_with("skipped: ") {
                count.skip_one();
            }
        }
        match (section.code, count.failed) {
            (Some(0), _) if count != Count::default() => count,
            (_, 1..) => count,
            _ => failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(name: &str, root: Root, user: User) -> Job {
        Job { name: name.to_owned(), root, user, command: "true".to_owned() }
    }

    fn transcript(text: &str) -> Transcript {
        let mut transcript = Transcript::default();
        for line in text.lines() {
            transcript.take(line);
        }
        transcript
    }

    #[test]
    fn a_job_stands_in_the_script_of_its_root() {
        let jobs = [job("early", Root::Initramfs, User::Root), job("late", Root::Ordinary, User::Ordinary)];
        let (init, ordinary) = (init(&jobs), ordinary(&jobs));
        assert!(init.contains("begin early") && !init.contains("late"), "{init}");
        assert!(ordinary.contains("begin late") && ordinary.contains("su -s /bin/sh user"), "{ordinary}");
    }

    #[test]
    fn what_a_job_said_is_counted() {
        let text = "BIOS\r\n@@vm begin a\r\n\
                    test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\r\n\
                    skipped: x: a reason\r\n@@vm end 0 a\r\n\
                    @@vm begin b\r\ntest result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured\r\n@@vm end 101 b\r\n\
                    @@vm begin c\r\n@@vm end 0 c\r\n@@vm whole\r\n";
        let transcript = transcript(text);
        assert!(transcript.is_whole());
        let count = |name| transcript.count_of(&job(name, Root::Ordinary, User::Root));
        assert_eq!(count("a"), Count { passed: 4, failed: 0, skipped: 2 });
        assert_eq!(count("b"), Count { passed: 1, failed: 2, skipped: 0 });
        let failed = Count { passed: 0, failed: 1, skipped: 0 };
        assert_eq!(
            (count("c"), count("d")),
            (failed, failed),
            "one that ran no test, and one that never ran"
        );
    }

    #[test]
    fn a_machine_that_dies_is_told_by_its_last_lines() {
        let transcript = transcript("@@vm begin a\nKernel panic\n");
        assert!(!transcript.is_whole());
        assert!(transcript.tail().ends_with("Kernel panic"));
    }
}
