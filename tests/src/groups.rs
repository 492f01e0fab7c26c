//! Control groups, as the kernel shows them.

use crate::{is_root, skip};
use std::fs;
use std::path::{Path, PathBuf};

/// Where groups are, on all machines that have them.
pub const MOUNTS: &str = "/sys/fs/cgroup";

/// Every group that a supervisor has made, wherever it may have.
pub fn of(marker: &str) -> Vec<PathBuf> {
    fn look(folder: &Path, prefix: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if entry.file_name().to_string_lossy().starts_with(prefix) {
                    found.push(entry.path());
                }
                look(&entry.path(), prefix, found);
            }
        }
    }
    let mut found = Vec::new();
    look(Path::new(MOUNTS), &format!("casemate-{marker}-"), &mut found);
    found
}

/// The content of a file of one of the groups: of the first name that there is.
pub fn read(groups: &[PathBuf], names: &[&str]) -> String {
    let files = groups.iter().flat_map(|group| names.iter().map(|name| group.join(name)));
    let text = files.into_iter().find_map(|file| fs::read_to_string(file).ok());
    text.unwrap_or_else(|| panic!("none of {names:?} in {groups:?}")).trim().to_owned()
}

/// Whether groups can be made here, as they must be for root of the virtual machine.
pub fn has_groups(test: &str) -> bool {
    let groups = casemate::doctor::control_groups();
    let must = is_root() && std::env::var_os("CASEMATE_VM").is_some();
    assert!(groups.available || !must, "{groups:?}");
    if !groups.available {
        skip(test, &format!("no control groups: {}", groups.why));
    }
    groups.available
}
