//! The book of deadlines: what is due when. Pure; the guard brings the time.

use super::cpu::Meter;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Interrupt, and kill after this long.
    Soft { grace: Duration },
    /// Look whether its CPU time is used up; then the same.
    Cpu { meter: Meter, grace: Duration },
    /// Kill.
    Hard,
    /// Ask again how it ended.
    Reap { attempt: u32 },
    /// Give up waiting for the owner of a process that broke a rule.
    Unknown { pid: i32 },
    /// Look at the workers that have no call.
    Idle,
}

/// An entry: what, for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: u64,
    pub(super) due: Due,
}

/// Names an entry over its soft and hard time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    soft_at: Instant,
    number: u64,
}

/// Entries by time.
#[derive(Debug, Default)]
pub(super) struct Book {
    entries: BTreeMap<(Instant, u64), Entry>,
    last: u64,
}

impl Book {
    /// The first time anything is due.
    pub(super) fn first(&self) -> Option<Instant> {
        self.entries.first_key_value().map(|((at, _), _)| *at)
    }

    /// Adds an entry.
    pub(super) fn insert(&mut self, at: Instant, entry: Entry) -> Id {
        self.last += 1;
        let id = Id { soft_at: at, number: self.last };
        self.entries.insert((at, id.number), entry);
        id
    }

    /// Adds an entry under the name of one that was taken, which keeps the time it was named after.
    pub(super) fn insert_as(&mut self, id: Id, at: Instant, entry: Entry) {
        self.entries.insert((at, id.number), entry);
    }

    /// Removes an entry, whether it still waits for its soft or already for its hard time.
    pub(super) fn remove(&mut self, id: Id, key: u64) {
        if self.entries.remove(&(id.soft_at, id.number)).is_none() {
            self.entries.retain(|(_, number), entry| *number != id.number || entry.key != key);
        }
    }

    /// Takes the next entry that is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<(Id, Entry)> {
        let entry = self.entries.first_entry()?;
        let (at, number) = *entry.key();
        (at <= now).then(|| (Id { soft_at: at, number }, entry.remove()))
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to begin with")]
mod tests {
    use super::*;

    fn soft(key: u64) -> Entry {
        Entry { key, due: Due::Soft { grace: Duration::from_secs(1) } }
    }

    #[test]
    fn entries_come_out_in_order_of_time_and_never_early() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut book = Book::default();
        book.insert(at(30), soft(3));
        book.insert(at(10), soft(1));
        book.insert(at(10), soft(2));
        assert_eq!(book.first(), Some(at(10)));
        assert_eq!(book.take_due(at(9)), None);
        let taken: Vec<u64> =
            std::iter::from_fn(|| book.take_due(at(29)).map(|(_, entry)| entry.key)).collect();
        assert_eq!(taken, [1, 2]);
        assert_eq!(book.first(), Some(at(30)));
    }

    #[test]
    fn disarming_removes_soft_and_hard() {
        let start = Instant::now();
        let mut book = Book::default();
        let id = book.insert(start, soft(1));
        book.remove(id, 1);
        assert_eq!(book.first(), None);

        let id = book.insert(start, soft(1));
        let (taken, _) = book.take_due(start).unwrap();
        book.insert_as(taken, start + Duration::from_secs(1), Entry { key: 1, due: Due::Hard });
        book.remove(id, 1);
        assert_eq!(book.first(), None, "the kill went with it");
    }
}
