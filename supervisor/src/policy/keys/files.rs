//! The keys around a plugin's: the whole of `casemate.toml`, and what only a manifest has.

use super::limits::{CALL_TIMEOUT, HOST_CALLS, LIMITS, PERMISSIONS};
use super::plugin::PLUGIN;
use super::{ASKED, Field, Key, Kind, Texts};
use casemate_protocol::module::Dialect;

const FILE: &str = "file";
const DAEMON_SCOPE: &str = "daemon";
const CLIENT: &str = "client";
const PLUGIN_SCOPE: &str = "plugin";
const METHOD_SCOPE: &str = "method";

/// The whole of `casemate.toml`.
pub(in crate::policy) const WHOLE: &[Key] = &[
    plain("version", Kind::Count, FILE, "The version of this format: 1", "whoever reads the file"),
    plain(
        "plugin_dirs",
        Kind::Texts(Texts::Folders),
        FILE,
        "Folders with a package in each of theirs, beside those installed; relative ones from this file's folder",
        "whoever loads plugins",
    ),
    Key::table("daemon", DAEMON, "The daemon's own"),
    Key::table("defaults", PLUGIN, "Under every plugin: what its own table does not say"),
    Key::table("ceiling", PLUGIN, "Over every plugin: nothing may exceed it"),
    Key::new(
        "plugins",
        Kind::Named(PLUGIN),
        PLUGIN_SCOPE,
        Field::None,
        "One table for each plugin, by name",
        "",
    ),
];

/// Where a key belongs that stands at the top by mistake.
pub(in crate::policy) const DEFAULTS_AND_PLUGINS: &str =
    "under [plugins.NAME], or under [defaults] for every plugin";

const fn plain(
    name: &'static str,
    kind: Kind,
    scope: &'static str,
    doc: &'static str,
    by: &'static str,
) -> Key {
    Key::new(name, kind, scope, Field::None, doc, by)
        .choice()
        .within(super::DEFAULTS | super::PLUGINS | ASKED)
}

const DAEMON: &[Key] = &[
    plain("listen", Kind::Text, DAEMON_SCOPE, "The socket", "the daemon"),
    plain("connections", Kind::Count, DAEMON_SCOPE, "Clients at once", "the daemon"),
    plain(
        "handshake_timeout",
        Kind::Time,
        CLIENT,
        "How long a client may take to say who it is",
        "the daemon",
    ),
    Key::new("clients", Kind::Many(CLIENTS), CLIENT, Field::None, "Who may connect", "the daemon"),
];

const CLIENTS: &[Key] = &[
    plain(
        "uid",
        Kind::Count,
        CLIENT,
        "The user",
        "the daemon, by what the kernel says of the socket's other end",
    ),
    plain("plugins", Kind::Texts(Texts::Plugins), CLIENT, "Plugins it may use; `*` is all", "the daemon"),
    plain(
        "rights",
        Kind::Texts(Texts::Rights),
        CLIENT,
        "What it may do: `call`, `serve`, `admin`",
        "the daemon",
    ),
    plain("in_flight", Kind::Count, CLIENT, "Calls at once", "the daemon"),
];

