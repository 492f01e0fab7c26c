//! A copy of what the tests need that any user may read, and a private folder for each user who runs them.
//!
//! The checkout may lie where an ordinary user cannot go, so nothing that runs as one is started from it.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rustix::fs::{StatVfsMountFlags, statvfs};

use crate::build::{Built, TestExecutable};
use crate::guests::files_with;
use crate::problem::Problem;
use crate::project::Project;
use crate::step::Step;
use crate::user::User;

const PREFIX: &str = "casemate-";
const NOBODY: u32 = 65_534;

/// The staged copy; it is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Stage {
    folder: PathBuf,
    root: PathBuf,
    pub(crate) tests: Vec<Staged>,
}

/// A test executable where any user may start it.
#[derive(Debug)]
pub(crate) struct Staged {
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    /// The copy of its package's folder, to run it in.
    pub(crate) package: PathBuf,
    pub(crate) needs_toolchain: bool,
}

impl Stage {
    pub(crate) fn set_up(project: &Project, built: &Built) -> Result<Self, Problem> {
        let base = open_folder()?;
        clear_left_stages(&base);
        let folder = base.join(format!("{PREFIX}{}", std::process::id()));
        // Not `create_dir_all`: a folder that somebody else has already put there is not ours to fill.
        fs::create_dir(&folder).map_err(|error| Problem::file("make", &folder, &error))?;
        let mut stage = Self { folder, root: project.root.clone(), tests: Vec::new() };
        stage.fill(project, built)?;
        Ok(stage)
    }

    fn fill(&mut self, project: &Project, built: &Built) -> Result<(), Problem> {
        readable(&self.folder)?;
        copy_tree(&project.root, &self.tree(), &project.target)?;
        copy_tree(&project.guests(), &self.guests(), &project.tools())?;
        for program in &built.programs {
            place(program, &self.programs().join(program.file_name().unwrap_or_default()))?;
        }
        for test in &built.tests {
            let staged = self.stage(test)?;
            self.tests.push(staged);
        }
        if built.tests.iter().any(|test| test.needs_toolchain) {
            self.stage_toolchain(project)?;
        }
        if rustix::process::geteuid().is_root() {
            give(&self.folder, NOBODY, NOBODY)?;
        }
        Ok(())
    }

    fn stage(&self, test: &TestExecutable) -> Result<Staged, Problem> {
        let file = self.folder.join("tests").join(test.file.file_name().unwrap_or_default());
        place(&test.file, &file)?;
        let package = test.package.strip_prefix(&self.root).unwrap_or(Path::new(""));
        Ok(Staged {
            name: test.name.clone(),
            file,
            package: self.tree().join(package),
            needs_toolchain: test.needs_toolchain,
        })
    }

    fn stage_toolchain(&self, project: &Project) -> Result<(), Problem> {
        let libraries = Step::new("rustc", &project.root).args(["--print", "target-libdir"]).answer()?;
        for library in files_with(Path::new(libraries.trim()), "so")? {
            let name = library.file_name().unwrap_or_default();
            if name.to_string_lossy().starts_with("libstd-") {
                place(&library, &self.toolchain().join(name))?;
            }
        }
        Ok(())
    }

    /// The copy of the checkout's own files, without what was built.
    pub(crate) fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    pub(crate) fn guests(&self) -> PathBuf {
        self.folder.join("guests")
    }

    pub(crate) fn programs(&self) -> PathBuf {
        self.folder.join("programs")
    }

    /// Shared libraries of the toolchain, for procedural macros' tests.
    pub(crate) fn toolchain(&self) -> PathBuf {
        self.folder.join("lib")
    }

    /// A folder that only this user may look into, with the folders of a home inside. Plugins of root are other users, and
    /// what is below may be theirs: they may pass through, to temporary files.
    pub(crate) fn home_of(&self, user: &User, inside: &[&str]) -> Result<PathBuf, Problem> {
        let home = self.folder.join("of").join(&user.name);
        for folder in std::iter::once(home.clone()).chain(inside.iter().map(|name| home.join(name))) {
            fs::create_dir_all(&folder).map_err(|error| Problem::file("make", &folder, &error))?;
            let passes = folder == home || folder.ends_with("tmp");
            set_mode(&folder, if passes { 0o711 } else { 0o700 })?;
            if user.dropped {
                give(&folder, user.uid, user.gid)?;
            }
        }
        readable(&self.folder.join("of"))?;
        Ok(home)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            println!("{}", Problem::file("remove", &self.folder, &error));
        }
    }
}

/// A temporary folder that every user can reach and run programs from.
fn open_folder() -> Result<PathBuf, Problem> {
    let candidates = [std::env::temp_dir(), "/tmp".into(), "/var/tmp".into()];
    candidates.into_iter().find(|folder| is_open(folder)).ok_or_else(|| {
        Problem::new(
            "neither TMPDIR, /tmp nor /var/tmp is a folder that every user can enter and run programs from",
        )
    })
}

fn is_open(folder: &Path) -> bool {
    let entered =
        |folder: &Path| fs::metadata(folder).is_ok_and(|found| found.permissions().mode() & 0o001 != 0);
    let runs = statvfs(folder).is_ok_and(|mount| !mount.f_flag.contains(StatVfsMountFlags::NOEXEC));
    runs && fs::canonicalize(folder).is_ok_and(|real| real.ancestors().all(entered))
}

/// Removes the stages of runs that were killed. Best effort: they are only in the way of disk space.
fn clear_left_stages(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Copies a folder's files and folders; built things, version control and links stay behind.
fn copy_tree(from: &Path, to: &Path, without: &Path) -> Result<(), Problem> {
    fs::create_dir_all(to).map_err(|error| Problem::file("make", to, &error))?;
    readable(to)?;
    let entries = fs::read_dir(from).map_err(|error| Problem::file("read", from, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| Problem::file("read", from, &error))?;
        let kind = entry.file_type().map_err(|error| Problem::file("look at", &entry.path(), &error))?;
        let left_behind = [".git", "target"].iter().any(|name| entry.file_name() == *name);
        if left_behind || entry.path() == without {
            continue;
        }
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            copy_tree(&entry.path(), &target, without)?;
        } else if kind.is_file() {
            copy(&entry.path(), &target)?;
        }
    }
    Ok(())
}

/// Puts an executable at `to`: the same file under a second name where every user may already read it, else a copy.
fn place(from: &Path, to: &Path) -> Result<(), Problem> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(|error| Problem::file("make", folder, &error))?;
        readable(folder)?;
    }
    let open = fs::metadata(from).is_ok_and(|found| found.permissions().mode() & 0o005 == 0o005);
    if open && fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    copy(from, to)?;
    set_mode(to, 0o755)
}

fn copy(from: &Path, to: &Path) -> Result<(), Problem> {
    fs::copy(from, to).map_err(|error| Problem::file("copy", from, &error))?;
    let mode = fs::metadata(to).map_err(|error| Problem::file("look at", to, &error))?.permissions().mode();
    set_mode(to, mode | 0o444)
}

/// Whatever our umask is: other users read this folder.
fn readable(folder: &Path) -> Result<(), Problem> {
    set_mode(folder, 0o755)
}

fn set_mode(file: &Path, mode: u32) -> Result<(), Problem> {
    fs::set_permissions(file, fs::Permissions::from_mode(mode))
        .map_err(|error: io::Error| Problem::file("set the mode of", file, &error))
}

fn give(file: &Path, uid: u32, gid: u32) -> Result<(), Problem> {
    chown(file, Some(uid), Some(gid)).map_err(|error| Problem::file("change the owner of", file, &error))
}
