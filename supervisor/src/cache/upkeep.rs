//! What is removed from a cache, and when.

use super::key::Key;
use crate::directory::{Directory, Item};
use std::io;
use std::time::{Duration, SystemTime};

/// How long a writer may take: far longer than any does. What is older was left by one that was killed.
const UNFINISHED_AGE_MAX: Duration = Duration::from_secs(3600);

/// What stays in quarantine, to be looked at: the newest, and no more than so many and so much.
const QUARANTINE_FILES_MAX: usize = 16;
const QUARANTINE_BYTES_MAX: u64 = 64 << 20;

/// Something that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Its file's name.
    pub name: String,
    /// Its size on disk, in bytes.
    pub bytes: u64,
    /// Why.
    pub reason: Reason,
}

/// Why something was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The cache was over its size, and this had been used longest ago.
    Evicted,
    /// Its writer was killed.
    Unfinished,
    /// It was in quarantine.
    Quarantined,
}

impl Reason {
    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Evicted => "evicted",
            Self::Unfinished => "unfinished",
            Self::Quarantined => "quarantined",
        }
    }
}

/// Removes what killed writers left, and then the entries that were used longest ago until all that is left is within
/// `bytes_max`.
pub(super) fn sweep(shelf: &Directory, bytes_max: u64) -> io::Result<Vec<Removed>> {
    let now = now();
    let mut items = shelf.list()?;
    items.retain(|item| Key::parse(&item.name).is_some() || item.is_unfinished());
    items.sort_by_key(|item| item.modified);
    let mut total = items.iter().fold(0_u64, |total, item| total.saturating_add(item.bytes));
    let mut removed = Vec::new();
    for item in items {
        let age = now.duration_since(item.modified).unwrap_or_default();
        let reason = match item.is_unfinished() {
            true if age > UNFINISHED_AGE_MAX => Reason::Unfinished,
            false if total > bytes_max => Reason::Evicted,
            _ => continue,
        };
        total = total.saturating_sub(item.bytes);
        removed.extend(remove(shelf, item, reason)?);
    }
    Ok(removed)
}

/// Keeps a quarantine within its bounds.
pub(super) fn bound(quarantine: &Directory) -> io::Result<()> {
    let mut items = quarantine.list()?;
    items.sort_by_key(|item| std::cmp::Reverse(item.modified));
    let mut bytes = 0_u64;
    for (index, item) in items.into_iter().enumerate() {
        bytes = bytes.saturating_add(item.bytes);
        if index >= QUARANTINE_FILES_MAX || bytes > QUARANTINE_BYTES_MAX {
            remove(quarantine, item, Reason::Quarantined)?;
        }
    }
    Ok(())
}

/// Empties a quarantine.
pub(super) fn empty(quarantine: &Directory) -> io::Result<Vec<Removed>> {
    let mut removed = Vec::new();
    for item in quarantine.list()? {
        removed.extend(remove(quarantine, item, Reason::Quarantined)?);
    }
    Ok(removed)
}

/// Removes something, unless another supervisor just has.
fn remove(directory: &Directory, item: Item, reason: Reason) -> io::Result<Option<Removed>> {
    let Item { name, bytes, .. } = item;
    Ok(directory.remove(&name)?.then_some(Removed { name, bytes, reason }))
}

#[expect(clippy::disallowed_methods, reason = "ages of files are told by the clock that dates them")]
fn now() -> SystemTime {
    SystemTime::now()
}
