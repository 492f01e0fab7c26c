//! Programs that do not speak the protocol, and those that cannot be started.

use super::ground::{Ground, call};
use casemate::{Cause, Failure, Plugin};
use casemate_tests::{block_on, policy};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;

async fn lie(plugin: &Plugin, lie: &str) -> Result<Value, Failure> {
    plugin.call("library.call", &json!({"function": "echo", "args": [], "lie": lie})).await
}

#[test]
fn what_is_no_response_is_an_error_with_a_code() {
    let Some(ground) = Ground::of("what_is_no_response_is_an_error_with_a_code") else { return };
    block_on(async {
        let plugin = ground.load(|_| {}).await.unwrap();
        for (told, expected, words) in [
            ("no_json", "E506", "no JSON-RPC response"),
            ("wrong_id", "E506", "its id is"),
            ("text_id", "E506", "its id is \""),
            ("both", "E506", "both a result and an error"),
            ("neither", "E507", "neither"),
            ("old", "E506", "jsonrpc"),
            ("bytes", "E506", "no JSON-RPC response"),
            ("deep", "E506", "no JSON-RPC response"),
        ] {
            let failure = lie(&plugin, told).await.unwrap_err();
            let Cause::GuestError { code, message, .. } = &failure.cause else { panic!("{told}: {failure}") };
            assert_eq!(code, expected, "{told}: {message}");
            assert!(message.contains(words), "{told}: {message}");
            // Whoever answers so is asked no more.
            assert_eq!(call(&plugin, "calls", json!([])).await.unwrap(), json!(1), "after {told}");
        }
        assert_eq!(lie(&plugin, "null").await.unwrap(), json!(null));
    });
}

#[test]
fn a_program_has_nobody_to_ask() {
    let Some(ground) = Ground::of("a_program_has_nobody_to_ask") else { return };
    block_on(async {
        let plugin = ground.load(|_| {}).await.unwrap();
        assert_eq!(lie(&plugin, "asks").await.unwrap(), json!(-32601));
    });
}

#[test]
fn a_body_that_is_no_json_is_the_callers_mistake() {
    let Some(ground) = Ground::of("a_body_that_is_no_json_is_the_callers_mistake") else { return };
    block_on(async {
        let plugin = ground.load(|_| {}).await.unwrap();
        call(&plugin, "echo", json!([])).await.unwrap();
        let failure = plugin.call_raw("library.call", b"{").await.unwrap_err();
        let Cause::GuestError { code, .. } = &failure.cause else { panic!("{failure}") };
        assert_eq!(code, "E501");
        // The program has nothing to do with that.
        assert_eq!(call(&plugin, "calls", json!([])).await.unwrap(), json!(2));
    });
}

#[test]
fn a_program_that_closes_its_output_is_told_so() {
    let Some(ground) = Ground::of("a_program_that_closes_its_output_is_told_so") else { return };
    block_on(async {
        let plugin = ground.load(|_| {}).await.unwrap();
        let failure = call(&plugin, "close_output", json!([])).await.unwrap_err();
        let Cause::GuestError { code, .. } = &failure.cause else { panic!("{failure}") };
        assert_eq!(code, "E504");
    });
}

#[test]
fn a_program_that_cannot_be_started_is_not_loaded() {
    let Some(ground) = Ground::of("a_program_that_cannot_be_started_is_not_loaded") else { return };
    let broken = ground.folder.join("broken");
    fs::write(&broken, "\u{7f}ELF and no more").unwrap();
    fs::set_permissions(&broken, fs::Permissions::from_mode(0o755)).unwrap();
    let script = ground.folder.join("script");
    fs::write(&script, "#!/nowhere/interpreter\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    block_on(async {
        for (words, expected) in [
            (&["casemate-no-such-program"][..], "there is no such program in /usr/local/bin"),
            (&["./nothing"], "No such file"),
            (&["./library.py"], "chmod +x"),
            (&["./broken"], "E500"),
            (&["./script"], "E500"),
            // It ends without a word.
            (&["true"], "exit code 0"),
            (&["python3", "-c", "raise SystemExit(3)"], "exit code 3"),
            // It answers something else.
            (&["yes"], "E506"),
        ] {
            let failure = ground.load_words(words, policy(|_| {})).await.unwrap_err();
            assert!(failure.to_string().contains(expected), "{words:?}: {failure}");
        }
    });
}
