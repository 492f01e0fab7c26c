//! Who may connect, and what for. A client is who the kernel says it is.

use crate::policy::{Client, Daemon};
use casemate_protocol::client::Right;
use casemate_protocol::outcome::{Cause, Failure};
use casemate_protocol::policy::matches_pattern;

/// What one client may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) uid: u32,
    pub(crate) rights: Vec<Right>,
    /// Names of plugins; a final `*` stands for any end.
    pub(crate) plugins: Vec<String>,
    pub(crate) in_flight: u32,
}

/// What is open at once for a client that the configuration does not name.
const IN_FLIGHT: u32 = 64;

impl Access {
    /// Of a user: what the configuration says of it; the daemon's own user, if that says nothing, may do everything, and
    /// nobody else anything.
    pub(crate) fn of(uid: u32, own_uid: u32, daemon: &Daemon) -> Option<Self> {
        let named: Vec<&Client> = daemon.clients.iter().filter(|client| client.uid == uid).collect();
        if named.is_empty() {
            let all = || Self {
                uid,
                rights: Right::ALL.to_vec(),
                plugins: vec!["*".to_owned()],
                in_flight: IN_FLIGHT,
            };
            return (uid == own_uid).then(all);
        }
        // Several entries of one user are together what it may do.
        let has =
            |right: &Right| named.iter().any(|client| client.rights.iter().any(|name| name == right.name()));
        let plugins = named.iter().flat_map(|client| client.plugins.iter().cloned());
        Some(Self {
            uid,
            rights: Right::ALL.into_iter().filter(has).collect(),
            plugins: plugins.collect(),
            in_flight: named.iter().map(|client| client.in_flight).max().unwrap_or(IN_FLIGHT),
        })
    }

    /// Whether it may use a plugin.
    pub(crate) fn may_use(&self, plugin: &str) -> bool {
        self.plugins.iter().any(|pattern| matches_pattern(pattern, plugin))
    }

    /// Refuses what the client has no right to.
    pub(crate) fn check(&self, right: Right, what: &str, plugin: Option<&str>) -> Result<(), Failure> {
        let denied = |message: String| {
            let what = match plugin {
                Some(plugin) => format!("{what} {plugin:?}"),
                None => what.to_owned(),
            };
            Err(Failure::not_started(Cause::Denied { what, message }))
        };
        if !self.rights.contains(&right) {
            return denied(format!(
                "add {:?} to rights of uid {} in daemon.clients of the daemon's configuration",
                right.name(),
                self.uid
            ));
        }
        match plugin {
            Some(plugin) if !self.may_use(plugin) => denied(format!(
                "add the plugin to plugins of uid {} in daemon.clients of the daemon's configuration",
                self.uid
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daemon(clients: &[(u32, &[&str], &[&str])]) -> Daemon {
        let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
        let client = |&(uid, plugins, rights): &(u32, &[&str], &[&str])| Client {
            uid,
            plugins: texts(plugins),
            rights: texts(rights),
            in_flight: 3,
        };
        Daemon { clients: clients.iter().map(client).collect(), ..Daemon::default() }
    }

    #[test]
    fn only_the_daemons_own_user_may_come_unnamed() {
        let nobody = daemon(&[]);
        assert_eq!(Access::of(1001, 1000, &nobody), None);
        assert_eq!(Access::of(0, 1000, &nobody), None, "not even root");
        assert_eq!(Access::of(1000, 1000, &nobody).unwrap().rights, Right::ALL);
    }

    #[test]
    fn an_entry_says_all_that_its_user_may() {
        let access = Access::of(1000, 1000, &daemon(&[(1000, &["a.*"], &["call"])])).unwrap();
        access.check(Right::Call, "call", Some("a.b")).unwrap();
        for (right, plugin) in [(Right::Call, "b"), (Right::Admin, "a.b"), (Right::Serve, "a.b")] {
            assert_eq!(access.check(right, "use", Some(plugin)).unwrap_err().code(), "denied.client");
        }
    }
}
