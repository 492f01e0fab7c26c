//! The network: everything of it can be imported, and none of it is there. Who is denied is told so by WASI, and its log by
//! which permission.

use casemate::{Casemate, Cause, LogRecord};
use casemate_tests::{block_on, guests, is_embedded, policy};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// Calls a program with an argument: what it said, or why it ended; and what was logged.
fn run(module: PathBuf, argument: &str) -> (Result<String, Cause>, Vec<String>) {
    let logged = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&logged);
    let said = block_on(async {
        let log = move |record: LogRecord| sink.lock().unwrap().push(record.message);
        let casemate = Casemate::builder().on_log(log).build().unwrap();
        let granted = policy(|spec| spec.args = vec![argument.to_owned()]);
        let plugin = casemate.load(module, granted).await.unwrap();
        let said = plugin.call_raw("run", b"").await;
        casemate.shutdown().await;
        said.map(|said| String::from_utf8(said).unwrap()).map_err(|failure| failure.cause)
    });
    let logged = logged.lock().unwrap().clone();
    (said, logged)
}

#[test]
fn sockets_and_names_are_denied_by_the_name_of_the_permission() {
    if !is_embedded("sockets_and_names_are_denied_by_the_name_of_the_permission") {
        return;
    }
    for (argument, function) in [
        ("tcp", "wasi:sockets/tcp-create-socket@0.2.12#create-tcp-socket"),
        ("listen", "wasi:sockets/tcp-create-socket@0.2.12#create-tcp-socket"),
        ("udp", "wasi:sockets/udp-create-socket@0.2.12#create-udp-socket"),
        ("name", "wasi:sockets/ip-name-lookup@0.2.12#resolve-addresses"),
    ] {
        let (said, logged) = run(guests::wasi("network"), argument);
        assert_eq!(said.unwrap(), "PermissionDenied\n", "{argument}");
        let expected = format!("{function} is denied: permissions.network grants nothing in this version");
        assert_eq!(logged, [expected], "{argument}");
    }
}

#[test]
fn http_ends_the_call_by_the_name_of_the_permission() {
    if !is_embedded("http_ends_the_call_by_the_name_of_the_permission") {
        return;
    }
    // Who imports it and does not use it runs.
    let (said, logged) = run(guests::wasi("network"), "nothing");
    assert_eq!((said.unwrap().as_str(), logged), ("nothing was asked for\n", Vec::new()));
    let (said, _) = run(guests::wasi("network"), "http");
    let Err(Cause::Trap { message, .. }) = &said else { panic!("{said:?}") };
    assert!(message.contains("wasi:http/"), "{message}");
    assert!(message.contains("is denied: permissions.network grants nothing in this version"), "{message}");
}

#[test]
fn sockets_that_a_program_was_not_given_are_denied_too() {
    if !is_embedded("sockets_that_a_program_was_not_given_are_denied_too") {
        return;
    }
    for (case, function) in [("raw-sock-accept", "sock_accept"), ("raw-sock-shutdown", "sock_shutdown")] {
        let (said, logged) = run(guests::wasi("cases"), case);
        said.unwrap();
        let expected = format!(
            "wasi_snapshot_preview1#{function} is denied: permissions.network grants nothing in this version"
        );
        assert_eq!(logged, [expected], "{case}");
    }
}
