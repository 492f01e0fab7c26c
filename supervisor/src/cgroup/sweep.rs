//! Groups that dead supervisors left.

use super::group::{end, lock};
use super::place::Place;
use std::fs;

/// What the names of groups begin with; the marker of their supervisor and a number follow.
pub(super) const PREFIX: &str = "casemate-";
const MARKER_DIGITS: usize = 16;

/// Removes what is ours by its name and nobody holds. It goes with its supervisor's processes, which have ended by
/// themselves; one that is still ending is killed, where the kernel has a file for that.
pub(super) fn sweep(place: &Place) {
    for parent in &place.parents {
        let Ok(entries) = fs::read_dir(&parent.path) else { continue };
        for entry in entries.flatten() {
            if entry.file_name().to_str().is_some_and(is_ours)
                && let Ok(_lock) = lock(&entry.path())
            {
                end(&entry.path());
            }
        }
    }
}

fn is_ours(name: &str) -> bool {
    let parts = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-'));
    parts.is_some_and(|(marker, number)| {
        marker.len() == MARKER_DIGITS
            && marker.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
            && number.parse::<u64>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::Groups;
    use casemate_protocol::ids::Marker;

    #[test]
    fn only_names_that_a_supervisor_gives_are_ours() {
        assert!(is_ours(&format!("{}0", Groups::new(Marker(0xabc)).prefix())));
        for other in
            ["casemate-bench-12", "casemate-0000000000000abc", "casemate-0000000000000abc-x", "user.slice"]
        {
            assert!(!is_ours(other), "{other}");
        }
    }
}