/// The whole of `plugin.toml`.
pub(in crate::policy) const MANIFEST: &[Key] = &[
    plain(
        "id",
        Kind::Text,
        PLUGIN_SCOPE,
        "What it is called among all plugins: letters, digits and . _ -",
        "must be there",
    ),
    plain("name", Kind::Text, PLUGIN_SCOPE, "What people call it", "must be there"),
    plain("version", Kind::Text, PLUGIN_SCOPE, "MAJOR.MINOR.PATCH", "must be there"),
    plain("description", Kind::Text, PLUGIN_SCOPE, "What it does", "for people"),
    plain("license", Kind::Text, PLUGIN_SCOPE, "Its licence, as SPDX writes it", "for people"),
    plain(
        "dialect",
        Kind::Word(Dialect::NAMES),
        PLUGIN_SCOPE,
        "What its module speaks, if the operator says nothing else",
        "the compiler process",
    ),
    plain(
        "sandbox",
        Kind::Word(&["walled", "none"]),
        PLUGIN_SCOPE,
        "What a native program of a package runs in, if the operator's `[ceiling]` names that",
        "whoever loads it",
    ),
    plain(
        "storage",
        Kind::Word(&["none", "vfs"]),
        PLUGIN_SCOPE,
        "Files of its own that stay, if the operator grants them",
        "Landlock",
    ),
    plain(
        "options",
        Kind::Options,
        PLUGIN_SCOPE,
        "What its dialect wants to know, where the operator says nothing of it",
        "the worker",
    ),
    plain(
        "consent",
        Kind::Texts(Texts::Consent),
        PLUGIN_SCOPE,
        "Host methods, of those in `permissions.host`, for which a person has to say yes: `casemate consent`",
        "the supervisor, before the handler",
    ),
    Key::table("permissions", PERMISSIONS, "What it asks for; without a key it asks for nothing of that"),
    Key::table("limits", LIMITS, "What it can do with; the operator's or this, whichever is less"),
    Key::new(
        "methods",
        Kind::Named(MANIFEST_METHOD),
        METHOD_SCOPE,
        Field::None,
        "What it can be called for, by name",
        "",
    )
    .within(ASKED),
    Key::new(
        "examples",
        Kind::Many(EXAMPLE),
        METHOD_SCOPE,
        Field::None,
        "Calls to show how",
        "checked against the schemas",
    )
    .within(ASKED),
    Key::table("build", BUILD, "How its author makes it; a host never looks").within(ASKED),
    plain(
        "config_schema",
        Kind::Schema,
        PLUGIN_SCOPE,
        "JSON Schema of its configuration",
        "the supervisor, before a configuration is handed over",
    ),
    plain(
        "subscriptions",
        Kind::Texts(Texts::Events),
        PLUGIN_SCOPE,
        "Topics of events it wants, from its start until it is closed",
        "the supervisor; `permissions.subscribe` must grant them",
    ),
];

const MANIFEST_METHOD: &[Key] = &[
    plain("description", Kind::Text, METHOD_SCOPE, "What it does", "for people"),
    plain("input", Kind::Schema, METHOD_SCOPE, "JSON Schema of what it takes", "checked to be one"),
    plain("output", Kind::Schema, METHOD_SCOPE, "JSON Schema of what it answers", "checked to be one"),
    CALL_TIMEOUT,
    HOST_CALLS,
];

const EXAMPLE: &[Key] = &[
    plain("method", Kind::Text, METHOD_SCOPE, "Which method", "must be one of `methods`"),
    plain("description", Kind::Text, METHOD_SCOPE, "What it shows", "for people"),
    plain("input", Kind::Json, METHOD_SCOPE, "What it is called with", "must fit the method's schema"),
    plain(
        "output",
        Kind::Json,
        METHOD_SCOPE,
        "What it answers",
        "must fit the method's schema; `casemate test` compares",
    ),
    plain(
        "error",
        Kind::Text,
        METHOD_SCOPE,
        "Or the code of the error it answers",
        "`casemate test` compares",
    ),
];

const AUTHOR: &str = "`casemate test` and `casemate dev`, of a folder";

const BUILD: &[Key] = &[
    plain(
        "command",
        Kind::Texts(Texts::Command),
        PLUGIN_SCOPE,
        "A program and its arguments, which make the module; run in the manifest's folder",
        AUTHOR,
    ),
    plain("module", Kind::Text, PLUGIN_SCOPE, "The module it makes: a file beside the manifest", AUTHOR),
    plain(
        "watch",
        Kind::Texts(Texts::Paths),
        PLUGIN_SCOPE,
        "Files and folders it is made from; `casemate dev` makes it anew when one changes",
        "`casemate dev`",
    ),
    plain(
        "files",
        Kind::Texts(Texts::Paths),
        PLUGIN_SCOPE,
        "Files that belong to its package beside manifest and module",
        "`casemate plugins pack` and `install`",
    ),
];
