//! What a machine must have, and how it gets it.
//!
//! Everything here looks first and installs only what is missing. What the project can do without ends in one clear
//! line instead of an error.

use std::path::PathBuf;

use crate::group::Group;
use crate::problem::Problem;
use crate::project::Project;
use crate::step::{Step, find_program};
use crate::vm;

/// What the guests are built for.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// What the programs for WASI are built for: 0.1, and 0.2 as components.
pub(crate) const WASI_TARGETS: [&str; 2] = ["wasm32-wasip1", "wasm32-wasip2"];

/// The second supported machine, which is compile-checked.
pub(crate) const AARCH64_TARGET: &str = "aarch64-unknown-linux-gnu";

const CARGO_DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };
const CARGO_FUZZ: Tool = Tool { name: "cargo-fuzz", version: "0.13.2" };

/// What the default checks and the demonstration need, and the tools of the default groups.
pub(crate) fn everything(project: &Project) -> Result<(), Problem> {
    for_demo(project)?;
    add_targets(project, &[AARCH64_TARGET])?;
    let deny = cargo_deny(project)?;
    println!("everything is there; cargo-deny is {}", deny.display());
    Ok(())
}

/// What it takes to build the programs and the guests.
pub(crate) fn for_demo(project: &Project) -> Result<(), Problem> {
    c_compiler()?;
    static_programs(project);
    add_targets(project, &[WASM_TARGET])?;
    add_targets(project, &WASI_TARGETS)
}

/// What these groups need. A group whose need is not met fails by itself later, so this only says what it could not do.
pub(crate) fn for_groups(project: &Project, groups: &[Group]) {
    let wants = |some: &[Group]| groups.iter().any(|group| some.contains(group));
    if let Err(problem) = for_demo(project) {
        println!("setup: {problem}");
    }
    if wants(&[Group::Aarch64]) {
        complain(add_targets(project, &[AARCH64_TARGET]));
    }
    if wants(&[Group::Deny, Group::Advisories]) {
        complain(cargo_deny(project));
    }
    if wants(&[Group::SuiteRoot, Group::SuiteUser]) {
        // What an example's host reads receipts with.
        complain(program(project, "tesseract", "tesseract-ocr"));
    }
    if wants(&[Group::Fuzz]) {
        complain(cargo_fuzz(project));
    }
    if wants(&[Group::Vm]) {
        complain(vm::parts(project));
    }
}

/// Where cargo-deny is, after installing it if need be.
pub(crate) fn cargo_deny(project: &Project) -> Result<PathBuf, Problem> {
    CARGO_DENY.find_or_install(project)
}

/// Where cargo-fuzz is, after installing it if need be, and a nightly toolchain for it.
pub(crate) fn cargo_fuzz(project: &Project) -> Result<PathBuf, Problem> {
    let toolchains = Step::new("rustup", &project.root).args(["toolchain", "list"]).answer()?;
    if !toolchains.lines().any(|line| line.starts_with("nightly-")) {
        Step::new("rustup", &project.root)
            .args(["toolchain", "install", "nightly", "--profile", "minimal"])
            .run()?;
    }
    CARGO_FUZZ.find_or_install(project)
}

/// Whether the pinned toolchain can compile for this target.
pub(crate) fn has_target(project: &Project, target: &str) -> bool {
    missing_targets(project, &[target]).is_ok_and(|missing| missing.is_empty())
}

fn c_compiler() -> Result<(), Problem> {
    if ["cc", "gcc", "clang"].iter().any(|name| find_program(name).is_some()) {
        return Ok(());
    }
    Err(Problem::new(
        "there is no C compiler (cc, gcc or clang): install one, such as Debian's build-essential",
    ))
}

/// The programs that the supervisor embeds are static: by musl where that can be had, else by glibc.
fn static_programs(project: &Project) {
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let made = musl_compiler(project).and_then(|()| add_targets(project, &[&target]));
    if let Err(problem) = made {
        println!("setup: {problem}");
        println!("setup: the embedded programs are built with static glibc instead of {target}");
    }
}

fn musl_compiler(project: &Project) -> Result<(), Problem> {
    if find_program("musl-gcc").is_some() {
        return Ok(());
    }
    let by_hand = "musl-gcc is missing: install musl-tools (Debian, Ubuntu) or your system's musl compiler";
    if !rustix::process::geteuid().is_root() {
        return Err(Problem::new(format!("{by_hand}, as root")));
    }
    if find_program("apt-get").is_none() {
        return Err(Problem::new(by_hand));
    }
    install(project, "musl-tools")
}

