//! Keys of the file itself, of where a plugin comes from, and of what this version does not have yet.

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
            "casemate.toml:5:11: plugins.p.dialect = \"casemate-2\" is none of \"casemate-1\", \"wasi-command\", \"wasi-reactor\", \"casemate-component\", \"wasi-command-component\", \"component\", \"hielements\", \"pocket-host\", \"pocket-buffer\", \"pocket-stdio\", \"extism\", \"signalk-as\", \"signalk-buffer\", \"spacedrive\", \"ideanet\"; did you mean \"casemate-1\"?",
        ),
        // A program that is looked for, as the suite of native programs starts those that are there.
        set(
            "external",
            "external = [\"casemate-nothing\"]",
            "casemate-nothing cannot be read: there is no such program in /usr/local/bin, /usr/bin, /bin, /usr/local/sbin, /usr/sbin, /sbin: write its path [file.unreadable]",
        ),
        // What it grants is told by suite `seeds`.
        set(
            "consent",
            "consent = [\"a*b\"]",
            "casemate.toml:5:12: plugins.p.consent has \"a*b\": write a host method of 1 to 256 bytes, or a prefix ending in one *",
        ),
        // What it is read for, and refused by name where somebody wants it.
        set(
            "transport",
            "transport = \"shared\"",
            "casemate.toml:5:13: plugins.p.transport = \"shared\" is not available in this version: write \"socket\" or leave it out",
        ),
        set(
            "sandbox",
            "sandbox = \"none\"",
            "casemate.toml:5:11: plugins.p.sandbox = \"none\" holds only where the operator's [ceiling] says sandbox = \"none\": write that there, or leave it out",
        ),
        set(
            "permissions.network",
            "permissions.network = [\"example.org\"]",
            "casemate.toml:5:23: plugins.p.permissions.network = [\"example.org\"] is not available in this version: write [] or leave it out",
        ),
    ]);
    rows.push(Row {
        key: "options",
        set: "options = { id = \"a\", http_encoding = 8 }",
        cross: |ground| Box::pin(async move { refused(&ground, true).await }),
        outcome: "casemate.toml:5:39: plugins.p.options must be a table of texts, as in { id = \"a\" }, and is a table with something else than texts",
    });
    rows.push(Row {
        key: "plugin_dirs",
        set: "version = 1\nplugin_dirs = [\"packages\"]",
        cross: |ground| Box::pin(async move { found_in_a_folder(&ground).await }),
        outcome: "p runs",
    });
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

/// A package in a folder that the file names, loaded by the name that its manifest has.
async fn found_in_a_folder(ground: &Ground) -> String {
    let place = ground.folder().join("packages/anything");
    std::fs::create_dir_all(&place).unwrap();
    std::fs::copy(guests::wat("minimal"), place.join("m.wasm")).unwrap();
    std::fs::write(place.join("plugin.toml"), "id = \"p\"\nname = \"P\"\nversion = \"1.0.0\"\n").unwrap();
    match ground.load_with(None, |builder| builder).await {
        Ok(plugin) => format!("{} runs", plugin.name()),
        Err(refusal) => refusal,
    }
}
