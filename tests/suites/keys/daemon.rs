//! Keys of `[daemon]`: each is set in the configuration of a daemon and crossed by a client of it.

use super::ground::{Ground, Row};
use casemate::{Casemate, Failure, Policy};
use casemate_tests::scratch::Scratch;
use casemate_tests::{command, daemon, guests};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row {
            key: "daemon.listen",
            set: "[daemon]\nlisten = \"/tmp/casemate-row.sock\"",
            cross: |ground| Box::pin(async move { serve(&ground) }),
            outcome: "8: the socket /tmp/casemate-row.sock cannot be in /tmp",
        },
        Row {
            key: "daemon.connections",
            set: "[daemon]\nconnections = 1",
            cross: |ground| Box::pin(async move { one_too_many(&ground).await }),
            outcome: "1 clients are connected already (daemon.connections)",
        },
        Row {
            key: "daemon.handshake_timeout",
            set: "[daemon]\nhandshake_timeout = \"50ms\"",
            cross: |ground| Box::pin(async move { silent(&ground).await }),
            outcome: "left",
        },
        client("daemon.clients[].uid", "plugins = [\"*\"]\nrights = [\"call\"]", |casemate| {
            Box::pin(async move { casemate.load(guests::wat("minimal"), Policy::default()).await.map(drop) })
        }),
        client("daemon.clients[].plugins", "plugins = [\"q\"]\nrights = [\"call\", \"admin\"]", |casemate| {
            Box::pin(async move { casemate.plugin("p").await.map(drop) })
        }),
        client("daemon.clients[].rights", "plugins = [\"*\"]\nrights = [\"call\"]", |casemate| {
            Box::pin(async move { casemate.reload_policy().await.map(drop) })
        }),
        Row {
            outcome: "overloaded.client",
            ..client(
                "daemon.clients[].in_flight",
                "plugins = [\"*\"]\nrights = [\"call\"]\nin_flight = 1",
                |casemate| {
                    Box::pin(async move {
                        let _held = casemate.subscribe("a").await.unwrap();
                        casemate.plugins().await.map(drop)
                    })
                },
            )
        },
    ]
}

type Try = fn(Casemate) -> std::pin::Pin<Box<dyn Future<Output = Result<(), Failure>>>>;

/// A row of an entry for our own user, and what that may not do by it.
fn client(key: &'static str, entry: &'static str, tried: Try) -> Row {
    // A row is data and its crossing a plain function: what is tried is found again by the key.
    TRIED.lock().unwrap().insert(key, tried);
    let set: &'static str = Box::leak(format!("[[daemon.clients]]\nuid = UID\n{entry}").into_boxed_str());
    Row { key, set, cross: |ground| Box::pin(async move { denied(&ground).await }), outcome: "denied.client" }
}

static TRIED: std::sync::Mutex<std::collections::BTreeMap<&str, Try>> =
    std::sync::Mutex::new(std::collections::BTreeMap::new());

fn text(ground: &Ground) -> String {
    let uid = rustix::process::geteuid().as_raw().to_string();
    format!("version = 1\n{}\n", ground.set().replace("UID", &uid))
}

async fn denied(ground: &Ground) -> String {
    let tried = TRIED.lock().unwrap()[ground.key()];
    match tried(daemon::within(&text(ground)).await).await {
        Ok(()) => "it was done".to_owned(),
        Err(failure) => failure.code(),
    }
}

fn serve(ground: &Ground) -> String {
    let folder = Scratch::new();
    let file = folder.join("casemate.toml");
    std::fs::write(&file, text(ground)).unwrap();
    let state = folder.join("state");
    let words = ["serve", "--config", file.to_str().unwrap(), "--state-dir", state.to_str().unwrap()];
    let ran = command::casemate(&words);
    let line = ran.err.lines().find_map(|line| line.strip_prefix("casemate: ")).unwrap_or_default();
    format!("{}: {}", ran.code, line.split(',').next().unwrap_or_default())
}

async fn one_too_many(ground: &Ground) -> String {
    let (casemate, socket) = daemon::within_at(&text(ground)).await;
    let refused = Casemate::connect(&socket).await.unwrap_err().to_string();
    drop(casemate);
    let (_, words) = refused.split_once("it refuses: ").unwrap();
    words.split_once(" [").unwrap().0.to_owned()
}

async fn silent(ground: &Ground) -> String {
    let (_casemate, socket) = daemon::within_at(&text(ground)).await;
    let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    let read = tokio::task::spawn_blocking(move || std::io::Read::read(&mut stream, &mut [0; 64]).unwrap());
    if read.await.unwrap() == 0 { "left".to_owned() } else { "answered".to_owned() }
}
