//! Keys of the file itself, of `[daemon]`, of where a plugin comes from, and of what this version does not have yet.

use super::ground::{Ground, Row, end};
use casemate::Builder;
use casemate_tests::guests;

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = vec![
        Row {
            key: "path",
            set: "path = \"gone.wasm\"",
            cross: |ground| Box::pin(async move { refused(&ground, false).await }),
            outcome: "gone.wasm cannot be read: No such file or directory (os error 2) [file.unreadable]",
        },
        Row {
            key: "enabled",
            set: "enabled = false",
            cross: |ground| Box::pin(async move { refused(&ground, true).await }),
            outcome: "casemate.toml:5:11: plugins.p.enabled is false: the plugin is not to be loaded",
        },
        Row {
            key: "require.layers",
            set: "require.layers = [\"uts-namespace\"]",
            cross: |ground| Box::pin(async move { without_namespaces(&ground).await }),
            outcome: "layers.missing: uts-namespace",
        },
    ];
    let set = |key, set, outcome| Row {
        key,
        set,
        cross: |ground| {
            Box::pin(async move { refused(&ground, !ground.key().starts_with("external")).await })
        },
        outcome,
    };
    rows.extend([
        // What the file itself is refused for.
        set(
            "version",
            "version = 2",
            "casemate.toml:1:11: version = 2 is not known to this version of Casemate: write 1",
        ),
        set(
            "dialect",
            "dialect = \"casemate-2\"",
            "casemate.toml:5:11: plugins.p.dialect = \"casemate-2\" is none of \"casemate-1\"; did you mean \"casemate-1\"?",
        ),
        // What it is read for, and refused by name where somebody wants it.
        set(
            "external",
            "external = [\"program\"]",
            "casemate.toml:4:12: plugins.p.external = [\"program\"] is not available in this version: leave it out",
        ),
        set(
            "storage",
            "storage = \"vfs\"",
            "casemate.toml:5:11: plugins.p.storage = \"vfs\" is not available in this version: write \"none\" or leave it out",
        ),
        set(
            "transport",
            "transport = \"shared\"",
            "casemate.toml:5:13: plugins.p.transport = \"shared\" is not available in this version: write \"socket\" or leave it out",
        ),
        set(
            "permissions.filesystem",
            "permissions.filesystem = [\"read:/data\"]",
            "casemate.toml:5:26: plugins.p.permissions.filesystem = [\"read:/data\"] is not available in this version: write [] or leave it out",
        ),
        set(
            "permissions.env",
            "permissions.env = [\"HOME\"]",
            "casemate.toml:5:19: plugins.p.permissions.env = [\"HOME\"] is not available in this version: write [] or leave it out",
        ),
        set(
            "permissions.network",
            "permissions.network = [\"example.org\"]",
            "casemate.toml:5:23: plugins.p.permissions.network = [\"example.org\"] is not available in this version: write [] or leave it out",
        ),
    ]);
    let daemon =
        |key, set, outcome| Row { key, set, cross: |ground| Box::pin(async move { read(&ground) }), outcome };
    rows.extend([
        daemon("daemon.listen", "[daemon]\nlisten = \"/run/c.sock\"", "it listens on /run/c.sock"),
        daemon(
            "daemon.connections",
            "[daemon]\nconnections = 0",
            "casemate.toml:2:15: daemon.connections = 0 is out of range: it must be from 1 to 100000",
        ),
        daemon(
            "daemon.handshake_timeout",
            "[daemon]\nhandshake_timeout = \"2h\"",
            "casemate.toml:2:21: daemon.handshake_timeout = 7200000 ms is out of range: it must be from 1 ms to 3600000 ms",
        ),
        daemon(
            "daemon.clients[].uid",
            "[[daemon.clients]]\nuid = 4294967296\nplugins = [\"*\"]\nrights = [\"call\"]",
            "casemate.toml:2:7: daemon.clients.uid = 4294967296 is out of range: it must be from 0 to 4294967295",
        ),
        daemon(
            "daemon.clients[].plugins",
            "[[daemon.clients]]\nuid = 1\nplugins = []\nrights = [\"call\"]",
            "casemate.toml:3:11: daemon.clients[0].plugins is empty: name plugins, write [\"*\"] for all, or leave the client out",
        ),
        daemon(
            "daemon.clients[].rights",
            "[[daemon.clients]]\nuid = 1\nplugins = [\"*\"]\nrights = [\"fly\"]",
            "casemate.toml:4:11: daemon.clients[0].rights = \"fly\" is none of \"call\", \"serve\", \"admin\"",
        ),
        daemon(
            "daemon.clients[].in_flight",
            "[[daemon.clients]]\nuid = 1\nplugins = [\"*\"]\nrights = [\"call\"]\nin_flight = 0",
            "casemate.toml:5:13: daemon.clients.in_flight = 0 is out of range: it must be from 1 to 100000",
        ),
    ]);
    let kept = |key, set| Row {
        key,
        set,
        cross: |ground| Box::pin(async move { by_whom(&ground) }),
        outcome: "nothing is kept in this version",
    };
    rows.extend([kept("limits.store", "limits.store = \"1MiB\""), kept("limits.files", "limits.files = 1")]);
    rows
}

/// What a load by name is refused with.
async fn refused(ground: &Ground, with_module: bool) -> String {
    let module = with_module.then(|| guests::wat("minimal"));
    match ground.load_with(module, |builder| builder).await {
        Ok(plugin) => end(plugin.call_raw("m", b"x").await),
        Err(refusal) => refusal,
    }
}

async fn without_namespaces(ground: &Ground) -> String {
    let change = |builder: Builder| builder.configure(|config| config.namespaces = false);
    let loaded = ground.load_with(Some(guests::wat("minimal")), change).await;
    let refusal = loaded.map(drop).unwrap_err();
    let is_named = refusal.contains("demands layers that are not there: uts-namespace (");
    if is_named && refusal.ends_with("[layers.missing]") {
        "layers.missing: uts-namespace".to_owned()
    } else {
        refusal
    }
}

/// What the file is refused with, or says; nobody listens in this version.
fn read(ground: &Ground) -> String {
    match ground.configuration(None) {
        Ok(configuration) => match &configuration.daemon().listen {
            Some(listen) => format!("it listens on {}", listen.display()),
            None => format!("{:?}", configuration.daemon()),
        },
        Err(refusal) => refusal,
    }
}

/// Who sees to a limit of what is not there.
fn by_whom(ground: &Ground) -> String {
    let effective = ground.configuration(None).unwrap().plugin("p", None).unwrap();
    let value = effective.get(ground.key()).unwrap();
    assert!(value.value.is_some() && effective.policy().is_ok());
    value.enforced_by().to_owned()
}
