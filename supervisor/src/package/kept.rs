//! Installing and removing: a package is made ready in a folder of its own and gets its name as a whole.
//!
//! ```text
//! STATE/staging/RANDOM  written, synced ─► renamed, or swapped with the old one ─► STATE/plugins/NAME/package
//! ```
//! Whoever is killed on the way leaves something in `staging` at most, which the next one sweeps away. One lock keeps two from
//! working at once, and goes with its process.

mod taking;

pub use taking::TakenOver;

use super::consent;
use super::installed::{FILES, MANIFEST, ORIGIN, PACKAGE, PLUGINS, origin};
use super::{Installed, Package, PackageError, Program, files::failed, hexadecimal};
use crate::directory::Directory;
use rustix::fs::{CWD, FlockOperation, Mode, OFlags, RenameFlags, flock, openat, renameat, renameat_with};
use rustix::io::Errno;
use sha2::Digest as _;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, Permissions};
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

const STAGING: &str = "staging";
const LOCK: &str = "packages.lock";

/// The packages of a state directory, for as long as nobody else changes them.
#[derive(Debug)]
pub struct Kept {
    state_dir: PathBuf,
    state: Directory,
    staging: Directory,
    _lock: OwnedFd,
}

impl Kept {
    /// Waits for its turn, and sweeps away what killed ones left.
    pub fn open(state_dir: &Path) -> Result<Self, PackageError> {
        Self::locked(state_dir, FlockOperation::LockExclusive).and_then(|kept| {
            kept.ok_or_else(|| failed(state_dir.join(LOCK), "locking it", Errno::AGAIN.into()))
        })
    }

    /// Sweeps away what killed ones left, unless somebody is at work, or nothing was ever installed.
    pub fn sweep(state_dir: &Path) -> Result<(), PackageError> {
        if state_dir.join(STAGING).symlink_metadata().is_err() {
            return Ok(());
        }
        Self::locked(state_dir, FlockOperation::NonBlockingLockExclusive).map(drop)
    }

    fn locked(state_dir: &Path, how: FlockOperation) -> Result<Option<Self>, PackageError> {
        let state = Directory::open(state_dir)?;
        let path = state_dir.join(LOCK);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let lock = openat(state.as_fd(), LOCK, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|errno| failed(path.clone(), "opening it", errno.into()))?;
        loop {
            match flock(&lock, how) {
                Ok(()) => break,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(None),
                Err(errno) => return Err(failed(path, "locking it", errno.into())),
            }
        }
        let staging = state.inside(STAGING)?;
        let kept = Self { state_dir: state_dir.to_owned(), state, staging, _lock: lock };
        kept.clear()?;
        Ok(Some(kept))
    }

    fn clear(&self) -> Result<(), PackageError> {
        let path = self.staging.path();
        let unreadable = |error| failed(path.to_owned(), "sweeping it", error);
        for entry in std::fs::read_dir(path).map_err(unreadable)? {
            std::fs::remove_dir_all(entry.map_err(unreadable)?.path()).map_err(unreadable)?;
        }
        Ok(())
    }

    /// Installs a package of which everything was checked, in the place of an older one of its name and system.
    pub fn install(
        &self,
        package: &Package,
        contents: &BTreeMap<String, Vec<u8>>,
        source: &str,
    ) -> Result<Installed, PackageError> {
        let name = package.name();
        let before = Installed::find(&self.state_dir, name).ok().flatten();
        if let Some(before) = before.as_ref().filter(|before| before.system != package.system) {
            let by = format!("a package of {} (from {})", before.system, before.source);
            return Err(PackageError::Taken { name: name.to_owned(), by });
        }
        let stamp = random()?;
        let ready = self.stage(package, contents, source, &stamp)?;
        let own = self.state.inside(PLUGINS)?.inside(name)?;
        let there = own.path().join(PACKAGE);
        let moved = match there.symlink_metadata() {
            Ok(_) => renameat_with(self.staging.as_fd(), &ready, own.as_fd(), PACKAGE, RenameFlags::EXCHANGE),
            Err(_) => renameat(self.staging.as_fd(), &ready, own.as_fd(), PACKAGE),
        };
        moved.map_err(|errno| match errno {
            Errno::INVAL | Errno::NOSYS => {
                let source = std::io::Error::other(
                    "this file system cannot swap two folders at once: remove the old package first",
                );
                failed(there.clone(), "taking its place", source)
            }
            errno => failed(there.clone(), "giving it its name", errno.into()),
        })?;
        // From here on it is the package, also after a loss of power.
        for directory in [&own, &self.state.inside(PLUGINS)?, &self.staging] {
            directory.sync().map_err(|error| failed(directory.path().to_owned(), "syncing it", error))?;
        }
        self.clear()?;
        Installed::find(&self.state_dir, name)?
            .ok_or_else(|| PackageError::NotInstalled { name: name.to_owned() })
    }

