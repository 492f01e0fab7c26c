//! Debian's 6.1 kernel, from its package: fetched, checked and unpacked by the system's own tools, never installed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::problem::Problem;
use crate::project::Project;
use crate::step::{Step, find_program};

/// Whatever this machine runs: the release whose kernel is a 6.1. Of its two registries one will do.
const SOURCES: [&str; 2] = [
    "http://deb.debian.org/debian-security bookworm-security main",
    "http://deb.debian.org/debian bookworm main",
];
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Its kernel for virtual machines: a third of the size, with everything that the walls are made of.
const PACKAGE: &str = "linux-image-cloud-amd64";

/// The kernel's file. It is kept in the target folder, and fetched once.
pub(super) fn debian_6_1(project: &Project) -> Result<PathBuf, Problem> {
    let folder = project.target.join("vm");
    if let Some(kernel) = unpacked(&folder) {
        return Ok(kernel);
    }
    for tool in ["apt-get", "apt-cache", "dpkg-deb"] {
        if find_program(tool).is_none() {
            return Err(Problem::new(format!("{tool} is missing: Debian's 6.1 kernel comes by it")));
        }
    }
    let apt = Apt::set_up(&folder.join("apt"))?;
    // A registry out of reach is no failure yet: the other may have the package.
    if let Err(problem) = apt.step("apt-get").arg("update").run() {
        println!("{problem}");
    }
    let depends = apt.step("apt-cache").args(["depends", PACKAGE]).answer()?;
    let package = versioned(&depends)
        .ok_or_else(|| Problem::new(format!("{PACKAGE} names no 6.1 kernel:\n{depends}")))?;
    apt.step("apt-get").args(["download", package]).run()?;
    let archive = crate::guests::files_with(&apt.folder, "deb")?
        .pop()
        .ok_or_else(|| Problem::new(format!("apt-get left no package of {package}")))?;
    Step::new("dpkg-deb", &folder).arg("--extract").arg(&archive).arg(&folder).run()?;
    fs::remove_file(&archive).map_err(|error| Problem::file("remove", &archive, &error))?;
    unpacked(&folder).ok_or_else(|| Problem::new(format!("{package} holds no /boot/vmlinuz-6.1…")))
}

fn unpacked(folder: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(folder.join("boot")).ok()?;
    let kernel = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-6.1."))
    };
    files.flatten().map(|entry| entry.path()).find(kernel)
}

/// `linux-image-6.1.0-56-cloud-amd64`, of the lines that say what a package depends on.
fn versioned(depends: &str) -> Option<&str> {
    let names = depends.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    names.map(str::trim).find(|name| name.starts_with("linux-image-6.1."))
}

/// Lists and settings of apt's that are ours alone: the machine's own stay as they are.
struct Apt {
    folder: PathBuf,
}

impl Apt {
    fn set_up(folder: &Path) -> Result<Self, Problem> {
        for inner in ["lists/partial", "cache/archives/partial"] {
            let inner = folder.join(inner);
            fs::create_dir_all(&inner).map_err(|error| Problem::file("make", &inner, &error))?;
        }
        let list = folder.join("sources.list");
        let lines = SOURCES.map(|source| format!("deb [signed-by={KEYS}] {source}\n")).concat();
        fs::write(&list, lines).map_err(|error| Problem::file("write", &list, &error))?;
        Ok(Self { folder: folder.to_owned() })
    }

    fn step(&self, program: &str) -> Step {
        let at = |name: &str| self.folder.join(name).display().to_string();
        let options = [
            format!("Dir::Etc::sourcelist={}", at("sources.list")),
            "Dir::Etc::sourceparts=-".to_owned(),
            format!("Dir::State::lists={}", at("lists")),
            format!("Dir::Cache={}", at("cache")),
            // The machine's own packages are of no interest.
            "Dir::State::status=/dev/null".to_owned(),
            "APT::Architecture=amd64".to_owned(),
            // The download's own user may not write here.
            "APT::Sandbox::User=root".to_owned(),
        ];
        Step::new(program, &self.folder).args(options.iter().flat_map(|option| ["-o", option]))
    }
}

#[cfg(test)]
mod tests {
    use super::versioned;

    #[test]
    fn the_kernel_is_the_one_that_the_package_depends_on() {
        let depends = "linux-image-cloud-amd64\n  Depends: linux-image-6.1.0-56-cloud-amd64\n";
        assert_eq!(versioned(depends), Some("linux-image-6.1.0-56-cloud-amd64"));
        assert_eq!(versioned("linux-image-cloud-amd64\n  Depends: linux-image-6.12.1-cloud-amd64\n"), None);
    }
}
