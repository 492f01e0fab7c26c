//! The `vm` group: suites on a kernel that is older than this machine's, in a virtual machine.
//!
//! | module | holds |
//! |---|---|
//! | [`kernel`] | Debian's 6.1 kernel, from its package |
//! | [`image`] | the files of the machine, as an initramfs |
//! | [`script`] | what is run in it, and reading what it says |
//! | [`boot`] | booting an image, and the transcript of its console |
//!
//! The machine is emulated, so that it needs no rights and runs inside of another one. It has no disk and no network:
//! what it is to do lies in its image, and what it has to say comes over a serial line.

mod boot;
mod image;
mod kernel;
mod script;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::guests::{self, files_with};
use crate::problem::Problem;
use crate::project::{Project, in_ci};
use crate::setup;
use crate::step::Step;
use crate::tally::{Count, Verdict};
use image::Image;
use script::{Job, Root, User};

/// What runs in the machine, in this order: a suite of the tests crate, those of its tests with this in their names, on
/// which root file system, as whom. A suite that needs another kernel than the builder's gets a line here and a `[[test]]`;
/// it finds `CASEMATE_VM` set.
///
/// Emulation costs a suite ten to thirty times its minutes: only what an older kernel does differently is worth that.
const JOBS: [(&str, &str, Root, User); 8] = [
    ("vm", "a_kernel_6_1", Root::Initramfs, User::Root),
    ("vm", "no_user_namespaces", Root::Ordinary, User::Root),
    ("vm", "a_kernel_6_1", Root::Ordinary, User::Ordinary),
    // The clock is set by an hour, which nobody wants on the builder.
    ("vm", "clocks", Root::Ordinary, User::Root),
    // How the end of a process, and of a call, is learnt where a pidfd does not say it.
    ("liars", "", Root::Ordinary, User::Root),
    ("deadlines", "", Root::Ordinary, User::Ordinary),
    // Version 2 of the control groups, alone and with every controller: for root, handed on to a user, and not.
    ("cgroups", "", Root::Ordinary, User::Root),
    ("cgroups", "", Root::Ordinary, User::Ordinary),
];

/// Everything of the machine's own below this is read-only to its ordinary user.
const PROGRAMS: &str = "/programs";
const GUESTS: &str = "/guests";

/// What it takes to boot one.
#[derive(Debug)]
pub(crate) struct Parts {
    qemu: PathBuf,
    busybox: PathBuf,
    kernel: PathBuf,
}

/// Finds or gets the parts.
pub(crate) fn parts(project: &Project) -> Result<Parts, Problem> {
    if std::env::consts::ARCH != "x86_64" {
        return Err(Problem::new("the virtual machine is an x86_64 one, and this machine is not"));
    }
    Ok(Parts {
        qemu: setup::program(project, "qemu-system-x86_64", "qemu-system-x86")?,
        busybox: setup::program(project, "busybox", "busybox-static")?,
        kernel: kernel::debian_6_1(project)?,
    })
}

/// Runs the suites in the machine, each of which may take as long as one of the tests' executables.
pub(crate) fn run(project: &Project, limit: Duration) -> Verdict {
    let parts = match parts(project) {
        Ok(parts) => parts,
        Err(problem) if in_ci() => return Verdict::Failed(problem),
        Err(problem) => return Verdict::Skipped(problem.to_string()),
    };
    match run_with(project, &parts, limit) {
        Ok(count) => Verdict::Counted(count),
        Err(problem) => Verdict::Failed(problem),
    }
}

fn run_with(project: &Project, parts: &Parts, limit: Duration) -> Result<Count, Problem> {
    guests::build(project)?;
    let programs = programs(project)?;
    let jobs = jobs();
    let mut image = Image::new();
    image.file("/bin/busybox", &parts.busybox)?;
    for program in &programs {
        image.file(&format!("{PROGRAMS}/{}", program.name), &program.file)?;
    }
    for folder in ["", "wat", "data"] {
        add_folder(&mut image, &project.guests().join(folder), &format!("{GUESTS}/{folder}"))?;
    }
    script::write(&mut image, &jobs);
    let file = project.target.join("vm").join("image.cpio");
    image.save(&file)?;
    let limit = jobs.iter().map(|_| limit).sum();
    let transcript = boot::boot(project, parts, &file, limit)?;
    let mut sum = Count::default();
    for job in &jobs {
        sum += transcript.count_of(job);
    }
    Ok(sum)
}

fn jobs() -> Vec<Job> {
    let job = |(suite, tests, root, user)| Job {
        name: format!("{}, {root}, {user}", [suite, tests].join(" ").trim_end()),
        root,
        user,
        command: format!("{PROGRAMS}/{suite} --test-threads=1 {tests}"),
    };
    JOBS.into_iter().map(job).collect()
}

/// Each suite once.
fn suites() -> BTreeSet<&'static str> {
    JOBS.into_iter().map(|(suite, ..)| suite).collect()
}

/// A static program by the name it has in the machine.
#[derive(Debug)]
struct Static {
    name: String,
    file: PathBuf,
}

/// The suites and the command, as programs that need no library.
fn programs(project: &Project) -> Result<Vec<Static>, Problem> {
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    if !setup::has_target(project, &target) {
        return Err(Problem::new(format!("the toolchain has no {target}: `rustup target add {target}`")));
    }
    let mut programs = Vec::new();
    let built = Step::cargo(&project.root)
        .args(["build", "--target", &target, "--package", "casemate-tests", "--package", "casemate-cli"])
        .args(["--bin", "casemate"])
        .args(suites().into_iter().flat_map(|suite| ["--test", suite]))
        .arg("--message-format=json-render-diagnostics")
        .run_reading(|line| {
            programs.extend(serde_json::from_str(line).ok().and_then(|message| program_of(&message)));
            false
        })?;
    if built { Ok(programs) } else { Err(Problem::new("the programs for the virtual machine did not build")) }
}

fn program_of(message: &Value) -> Option<Static> {
    let file = PathBuf::from(message.get("executable")?.as_str()?);
    let name = message.pointer("/target/name")?.as_str()?.to_owned();
    Some(Static { name, file })
}

fn add_folder(image: &mut Image, from: &Path, to: &str) -> Result<(), Problem> {
    for ending in ["wasm", "json", "txt"] {
        for file in files_with(from, ending)? {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            image.file(&format!("{}/{name}", to.trim_end_matches('/')), &file)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn programs_are_named_by_their_targets() {
        let message = json!({
            "reason": "compiler-artifact",
            "target": { "name": "vm", "kind": ["test"] },
            "executable": "/a/target/x86_64-unknown-linux-musl/debug/deps/vm-0123456789abcdef",
        });
        assert_eq!(program_of(&message).map(|program| program.name).as_deref(), Some("vm"));
        assert!(program_of(&json!({"reason": "build-finished", "executable": null})).is_none());
    }

    #[test]
    fn every_job_has_a_name_of_its_own() {
        let mut names: Vec<_> = jobs().into_iter().map(|job| job.name).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
