//! Who a plugin's processes are when the supervisor is root: an unprivileged uid of their own.

use casemate_protocol::spawn::Identity;
use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// Where ids are taken from if the host maps them: far above people, services and the ranges of containers.
const PREFERRED: std::ops::Range<u32> = 0x7000_0000..0x7010_0000;

/// Ids in use by this supervisor. Two supervisors of one machine may draw the same id; their plugins then still cannot
/// see each other, but share a process limit.
#[derive(Debug, Clone, Default)]
pub(crate) struct Identities {
    taken: Arc<Mutex<HashSet<u32>>>,
}

/// An id, given back when dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    id: u32,
    identities: Identities,
    host_pid: u32,
}

impl Identities {
    /// An id of its own for one tree of processes; `None` when the supervisor is an ordinary user.
    pub(crate) fn lease(&self) -> io::Result<Option<Lease>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let (uids, gids) = (map("/proc/self/uid_map")?, map("/proc/self/gid_map")?);
        let range = match (choose(&uids), choose(&gids)) {
            (Some(uids), Some(gids)) => uids.start.max(gids.start)..uids.end.min(gids.end),
            _ => 0..0,
        };
        let size = range.end.saturating_sub(range.start);
        // Root of a user namespace that an ordinary user made for itself alone: outside it is that user.
        if size == 0 && outside_of_root(&uids).is_some_and(|outside| outside != 0) {
            return Ok(None);
        }
        if size == 0 {
            return Err(io::Error::other(
                "root cannot be given away: this user namespace maps no id of both kinds above 0",
            ));
        }
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..10_000 {
            let id = range.start + getrandom::u32().map_err(io::Error::other)? % size;
            if taken.insert(id) {
                return Ok(Some(Lease { id, identities: self.clone(), host_pid: std::process::id() }));
            }
        }
        Err(io::Error::other(format!("no free id is left among {size}")))
    }
}

impl Lease {
    pub(crate) fn identity(&self) -> Identity {
        Identity { uid: self.id, gid: self.id }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // In a forked child of the host nobody may ever unlock what another thread held at that moment.
        if std::process::id() != self.host_pid {
            return;
        }
        self.identities.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

fn map(path: &str) -> io::Result<String> {
    std::fs::read_to_string(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{path} cannot be read: {error}")))
}

/// The ids to draw from: the preferred ones if they are mapped, else the upper half of the largest extent.
fn choose(map: &str) -> Option<std::ops::Range<u32>> {
    let extents: Vec<(u32, u32)> = map
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let inside = fields.next()?.parse().ok()?;
            let length = fields.nth(1)?.parse().ok()?;
            Some((inside, length))
        })
        .collect();
    let holds = |(start, length): &(u32, u32)| {
        *start <= PREFERRED.start && PREFERRED.end <= start.saturating_add(*length)
    };
    if extents.iter().any(holds) {
        return Some(PREFERRED);
    }
    let (start, length) = extents.into_iter().max_by_key(|(_, length)| *length)?;
    let lower = start.saturating_add(length / 2).max(1);
    Some(lower..start.saturating_add(length).max(lower))
}

/// Who uid 0 is outside this user namespace.
fn outside_of_root(map: &str) -> Option<u32> {
    map.lines().find_map(|line| {
        let mut fields = line.split_whitespace();
        let inside: u32 = fields.next()?.parse().ok()?;
        let outside = fields.next()?.parse().ok()?;
        (inside == 0).then_some(outside)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_of_ones_own_namespace_is_told_from_root() {
        assert_eq!(outside_of_root("0 1000 1\n"), Some(1000));
        assert_eq!(outside_of_root("1 100000 65536\n0 0 1\n"), Some(0));
        assert_eq!(outside_of_root("5 5 1\n"), None);
    }

    #[test]
    fn ids_come_from_what_is_mapped() {
        assert_eq!(choose("         0          0 4294967295\n"), Some(PREFERRED));
        assert_eq!(choose("0 100000 65536\n"), Some(32_768..65_536));
        assert_eq!(choose("0 1000 1\n1 100000 65536\n"), Some(32_769..65_537));
        assert_eq!(choose("0 1000 1\n"), Some(1..1), "nothing but root");
        assert_eq!(choose(""), None);
    }
}
