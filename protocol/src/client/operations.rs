//! Everything a client can ask for, and what it is called in each place where that can be done. A test of each place
//! compares its own list with this one.

use super::request;

/// What a client must be allowed for an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Right {
    /// To use the plugins that it may use.
    Call,
    /// To answer host methods for other clients' calls.
    Serve,
    /// To change what runs.
    Admin,
}

impl Right {
    /// Every right.
    pub const ALL: [Self; 3] = [Self::Call, Self::Serve, Self::Admin];

    /// Its name in casemate.toml and in `Welcome`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Serve => "serve",
            Self::Admin => "admin",
        }
    }
}

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Its message in `casemate.proto`.
    pub message: &'static str,
    /// What it needs.
    pub right: Right,
    /// The command that does it.
    pub command: &'static str,
    /// The method of the Rust client.
    pub rust: &'static str,
    /// The method of the Python client.
    pub python: &'static str,
}

const fn operation(
    message: &'static str,
    right: Right,
    command: &'static str,
    rust: &'static str,
    python: &'static str,
) -> Operation {
    Operation { message, right, command, rust, python }
}

/// Every operation.
pub const OPERATIONS: [Operation; 21] = [
    operation("Call", Right::Call, "call", "Plugin::call", "Plugin.call"),
    operation("Call.stream", Right::Call, "call --stream", "Plugin::stream", "Plugin.stream"),
    operation("Cancel", Right::Call, "call", "Plugin::call", "Plugin.call"),
    operation("List", Right::Call, "plugins list", "Casemate::plugins", "Casemate.plugins"),
    operation("Info", Right::Call, "plugins info", "Plugin::info", "Plugin.info"),
    operation("Stats", Right::Call, "stats", "Casemate::stats", "Casemate.stats"),
    operation("Publish", Right::Call, "events pub", "Casemate::publish", "Casemate.publish"),
    operation("Subscribe", Right::Call, "events sub", "Casemate::subscribe", "Casemate.subscribe"),
    operation("Logs", Right::Call, "logs", "Casemate::logs", "Casemate.logs"),
    operation("Serve", Right::Call, "answer", "Casemate::on", "Casemate.on"),
    operation("Unserve", Right::Call, "answer", "Casemate::off", "Casemate.off"),
    operation("Load", Right::Admin, "load", "Casemate::load", "Casemate.load"),
    operation("Unload", Right::Admin, "unload", "Plugin::close", "Plugin.close"),
    operation("Enable", Right::Admin, "plugins enable", "Plugin::enable", "Plugin.enable"),
    operation("Disable", Right::Admin, "plugins disable", "Plugin::disable", "Plugin.disable"),
    operation("Drain", Right::Admin, "plugins drain", "Plugin::drain", "Plugin.drain"),
    operation("Reset", Right::Admin, "plugins reset", "Plugin::reset", "Plugin.reset"),
    operation("Reload", Right::Admin, "plugins reload", "Plugin::reload", "Plugin.reload"),
    operation("ConfigGet", Right::Admin, "plugins config get", "Plugin::config", "Plugin.config"),
    operation("ConfigSet", Right::Admin, "plugins config set", "Plugin::set_config", "Plugin.set_config"),
    operation(
        "ReloadPolicy",
        Right::Admin,
        "policy reload",
        "Casemate::reload_policy",
        "Casemate.reload_policy",
    ),
];

impl request::Operation {
    /// Its message in `casemate.proto`.
    pub fn message(&self) -> &'static str {
        match self {
            Self::Load(_) => "Load",
            Self::Unload(_) => "Unload",
            Self::List(_) => "List",
            Self::Info(_) => "Info",
            Self::Enable(_) => "Enable",
            Self::Disable(_) => "Disable",
            Self::Drain(_) => "Drain",
            Self::Reset(_) => "Reset",
            Self::Reload(_) => "Reload",
            Self::ConfigGet(_) => "ConfigGet",
            Self::ConfigSet(_) => "ConfigSet",
            Self::Stats(_) => "Stats",
            Self::Publish(_) => "Publish",
            Self::Serve(_) => "Serve",
            Self::Unserve(_) => "Unserve",
            Self::ReloadPolicy(_) => "ReloadPolicy",
            Self::Inspect(_) => "Inspect",
        }
    }

    /// The plugin that it is about, if it is about one.
    pub fn plugin(&self) -> Option<&str> {
        Some(match self {
            Self::Load(op) => &op.plugin,
            Self::Unload(op) => &op.plugin,
            Self::Info(op) => &op.plugin,
            Self::Enable(op) => &op.plugin,
            Self::Disable(op) => &op.plugin,
            Self::Drain(op) => &op.plugin,
            Self::Reset(op) => &op.plugin,
            Self::Reload(op) => &op.plugin,
            Self::ConfigGet(op) => &op.plugin,
            Self::ConfigSet(op) => &op.plugin,
            Self::List(_)
            | Self::Stats(_)
            | Self::Publish(_)
            | Self::Serve(_)
            | Self::Unserve(_)
            | Self::ReloadPolicy(_)
            | Self::Inspect(_) => return None,
        })
    }

    /// What a client needs for it: as the table says; for what is not in it, the most.
    pub fn right(&self) -> Right {
        let row = OPERATIONS.iter().find(|row| row.message == self.message());
        row.map_or(Right::Admin, |row| row.right)
    }
}

/// The table of `PROTOCOL.md`.
pub fn markdown() -> String {
    let mut text =
        String::from("| operation | right | command | Rust | Python |\n| --- | --- | --- | --- | --- |\n");
    for Operation { message, right, command, rust, python } in OPERATIONS {
        text.push_str(&format!(
            "| {message} | {} | `casemate {command}` | `{rust}` | `{python}` |\n",
            right.name()
        ));
    }
    text
}
