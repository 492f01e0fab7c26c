//! The code cache: compiled modules on disk, each under a key that says what it was made from and a MAC that says that we
//! made it.
//!
//! ```text
//! CACHE/KEY_ID/MODULE-BUILD         an entry; the name is its key (`key`), the bytes are `entry`'s
//! CACHE/KEY_ID/tmp-RANDOM           an entry that is being written, or whose writer was killed
//! CACHE/KEY_ID/quarantine/          entries that were not what they should be, bounded
//! STATE/cache-key                   the secret (`secret`), from which KEY_ID comes
//! ```
//! | file | holds |
//! |---|---|
//! | `places` | where a cache is and how large it may grow |
//! | `directory` | a directory of ours, by descriptor |
//! | `secret` | what the MACs are made with |
//! | `key` | what code was made from |
//! | `entry` | an entry's bytes, written and verified |
//! | `upkeep` | what is removed, and when |
//! | `turns` | one compilation of a module at a time |
//! | `access` | a supervisor's way to its cache |
//! | `error` | why there is no cache, and why an entry is bad |
//!
//! Whoever may write to the directory can take entries away and put bytes there; the bytes are never used, because what is
//! used is a sealed copy in memory that was verified after it was sealed. It must never know what a plugin may do.

mod access;
mod entry;
mod error;
mod key;
mod places;
mod secret;
mod turns;
mod upkeep;

pub(crate) use access::{Access, Place};
pub use error::{BadEntry, CacheError};
pub use places::{CachePlaces, CacheSetting};
pub use upkeep::{Reason, Removed};

use crate::directory::{Directory, Item};
use crate::memfd;
use casemate_protocol::module::{Accepted, CompileReport};
use entry::ReadError;
use key::Key;
use rustix::io::Errno;
use secret::Secret;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The folder of what was not what it should be.
const QUARANTINE: &str = "quarantine";

/// The points that a write passes, for tests that kill the writer there.
pub(crate) type Steps<'a> = &'a (dyn Fn(&str) + Sync);

/// An open cache. Others may use the same directories at the same time.
#[derive(Debug)]
pub struct Cache {
    root: PathBuf,
    state: Directory,
    shelf: Directory,
    quarantine: Directory,
    secret: Secret,
    bytes_max: u64,
}

/// What is in a cache. Names and sizes are the directory's; only [`Cache::verify`] looks into entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The directory of this secret's entries.
    pub directory: PathBuf,
    /// Most recently used first.
    pub entries: Vec<EntryInfo>,
    /// Oldest first.
    pub quarantined: Vec<Quarantined>,
    /// Files of writers that are at work or were killed, and their bytes.
    pub unfinished: (u64, u64),
    /// Directories of other secrets, which are never touched.
    pub others: u64,
    /// How large it may grow, in bytes.
    pub bytes_max: u64,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryInfo {
    /// Its file's name.
    pub name: String,
    /// SHA-256 of the module, in hexadecimal digits.
    pub module: String,
    /// Its size on disk, in bytes.
    pub bytes: u64,
    /// When it was last loaded or written.
    pub used: SystemTime,
}

/// One entry that was taken out of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Its file's name.
    pub name: String,
    /// SHA-256 of the module that it claimed to be of, in hexadecimal digits.
    pub module: String,
    /// A word for why.
    pub why: String,
    /// Its size on disk, in bytes.
    pub bytes: u64,
}

/// What [`Cache::verify`] says of one entry.
#[derive(Debug)]
pub struct Verdict {
    /// Its file's name.
    pub name: String,
    /// Whether it is what it should be.
    pub result: Result<(), BadEntry>,
}

/// A module's code as it was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) accepted: Accepted,
    /// Sealed.
    pub(crate) code: OwnedFd,
}

/// What is under a key.
#[derive(Debug)]
enum Lookup {
    Hit(Box<Found>, File),
    Miss,
    Bad(BadEntry),
}