/// Where a program of the system's is, after installing its package if need be.
pub(crate) fn program(project: &Project, name: &str, package: &str) -> Result<PathBuf, Problem> {
    if let Some(file) = find_program(name) {
        return Ok(file);
    }
    let by_hand = || Problem::new(format!("{name} is missing: install {package} (Debian, Ubuntu), as root"));
    if !rustix::process::geteuid().is_root() || find_program("apt-get").is_none() {
        return Err(by_hand());
    }
    install(project, package)?;
    find_program(name).ok_or_else(by_hand)
}

/// Sees to a file of the system's, after installing its package if need be.
pub(crate) fn file(project: &Project, file: &str, package: &str) -> Result<(), Problem> {
    let is_there = || std::path::Path::new(file).is_file();
    if !is_there() && rustix::process::geteuid().is_root() && find_program("apt-get").is_some() {
        install(project, package)?;
    }
    if is_there() {
        return Ok(());
    }
    Err(Problem::new(format!("{file} is missing: install {package} (Debian, Ubuntu), as root")))
}

fn install(project: &Project, package: &str) -> Result<(), Problem> {
    let apt = || Step::new("apt-get", &project.root).env("DEBIAN_FRONTEND", "noninteractive");
    apt().arg("update").run()?;
    apt().args(["install", "--yes", "--no-install-recommends", package]).run()
}

fn add_targets(project: &Project, targets: &[&str]) -> Result<(), Problem> {
    let missing = missing_targets(project, targets)?;
    if missing.is_empty() {
        return Ok(());
    }
    if find_program("rustup").is_none() {
        let missing = missing.join(", ");
        return Err(Problem::new(format!(
            "the toolchain cannot compile for {missing}: it takes rustup to add that"
        )));
    }
    Step::new("rustup", &project.root).args(["target", "add"]).args(missing).run()
}

fn missing_targets<'a>(project: &Project, targets: &[&'a str]) -> Result<Vec<&'a str>, Problem> {
    // rustc knows, also where the toolchain did not come by rustup.
    let mut missing = Vec::new();
    for target in targets {
        let folder = Step::new("rustc", &project.root)
            .args(["--print", "target-libdir", "--target"])
            .arg(target)
            .answer()?;
        if !PathBuf::from(folder.trim()).is_dir() {
            missing.push(*target);
        }
    }
    Ok(missing)
}

fn complain<T>(result: Result<T, Problem>) {
    if let Err(problem) = result {
        println!("setup: {problem}");
    }
}

/// A cargo subcommand from crates.io.
struct Tool {
    name: &'static str,
    version: &'static str,
}

impl Tool {
    fn find_or_install(&self, project: &Project) -> Result<PathBuf, Problem> {
        let ours = project.tools().join("bin").join(self.name);
        let found = [find_program(self.name), Some(ours.clone())];
        if let Some(file) = found.into_iter().flatten().find(|file| self.is_right(project, file)) {
            return Ok(file);
        }
        // An unoptimised build of it is done in a fraction of the time and quick enough.
        Step::cargo(&project.root)
            .args(["install", self.name, "--locked", "--debug", "--version", self.version, "--root"])
            .arg(project.tools())
            .run()?;
        Ok(ours)
    }

    /// The same minor version: a later one reads its configuration differently.
    fn is_right(&self, project: &Project, file: &PathBuf) -> bool {
        let minor = self.version.rsplit_once('.').map_or(self.version, |(minor, _)| minor);
        Step::new(file, &project.root).arg("--version").answer().is_ok_and(|said| {
            said.trim().strip_prefix(self.name).is_some_and(|rest| is_minor(rest.trim(), minor))
        })
    }
}

fn is_minor(version: &str, minor: &str) -> bool {
    version.strip_prefix(minor).is_some_and(|patch| patch.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::is_minor;

    #[test]
    fn only_the_patch_level_may_differ() {
        assert!(is_minor("0.20.7", "0.20"));
        assert!(!is_minor("0.2.7", "0.20"));
        assert!(!is_minor("0.201.0", "0.20"));
    }
}
