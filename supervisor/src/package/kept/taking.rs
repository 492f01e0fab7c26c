//! Taking over what another server kept of a plugin: a configuration and files, made ready beside the plugin's own directory and
//! put into its place as a whole. A plugin that keeps anything here already is left as it is.

use super::super::belongings::Belongings;
use super::super::consent;
use super::super::files::failed;
use super::super::installed::{PACKAGE, PLUGINS};
use super::super::{Folder, PackageError, files::Files as _};
use super::{Kept, random, sync, write};
use crate::store::{Record, record_name};
use rustix::fs::{RenameFlags, renameat_with};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// The name of a plugin's files, there and here.
const VFS: &str = "vfs";
/// What does not stay.
const TMP: &str = "tmp";

/// How deep folders may lie in each other.
const DEPTH_MAX: usize = 64;
/// Files and folders of one plugin.
const FILES_MAX: u64 = 100_000;
/// Bytes of all files of one plugin.
const BYTES_MAX: u64 = 4 << 30;
/// Bytes of one file.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenOver {
    /// It is the plugin's from its next load on: with so many files.
    Taken {
        /// Files, without folders.
        files: u64,
    },
    /// The plugin keeps something here already.
    Keeps,
}

impl Kept {
    /// Takes it over, as a whole or not at all. A package of that name may be installed already, or later.
    pub fn take_over(&self, belongings: &Belongings) -> Result<TakenOver, PackageError> {
        let plugins = self.state.inside(PLUGINS)?;
        let own = plugins.path().join(&belongings.name);
        let is_there = own.symlink_metadata().is_ok();
        if is_there && keeps_something(&own)? {
            return Ok(TakenOver::Keeps);
        }
        let stamp = random()?;
        let ready = self.staging.inside(&stamp)?.path().to_owned();
        let mut copy = Copy::default();
        if let Some(files) = &belongings.files {
            copy.folder(files, &ready.join(VFS), 0)?;
        }
        let files = copy.files;
        if belongings.config.is_some() || belongings.enabled.is_some() {
            let record = Record::taken_over(belongings.enabled, belongings.config.clone());
            let path = ready.join(record_name(&belongings.name));
            write(&path, &record.text()).map_err(|error| failed(path, "writing it", error))?;
        }
        let package = own.join(PACKAGE);
        if package.symlink_metadata().is_ok() {
            // It is few files, and so both change their places at once.
            let mut copy = Copy { keeps_modes: true, ..Copy::default() };
            copy.folder(&Folder::open(&own)?.folder(Path::new(PACKAGE))?, &ready.join(PACKAGE), 0)?;
        }
        if is_there && let Some(said) = Folder::open(&own)?.read(consent::FILE, FILE_BYTES_MAX)? {
            let path = ready.join(consent::FILE);
            write(&path, &said).map_err(|error| failed(path, "writing it", error))?;
        }
        sync(&ready).map_err(|error| failed(ready, "syncing it", error))?;
        let flags = if is_there { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
        renameat_with(self.staging.as_fd(), &stamp, plugins.as_fd(), &belongings.name, flags)
            .map_err(|errno| failed(own.clone(), "taking its place", errno.into()))?;
        for directory in [&plugins, &self.staging] {
            directory.sync().map_err(|error| failed(directory.path().to_owned(), "syncing it", error))?;
        }
        self.clear()?;
        Ok(TakenOver::Taken { files })
    }
}

/// Whether there is anything in a plugin's directory besides its package, and what somebody said yes to.
fn keeps_something(own: &Path) -> Result<bool, PackageError> {
    let unreadable = |error| failed(own.to_owned(), "listing the folder", error);
    for entry in fs::read_dir(own).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        if name != PACKAGE && name != consent::FILE {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A folder's copy in the making.
#[derive(Default)]
struct Copy {
    files: u64,
    all: u64,
    bytes: u64,
    /// Of a package: its native programs are executed.
    keeps_modes: bool,
}

impl Copy {
    /// By descriptors from folder to folder: whoever else writes there cannot lead anywhere else.
    fn folder(&mut self, from: &Folder, to: &Path, depth: usize) -> Result<(), PackageError> {
        let wrong = |path: &Path, why: String| PackageError::Belongings { path: path.to_owned(), why };
        if depth > DEPTH_MAX {
            return Err(wrong(
                from.path(),
                format!("it lies deeper than {DEPTH_MAX} folders: move it up or away"),
            ));
        }
        fs::create_dir(to).map_err(|error| failed(to.to_owned(), "making the folder", error))?;
        for (name, is_folder) in from.entries()? {
            let path = from.path().join(&name);
            self.all = self.all.saturating_add(1);
            if self.all > FILES_MAX {
                return Err(wrong(from.path(), format!("{FILES_MAX} files are the most: move some away")));
            }
            let to = to.join(&name);
            if is_folder == Some(true) {
                match depth == 0 && name == TMP {
                    true => fs::create_dir(&to).map_err(|error| failed(to, "making the folder", error))?,
                    false => self.folder(&from.folder(Path::new(&name))?, &to, depth.saturating_add(1))?,
                }
                continue;
            }
            let Some(name) = name.to_str().filter(|_| is_folder == Some(false)) else {
                let why = "it is no plain file with a name in UTF-8: move it away";
                return Err(wrong(&path, why.to_owned()));
            };
            let bytes = from.read(name, FILE_BYTES_MAX)?.ok_or_else(|| {
                wrong(&path, "it went away meanwhile: stop the server that keeps it".to_owned())
            })?;
            write(&to, &bytes).map_err(|error| failed(to.clone(), "writing it", error))?;
            self.bytes = self.bytes.saturating_add(bytes.len() as u64);
            if self.bytes > BYTES_MAX {
                let why = format!("with it there are more than {BYTES_MAX} bytes: move some away");
                return Err(wrong(&path, why));
            }
            self.keep_mode(from, OsStr::new(name), &to)?;
            self.files = self.files.saturating_add(1);
        }
        self.keep_mode(from, OsStr::new(""), to)?;
        sync(to).map_err(|error| failed(to.to_owned(), "syncing it", error))
    }

    fn keep_mode(&self, from: &Folder, name: &OsStr, to: &Path) -> Result<(), PackageError> {
        if !self.keeps_modes {
            return Ok(());
        }
        let mode = fs::Permissions::from_mode(from.mode(name)?.as_raw_mode());
        fs::set_permissions(to, mode).map_err(|error| failed(to.to_owned(), "giving it its mode", error))
    }
}
