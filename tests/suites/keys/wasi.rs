//! Keys of what a plugin with WASI finds around it.

use super::ground::{Ground, Row, end};
use casemate_tests::guests;

pub(crate) fn rows() -> Vec<Row> {
    let row = |key, set, outcome| Row {
        key,
        set,
        cross: |ground| Box::pin(async move { said(&ground).await }),
        outcome,
    };
    vec![
        row("args", "args = [\"args\", \"x\"]", "args|x"),
        row("permissions.env", "args = [\"env-all\"]\npermissions.env = [\"GREETING=hi\"]", "GREETING=hi"),
        row(
            "permissions.filesystem",
            "args = [\"raw-prestats\"]\npermissions.filesystem = [\"read:/usr=/u\"]",
            "/u",
        ),
        Row {
            key: "limits.files",
            set: "storage = \"vfs\"\nlimits.files = 5",
            cross: |ground| Box::pin(async move { filled(&ground).await }),
            outcome: "2",
        },
        row("storage", "args = [\"raw-prestats\"]\nstorage = \"vfs\"", "/"),
    ]
}

/// What the program says.
async fn said(ground: &Ground) -> String {
    let state = ground.folder().join("state");
    match ground.load_with(Some(guests::wasi("cases")), |builder| builder.state_dir(state)).await {
        Ok(plugin) => match plugin.call_raw("run", b"").await {
            Ok(body) => String::from_utf8_lossy(&body).trim().to_owned(),
            failed => end(failed),
        },
        Err(refusal) => refusal,
    }
}

/// How many files a program can make beside the three folders that are there.
async fn filled(ground: &Ground) -> String {
    let state = ground.folder().join("state");
    let filling =
        ground.load_with(Some(guests::wasi("fill")), |builder| builder.state_dir(state)).await.unwrap();
    let said = filling.call_raw("run", b"many /data").await.unwrap();
    String::from_utf8_lossy(&said).trim().to_owned()
}
