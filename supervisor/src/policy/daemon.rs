//! `[daemon]`: who may connect to it, and where.

use super::error::{ConfigError, ConfigProblem as Problem};
use super::read::{Setting, Settings};
use super::value::Value;
use casemate_protocol::policy::{PolicyError, millis};
use std::path::PathBuf;
use std::time::Duration;

/// What `[daemon]` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daemon {
    /// The socket; `None`: where the desktop's convention puts it.
    pub listen: Option<PathBuf>,
    /// Clients at once.
    pub connections: u32,
    /// How long a client may take to say who it is.
    pub handshake_timeout: Duration,
    /// Who may connect; nobody but the daemon's own user, if nobody is named.
    pub clients: Vec<Client>,
}

/// Somebody who may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The user.
    pub uid: u32,
    /// Plugins it may use; `*` is all.
    pub plugins: Vec<String>,
    /// `call`, `serve`, `admin`.
    pub rights: Vec<String>,
    /// Calls at once.
    pub in_flight: u32,
}

impl Default for Daemon {
    fn default() -> Self {
        Self { listen: None, connections: 64, handshake_timeout: Duration::from_secs(2), clients: Vec::new() }
    }
}

impl Daemon {
    /// From the settings of a whole file.
    pub(super) fn of(settings: &Settings) -> Result<Self, ConfigError> {
        let listen = settings.text("daemon.listen").map(PathBuf::from);
        let mut daemon = Self { listen, ..Self::default() };
        if let Some(setting) = settings.get("daemon.connections") {
            daemon.connections = count(setting, "daemon.connections", 1, 100_000)?;
        }
        if let Some(setting) = settings.get("daemon.handshake_timeout")
            && let Value::Time(time) = setting.value
        {
            daemon.handshake_timeout = time;
            in_range(setting, "daemon.handshake_timeout", millis(time), 1, 3_600_000)?;
        }
        for (number, place) in settings.groups("clients") {
            let path = |key: &str| format!("daemon.clients[{number}].{key}");
            let Some(uid) = settings.get(&path("uid")) else {
                return Err(ConfigError::at(place, Problem::Missing { key: path("uid") }));
            };
            let list = |key: &str| match settings.get(&path(key)).map(|setting| &setting.value) {
                Some(Value::List(texts)) => texts.clone(),
                _ => Vec::new(),
            };
            let (plugins, rights) = (list("plugins"), list("rights"));
            for (key, texts) in [("plugins", &plugins), ("rights", &rights)] {
                if texts.is_empty() {
                    return Err(ConfigError::at(place, Problem::Missing { key: path(key) }));
                }
            }
            let in_flight = match settings.get(&path("in_flight")) {
                Some(setting) => count(setting, "daemon.clients.in_flight", 1, 100_000)?,
                None => 64,
            };
            let uid = count(uid, "daemon.clients.uid", 0, u32::MAX.into())?;
            daemon.clients.push(Client { uid, plugins, rights, in_flight });
        }
        Ok(daemon)
    }
}

fn count(setting: &Setting, key: &'static str, min: u64, max: u64) -> Result<u32, ConfigError> {
    let Value::Count(number) = setting.value else { return Ok(0) };
    in_range(setting, key, number, min, max)?;
    Ok(u32::try_from(number).unwrap_or(u32::MAX))
}

fn in_range(
    setting: &Setting,
    key: &'static str,
    number: u64,
    min: u64,
    max: u64,
) -> Result<(), ConfigError> {
    if (min..=max).contains(&number) {
        return Ok(());
    }
    let unit = if matches!(setting.value, Value::Time(_)) { " ms" } else { "" };
    let [value, min, max] = [number, min, max].map(|number| format!("{number}{unit}"));
    Err(ConfigError::at(&setting.place, PolicyError::Range { key, value, min, max }.into()))
}
