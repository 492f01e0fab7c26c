//! Room in the plugin's own files: what they may still grow by is asked of the supervisor, in pieces, before they do. Folders
//! that the operator has granted are none of this.

use crate::abi::ask;
use crate::guest::SharedLink;
use casemate_protocol::room::{ASK_BYTES, Amount, Ask, ROOM};
use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// What of a program's descriptors is the plugin's own, and what that may still grow by.
pub(crate) struct Room {
    link: SharedLink,
    /// What is left of what was lent.
    lent: Amount,
    /// Descriptors of WASI 0.1, or resources of 0.2, that are in the plugin's own folder.
    own: HashSet<u32>,
    /// Open files of it, where they are known: what has lost its name still takes its bytes.
    open: Vec<Weak<File>>,
    /// Whether an ask is no more than what a host call may be.
    may_ask: bool,
}

/// The one of a worker.
pub(crate) type SharedRoom = Arc<Mutex<Room>>;

/// Makes it, for a program's descriptors as they are at its start.
pub(super) fn shared(link: &SharedLink, own: HashSet<u32>, ask_bytes_max: u32) -> SharedRoom {
    let may_ask = usize::try_from(ask_bytes_max).is_ok_and(|bytes| bytes >= ASK_BYTES);
    let (link, lent, open) = (Arc::clone(link), Amount::default(), Vec::new());
    Arc::new(Mutex::new(Room { link, lent, own, open, may_ask }))
}

/// The room itself.
pub(crate) fn locked(room: &SharedRoom) -> MutexGuard<'_, Room> {
    room.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Room {
    /// Whether a descriptor is in the plugin's own folder.
    pub(crate) fn owns(&self, descriptor: u32) -> bool {
        self.own.contains(&descriptor)
    }

    /// Notes whether a new descriptor is, which may have the number of an old one.
    pub(crate) fn note(&mut self, descriptor: u32, owned: bool) {
        if owned {
            self.own.insert(descriptor);
        } else {
            self.own.remove(&descriptor);
        }
    }

    /// All descriptors in it that there have been.
    pub(super) fn owned(&self) -> Vec<u32> {
        self.own.iter().copied().collect()
    }

    /// Remembers an open file.
    pub(crate) fn remember(&mut self, file: &Arc<File>) {
        self.open.retain(|file| file.strong_count() > 0);
        self.open.push(Arc::downgrade(file));
    }

    /// What was lent is not any more: another call begins.
    pub(super) fn forget(&mut self) {
        self.lent = Amount::default();
    }

    /// Whether there is enough without asking.
    pub(super) fn has(&self, need: Amount) -> bool {
        need.fits(self.lent)
    }

    /// Takes room; whether there was any. `nameless_bytes` are of files that this does not know.
    pub(crate) fn take(&mut self, need: Amount, nameless_bytes: u64) -> bool {
        if !self.has(need) && !self.borrow(need, nameless_bytes) {
            return false;
        }
        self.lent = self.lent.less(need);
        true
    }

    fn borrow(&mut self, need: Amount, nameless_bytes: u64) -> bool {
        if !self.may_ask {
            return false;
        }
        let known = self.open.iter().filter_map(Weak::upgrade).filter_map(|file| file.metadata().ok());
        let known = known.filter(|file| file.nlink() == 0).map(|file| file.len()).sum::<u64>();
        let nameless_bytes = nameless_bytes.saturating_add(known);
        let answer = ask(&self.link, ROOM, &Ask { need, nameless_bytes }.encode());
        // What is refused leaves what was lent before as it was: the supervisor forgets nothing either.
        match answer.and_then(|body| Amount::decode(&body)) {
            Some(lent) if need.fits(lent) => {
                self.lent = lent;
                true
            }
            _ => false,
        }
    }
}

/// By how much a file grows that is written to, from here to there.
pub(crate) fn growth(size: u64, from: u64, bytes: u64) -> Amount {
    bytes_of(if bytes == 0 { 0 } else { from.saturating_add(bytes).saturating_sub(size) })
}

/// So many bytes.
pub(crate) fn bytes_of(bytes: u64) -> Amount {
    Amount { bytes, files: 0 }
}

/// One more file, folder or link.
pub(crate) const ONE: Amount = Amount { bytes: 0, files: 1 };