impl Cache {
    /// Opens the cache, and makes what is missing: the directories and the secret.
    pub fn open(places: &CachePlaces) -> Result<Self, CacheError> {
        Self::open_by_steps(places, &|_| {})
    }

    pub(crate) fn open_by_steps(places: &CachePlaces, steps: Steps<'_>) -> Result<Self, CacheError> {
        let root = Directory::open(&places.cache_dir)?;
        let state = Directory::open(&places.state_dir)?;
        if state.is_in(&root)? {
            return Err(CacheError::SecretInCache { path: places.state_dir.clone() });
        }
        let secret = Secret::open(&state, steps)?;
        let shelf = root.inside(&secret.id())?;
        let quarantine = shelf.inside(QUARANTINE)?;
        Ok(Self {
            root: places.cache_dir.clone(),
            state,
            shelf,
            quarantine,
            secret,
            bytes_max: places.bytes_max,
        })
    }

    /// The directory that it is in.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What is in it.
    pub fn list(&self) -> io::Result<Listing> {
        let mut listing = Listing {
            directory: self.shelf.path().to_owned(),
            entries: Vec::new(),
            quarantined: Vec::new(),
            unfinished: (0, 0),
            others: 0,
            bytes_max: self.bytes_max,
        };
        let mut items = self.shelf.list()?;
        items.sort_by_key(|item| std::cmp::Reverse(item.modified));
        for item in items {
            if let Some(key) = Key::parse(&item.name) {
                let Item { name, bytes, modified, .. } = item;
                listing.entries.push(EntryInfo { name, module: key.module(), bytes, used: modified });
            } else if item.is_unfinished() {
                listing.unfinished.0 += 1;
                listing.unfinished.1 = listing.unfinished.1.saturating_add(item.bytes);
            }
        }
        let mut items = self.quarantine.list()?;
        items.sort_by_key(|item| item.modified);
        listing.quarantined = items.into_iter().filter_map(quarantined).collect();
        let root = Directory::open(&self.root).map_err(io::Error::other)?;
        let own = self.secret.id();
        let others = root.list()?.into_iter().filter(|item| Secret::is_id(&item.name) && item.name != own);
        listing.others = u64::try_from(others.count()).unwrap_or(u64::MAX);
        Ok(listing)
    }

    /// Looks into every entry. Nothing is changed: a bad entry goes into quarantine when somebody wants to load it.
    pub fn verify(&self) -> io::Result<Vec<Verdict>> {
        let mut items = self.shelf.list()?;
        items.sort_by(|left, right| left.name.cmp(&right.name));
        let mut verdicts = Vec::new();
        for Item { name, .. } in items {
            let Some(key) = Key::parse(&name) else { continue };
            let result = match self.lookup(&key)? {
                Lookup::Hit(..) => Ok(()),
                Lookup::Bad(bad) => Err(bad),
                // Evicted since the list was made.
                Lookup::Miss => continue,
            };
            verdicts.push(Verdict { name, result });
        }
        Ok(verdicts)
    }

    /// Removes what killed writers left, what has been in quarantine, and the entries that were used longest ago until the
    /// rest is within its size. Files of writers that may still be at work stay.
    pub fn gc(&self) -> io::Result<Vec<Removed>> {
        let mut removed = upkeep::sweep(&self.shelf, self.bytes_max)?;
        // There is no entry, but there may be half a secret.
        removed.extend(upkeep::sweep(&self.state, u64::MAX)?);
        removed.extend(upkeep::empty(&self.quarantine)?);
        Ok(removed)
    }

    /// A verified, sealed copy of an entry, if there is one. A bad one goes into quarantine, and is as good as none.
    pub(crate) fn fetch(&self, key: &Key) -> io::Result<Option<Found>> {
        match self.lookup(key)? {
            Lookup::Hit(found, file) => {
                // What was used last is evicted last. On a read-only file system nothing is evicted either.
                let _ = crate::directory::touch(&file);
                Ok(Some(*found))
            }
            Lookup::Miss => Ok(None),
            Lookup::Bad(bad) => {
                self.quarantine(key, &bad);
                Ok(None)
            }
        }
    }