    /// Makes everything ready, and gives the name of its folder in `staging`.
    fn stage(
        &self,
        package: &Package,
        contents: &BTreeMap<String, Vec<u8>>,
        source: &str,
        stamp: &str,
    ) -> Result<String, PackageError> {
        let folder = self.staging.inside(stamp)?.path().to_owned();
        let main = contents.get(package.main_file()).map(Vec::as_slice).unwrap_or_default();
        let sha256 = hexadecimal(&sha2::Sha256::digest(main));
        let origin = origin(package, source, &sha256, stamp);
        let own = [(MANIFEST.to_owned(), package.text.as_bytes()), (ORIGIN.to_owned(), origin.as_slice())];
        let theirs = contents.iter().map(|(path, bytes)| (format!("{FILES}/{path}"), bytes.as_slice()));
        let mut folders = BTreeSet::from([folder.clone()]);
        for (path, bytes) in own.into_iter().chain(theirs) {
            let whole = folder.join(&path);
            let mut above = whole.parent();
            while let Some(parent) = above.filter(|parent| *parent != folder && parent.starts_with(&folder)) {
                folders.insert(parent.to_owned());
                above = parent.parent();
            }
            write(&whole, bytes).map_err(|error| failed(whole, "writing it", error))?;
        }
        if let Program::External { command } = &package.program {
            open_to_its_user(&folder.join(FILES), &folders, contents, command)
                .map_err(|error| failed(folder.join(FILES), "letting its user read it", error))?;
        }
        for path in folders.iter().rev() {
            sync(path).map_err(|error| failed(path.clone(), "syncing it", error))?;
        }
        Ok(stamp.to_owned())
    }

    /// Removes a package. What the plugin keeps stays, unless that is to go too.
    pub fn remove(&self, name: &str, with_data: bool) -> Result<(), PackageError> {
        let missing = || PackageError::NotInstalled { name: name.chars().take(80).collect() };
        casemate_protocol::ids::PluginName::new(name).map_err(|_bad| missing())?;
        let plugins = self.state.inside(PLUGINS)?;
        let package = plugins.path().join(name).join(PACKAGE);
        // What is kept of one that was never installed can go too.
        let there = if with_data { plugins.path().join(name) } else { package.clone() };
        if there.symlink_metadata().is_err() {
            return Err(missing());
        }
        let own = plugins.inside(name)?;
        let stamp = random()?;
        let failed = |errno: Errno| failed(package.clone(), "removing it", errno.into());
        match with_data {
            true => renameat(plugins.as_fd(), name, self.staging.as_fd(), &stamp).map_err(failed)?,
            false => renameat(own.as_fd(), PACKAGE, self.staging.as_fd(), &stamp).map_err(failed)?,
        }
        // Whoever is called so next is somebody else.
        if !with_data {
            match rustix::fs::unlinkat(own.as_fd(), consent::FILE, rustix::fs::AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
        for directory in [&own, &plugins] {
            directory
                .sync()
                .map_err(|error| super::files::failed(directory.path().to_owned(), "syncing it", error))?;
        }
        self.clear()?;
        if !with_data {
            // Nothing was ever kept of it, and nothing is.
            let _ = rustix::fs::unlinkat(plugins.as_fd(), name, rustix::fs::AtFlags::REMOVEDIR);
        }
        Ok(())
    }
}

/// A native program of a supervisor that is root has a user of its own, who reads these files; who else may reach them is up to the
/// folders above, which are ours alone.
fn open_to_its_user(
    files: &Path,
    folders: &BTreeSet<PathBuf>,
    contents: &BTreeMap<String, Vec<u8>>,
    command: &[String],
) -> std::io::Result<()> {
    let allow = |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode));
    for folder in folders.iter().filter(|folder| folder.starts_with(files)) {
        allow(folder, 0o755)?;
    }
    for path in contents.keys() {
        // An archive's modes are not kept: what the manifest says is executed can be.
        let is_program = command.first().is_some_and(|word| word.strip_prefix("./").unwrap_or(word) == path);
        allow(&files.join(path), if is_program { 0o755 } else { 0o644 })?;
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(CWD, path, flags, Mode::RUSR | Mode::WUSR)?);
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

fn random() -> Result<String, PackageError> {
    let number = getrandom::u64()
        .map_err(|error| failed(PathBuf::from(STAGING), "naming a folder", std::io::Error::other(error)))?;
    Ok(format!("{number:016x}"))
}
