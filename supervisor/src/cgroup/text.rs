//! What /proc says of groups and of where they are mounted.

use std::path::{Component, Path, PathBuf};

/// The group that a process is in, of one hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Membership {
    /// Empty for version 2.
    pub(super) controllers: Vec<String>,
    pub(super) path: PathBuf,
}

impl Membership {
    pub(super) fn is_v2(&self) -> bool {
        self.controllers.is_empty()
    }

    pub(super) fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|known| known == controller)
    }
}

/// Reads `/proc/PID/cgroup`: `HIERARCHY:CONTROLLERS:PATH` a line.
pub(super) fn memberships(text: &str) -> Vec<Membership> {
    let line = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        let controllers =
            fields.next()?.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Some(Membership { controllers, path: fields.next()?.into() })
    };
    text.lines().filter_map(line).collect()
}

/// A hierarchy of groups in our mount table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) is_v2: bool,
    /// The group that stands at its top.
    pub(super) root: PathBuf,
    pub(super) point: PathBuf,
    /// Options of the hierarchy, among them the names of its controllers in version 1.
    pub(super) options: Vec<String>,
}

impl Mount {
    pub(super) fn has(&self, controller: &str) -> bool {
        self.options.iter().any(|known| known == controller)
    }

    /// Where a group is to be found below it, if it is.
    pub(super) fn directory(&self, group: &Path) -> Option<PathBuf> {
        let below = group.strip_prefix(&self.root).ok()?;
        let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
        // Joined one by one: nothing joined would still add a slash.
        below.components().all(is_plain).then(|| self.point.components().chain(below.components()).collect())
    }
}

/// Reads the hierarchies out of `/proc/PID/mountinfo`.
pub(super) fn mounts(text: &str) -> Vec<Mount> {
    text.lines().filter_map(mount).collect()
}

fn mount(line: &str) -> Option<Mount> {
    let (front, back) = line.split_once(" - ")?;
    let mut back = back.split(' ');
    let is_v2 = match back.next()? {
        "cgroup2" => true,
        "cgroup" => false,
        _ => return None,
    };
    let options = back.nth(1)?.split(',').map(str::to_owned).collect();
    let mut front = front.split(' ').skip(3);
    let (root, point) = (unescaped(front.next()?), unescaped(front.next()?));
    Some(Mount { is_v2, root: root.into(), point: point.into(), options })
}

/// Blanks and their like stand there as three octal digits behind a backslash.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match (digits, part.get(3..)) {
            (Some(byte), Some(rest)) if byte.is_ascii() => {
                whole.push(char::from(byte));
                whole.push_str(rest);
            }
            _ => {
                whole.push('\\');
                whole.push_str(part);
            }
        }
    }
    whole
}

/// A number behind a word, as in `oom_kill 3`.
pub(super) fn counted(text: &str, word: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_both_versions() {
        let found = memberships("5:cpu,cpuacct:/a\n1:name=systemd:/b\n0::/user.slice/a:b.scope\nnonsense\n");
        assert_eq!(found.len(), 3);
        assert!(found[0].has("cpuacct") && !found[0].has("memory") && !found[0].is_v2());
        assert!(found[2].is_v2());
        assert_eq!(found[2].path, Path::new("/user.slice/a:b.scope"));
    }

    #[test]
    fn hierarchies_are_found_among_mounts() {
        let text = "29 1 0:25 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                    30 29 0:26 /box /sys/fs/a\\040b rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n\
                    31 29 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n";
        let found = mounts(text);
        assert_eq!(found.len(), 2);
        assert!(found[0].is_v2 && found[1].has("cpu") && !found[1].has("memory"));
        assert_eq!(found[0].directory(Path::new("/box/x")), Some("/sys/fs/a b/x".into()));
        assert_eq!(found[0].directory(Path::new("/other")), None, "outside of what is mounted");
        assert_eq!(found[0].directory(Path::new("/box/../x")), None, "outside of our cgroup namespace");
        assert_eq!(found[1].directory(Path::new("/")), Some("/sys/fs/cgroup/cpu".into()));
        let shown = found[1].directory(Path::new("/")).unwrap().display().to_string();
        assert_eq!(shown, "/sys/fs/cgroup/cpu", "without a slash at its end");
    }

    #[test]
    fn counters() {
        assert_eq!(counted("oom 4\noom_kill 3\noom_group_kill 0\n", "oom_kill"), Some(3));
        assert_eq!(counted("oom_kill_disable 0\nunder_oom 0\n", "oom_kill"), None);
    }

    #[test]
    fn what_is_no_escape_stays() {
        assert_eq!(unescaped("a\\134b\\9x\\"), "a\\b\\9x\\");
    }
}
