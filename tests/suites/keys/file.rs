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
            "casemate.toml:5:11: plugins.p.dialect = \"casemate-2\" is none of \"casemate-1\"; did you mean \"casemate-1\"?",
        ),
        // What it is read for, and refused by name where somebody wants it.
        set(
            "external",
            "external = [\"program\"]",
            "casemate.toml:4:12: plugins.p.external = [\"program\"] is not available in this version: leave it out",
        ),
        set(
            "transport",
            "transport = \"shared\"",
            "casemate.toml:5:13: plugins.p.transport = \"shared\" is not available in this version: write \"socket\" or leave it out",
        ),
        set(
            "permissions.network",
            "permissions.network = [\"example.org\"]",
            "casemate.toml:5:23: plugins.p.permissions.network = [\"example.org\"] is not available in this version: write [] or leave it out",
        ),
    ]);
    rows.push(Row {
        key: "limits.files",
        set: "limits.files = 1",
        cross: |ground| Box::pin(async move { by_whom(&ground) }),
        outcome: "nothing is kept in this version",
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

/// Who sees to a limit of what is not there.
fn by_whom(ground: &Ground) -> String {
    let effective = ground.configuration(None).unwrap().plugin("p", None).unwrap();
    let value = effective.get(ground.key()).unwrap();
    assert!(value.value.is_some() && effective.policy().is_ok());
    value.enforced_by().to_owned()
}