    /// What is under a key. An error is the machine's, and says nothing about the entry.
    fn lookup(&self, key: &Key) -> io::Result<Lookup> {
        let file = match self.shelf.open_file(&key.name()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(Lookup::Miss),
            Err(errno) => return Ok(Lookup::Bad(BadEntry::from_open(errno).ok_or(errno)?)),
        };
        match self.read(&file, key) {
            Ok(found) => Ok(Lookup::Hit(Box::new(found), file)),
            Err(ReadError::Bad(bad)) => Ok(Lookup::Bad(bad)),
            Err(ReadError::Io(error)) => Err(error),
        }
    }

    /// Takes an entry out of use. Where that cannot be done it stays, and is found bad again each time. Somebody may have
    /// replaced it meanwhile: then a good one is compiled once more.
    pub(crate) fn quarantine(&self, key: &Key, bad: &BadEntry) {
        let name = key.name();
        let module = key.module();
        match self.shelf.move_to(&name, &self.quarantine, &format!("{name}.{}", bad.word())) {
            Ok(()) => {
                tracing::warn!(target: "casemate::cache", %module, entry = %name, "put into quarantine: {bad}");
                let _ = upkeep::bound(&self.quarantine);
            }
            Err(error) => {
                tracing::warn!(target: "casemate::cache", %module, entry = %name, "bad and not movable ({error}): {bad}");
            }
        }
    }

    /// Keeps a module's code: written beside its place, synced, and only then named. Makes room for it if need be.
    pub(crate) fn store(
        &self,
        key: &Key,
        report: &CompileReport,
        code: &OwnedFd,
        steps: Steps<'_>,
    ) -> io::Result<()> {
        let report = report.encode();
        let code_bytes = memfd::size(code)?;
        let bytes = entry::bytes(&report, code_bytes);
        if bytes > self.bytes_max {
            let message = format!("an entry of {bytes} bytes; the cache may have {} in all", self.bytes_max);
            return Err(io::Error::other(message));
        }
        let temporary = self.shelf.temporary()?;
        steps("temporary made");
        let mut file = &temporary.file;
        entry::write(&mut file, &self.secret, key, &report, code, code_bytes)?;
        steps("entry written");
        temporary.file.sync_all()?;
        steps("entry synced");
        temporary.publish(&key.name())?;
        steps("entry named");
        self.shelf.sync()?;
        steps("directory synced");
        upkeep::sweep(&self.shelf, self.bytes_max)?;
        Ok(())
    }

    fn read(&self, file: &File, key: &Key) -> Result<Found, ReadError> {
        let (report, code) = entry::read(file, &self.secret, key)?;
        let code_bytes = memfd::size(&code).map_err(ReadError::Io)?;
        // Ours, by its MAC; so this is a mistake of ours, and no less to be refused for that.
        match CompileReport::decode(&report) {
            Ok(CompileReport::Accepted(accepted)) if accepted.code().cwasm_bytes == code_bytes => {
                Ok(Found { accepted, code })
            }
            _ => Err(ReadError::Bad(BadEntry::Report)),
        }
    }
}

/// What the fuzz target checks: bytes of an entry are what we wrote, or refused.
pub fn oracle(data: &[u8]) {
    entry::oracle(data);
}

fn quarantined(item: Item) -> Option<Quarantined> {
    let (key, rest) = item.name.split_once('.')?;
    let module = Key::parse(key)?.module();
    let why = rest.split('.').next()?.to_owned();
    Some(Quarantined { module, why, bytes: item.bytes, name: item.name })
}

#[cfg(test)]
mod tests;
