//! Who runs the tests: ourselves, or an ordinary user made for one run.

use std::fs;
use std::path::Path;

use crate::problem::Problem;
use crate::step::{Step, find_program};

const PREFIX: &str = "casemate-test-";

/// Unused ids are looked for from here up, past what systems give to people and services.
const FIRST_UNUSED: u32 = 61_500;

/// A user for one run. An account that was made for it is removed on drop.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Whether it takes a change of ids to be this user.
    pub(crate) dropped: bool,
    account: bool,
}

impl User {
    /// Whoever started this command.
    pub(crate) fn current() -> Self {
        let uid = rustix::process::geteuid().as_raw();
        let gid = rustix::process::getegid().as_raw();
        let name = if uid == 0 { "root".to_owned() } else { format!("uid-{uid}") };
        Self { name, uid, gid, dropped: false, account: false }
    }

    /// A fresh ordinary user. Needs root. Without `useradd`, ids that nobody has.
    pub(crate) fn fresh() -> Result<Self, Problem> {
        remove_left_accounts();
        let name = format!("{PREFIX}{}", std::process::id());
        let Some(useradd) = find_program("useradd") else { return Ok(Self::unused(name)) };
        let options = [
            "--system",
            "--user-group",
            "--no-create-home",
            "--home-dir",
            "/nonexistent",
            "--shell",
            "/bin/false",
        ];
        match Step::new(useradd, Path::new("/")).args(options).arg(&name).run() {
            Ok(()) => Self::of_account(name),
            Err(problem) => {
                println!("{problem}; the tests run under ids that nobody has");
                Ok(Self::unused(name))
            }
        }
    }

    fn of_account(name: String) -> Result<Self, Problem> {
        // Made first, so that a failure from here on removes the account.
        let mut user = Self { name, uid: 0, gid: 0, dropped: true, account: true };
        (user.uid, user.gid) =
            ids_of(&read("/etc/passwd"), &user.name).filter(|(uid, _)| *uid != 0).ok_or_else(|| {
                Problem::new(format!("/etc/passwd does not show the new account {}", user.name))
            })?;
        Ok(user)
    }

    fn unused(name: String) -> Self {
        let (users, groups) = (read("/etc/passwd"), read("/etc/group"));
        let taken = |id: u32| has_id(&users, id) || has_id(&groups, id);
        let id = (FIRST_UNUSED..u32::MAX).find(|id| !taken(*id)).unwrap_or(FIRST_UNUSED);
        Self { name, uid: id, gid: id, dropped: true, account: false }
    }
}

impl Drop for User {
    fn drop(&mut self) {
        if self.account {
            remove_account(&self.name);
        }
    }
}

/// Removes the accounts of runs that were killed before they could.
fn remove_left_accounts() {
    for line in read("/etc/passwd").lines() {
        let name = line.split(':').next().unwrap_or_default();
        let pid = name.strip_prefix(PREFIX).and_then(|pid| pid.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            remove_account(name);
        }
    }
}

fn remove_account(name: &str) {
    let removed = find_program("userdel")
        .ok_or_else(|| Problem::new(format!("no userdel: the account {name} stays")))
        .and_then(|userdel| Step::new(userdel, Path::new("/")).arg(name).run());
    if let Err(problem) = removed {
        println!("{problem}");
    }
}

fn read(file: &str) -> String {
    fs::read_to_string(file).unwrap_or_default()
}

/// User and group id of a line `name:password:uid:gid:…`.
fn ids_of(passwd: &str, name: &str) -> Option<(u32, u32)> {
    let mut fields = passwd.lines().map(|line| line.split(':')).find_map(|mut fields| {
        let found = fields.next() == Some(name);
        found.then(|| fields.skip(1))
    })?;
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn has_id(table: &str, id: u32) -> bool {
    table.lines().any(|line| line.split(':').nth(2).and_then(|field| field.parse().ok()) == Some(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/bash\ncasemate-test-7:x:995:994::/nonexistent:/bin/false\n";

    #[test]
    fn ids_are_found_by_name_and_by_number() {
        assert_eq!(ids_of(PASSWD, "casemate-test-7"), Some((995, 994)));
        assert_eq!(ids_of(PASSWD, "casemate-test-70"), None);
        assert!(has_id(PASSWD, 995));
        assert!(!has_id(PASSWD, 994));
    }
}
