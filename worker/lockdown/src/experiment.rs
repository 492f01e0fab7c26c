//! Walls that an experiment leaves out while everything else says that they stand: to find out who notices, and what each
//! wall is worth.
//!
//! Only the adversary is built with the feature `experiment`; it reads what to leave out from its program's name,
//! `casemate-adversary:minus-landlock,empty-root`. In every other program each wall is taken, and this file is nothing.

/// Takes a wall, unless an experiment leaves it out and only says that it stands.
pub(crate) fn raise<T: Default, E>(wall: &str, take: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    if is_left_out(wall) { Ok(T::default()) } else { take() }
}

#[cfg(not(feature = "experiment"))]
pub(crate) const fn is_left_out(_wall: &str) -> bool {
    false
}

#[cfg(feature = "experiment")]
pub(crate) fn is_left_out(wall: &str) -> bool {
    let program = std::env::args().next().unwrap_or_default();
    left_out(&program).is_some_and(|mut walls| walls.any(|name| name == wall))
}

/// The names behind `:minus-`, if there are any.
#[cfg(feature = "experiment")]
pub fn left_out(program: &str) -> Option<impl Iterator<Item = &str>> {
    let (_, walls) = program.split_once(":minus-")?;
    Some(walls.split(','))
}

/// What can be left out. Most are layers of the certificate; filters and limits have a name each.
#[cfg(feature = "experiment")]
pub const WALLS: &[&str] = &[
    "filter-a",
    "filter-b",
    "no-new-privs",
    "capabilities",
    "unprivileged-uid",
    "not-dumpable",
    "namespaces",
    "pid-namespace",
    "net-namespace",
    "ipc-namespace",
    "uts-namespace",
    "cgroup-namespace",
    "mount-namespace",
    "empty-root",
    "landlock",
    "descriptors",
    "sealed-code",
    "deny-new-executable",
    "limit-core",
    "limit-data",
    "limit-file-size",
    "limit-open-files",
    "limit-processes",
    "limit-stack",
];
