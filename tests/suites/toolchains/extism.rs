//! Extism's plugins in Extism itself, and here.

use super::is_there;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use casemate::{Casemate, Cause, HostReply, HostRequest};
use casemate_tests::{block_on, guests, policy};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Command, Stdio};

const HOST: &str = include_str!("extism.py");

/// A call's end: what came out, or the words of its error.
type Answer = Result<Vec<u8>, String>;

/// What Extism makes of these calls, one after the other in one plugin.
fn in_extism(guest: &str, config: &Value, calls: &[(&str, Vec<u8>)]) -> Vec<Answer> {
    let python = std::env::var_os("EXTISM_PYTHON").expect("EXTISM_PYTHON names a Python that has Extism");
    let mut host = Command::new(python)
        .args(["-c", HOST])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let calls: Vec<Value> = calls.iter().map(|(name, body)| json!([name, STANDARD.encode(body)])).collect();
    let manifest = json!({"wasm": [{"path": guests::rust(guest)}], "config": config});
    let order = json!({"manifest": manifest, "calls": calls}).to_string();
    host.stdin.take().unwrap().write_all(order.as_bytes()).unwrap();
    let output = host.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    let answer = |line: &str| {
        let answer: Value = serde_json::from_str(line).unwrap();
        match answer["output"].as_str() {
            Some(output) => Ok(STANDARD.decode(output).unwrap()),
            None => Err(answer["error"].as_str().unwrap().to_owned()),
        }
    };
    String::from_utf8(output.stdout).unwrap().lines().map(answer).collect()
}

/// The same here.
async fn here(guest: &str, config: &Value, calls: &[(&str, Vec<u8>)]) -> Vec<Answer> {
    let casemate = Casemate::embedded().unwrap();
    casemate.on_raw("shout", |request: HostRequest| async move {
        let body = String::from_utf8_lossy(&request.body).to_uppercase().into_bytes();
        Ok(HostReply { content_type: 0, body })
    });
    let granted = policy(|spec| {
        // Variables are an instance's.
        spec.instances.max = 1;
        spec.host = vec!["shout".to_owned()];
    });
    let config = Some(config.to_string().into_bytes());
    let plugin = casemate.load_with(guests::rust(guest), granted, config).await.unwrap();
    let mut answers = Vec::new();
    for (name, body) in calls {
        answers.push(plugin.call_raw(name, body).await.map_err(|failure| match failure.cause {
            Cause::GuestError { message, .. } => message,
            other => panic!("{guest}: {name}: {other:?}"),
        }));
    }
    casemate.shutdown().await;
    answers
}

#[test]
fn three_plugins_answer_in_extism_as_they_do_here() {
    if !is_there("three_plugins_answer_in_extism_as_they_do_here", "extism") {
        return;
    }
    let long: Vec<u8> = (0..=255).cycle().take(300_001).collect();
    let call = |name, body: &str| (name, body.as_bytes().to_vec());
    let none = json!({});
    let rows = [
        (
            "extism_vowels",
            &none,
            vec![
                call("count_vowels", "Hello, World!"),
                call("count_vowels", "Übermut"),
                call("count_vowels", ""),
                ("echo", long),
                call("echo", ""),
            ],
        ),
        (
            "extism_counter",
            &none,
            vec![
                call("add", "40"),
                call("add", "2"),
                call("add", "two"),
                call("add", "1"),
                call("forget", ""),
                call("add", "7"),
            ],
        ),
        ("extism_greet", &none, vec![call("greet", "Ada"), call("greet_loudly", "Ada")]),
        ("extism_greet", &json!({"greeting": "Moin"}), vec![call("greet", "Ada"), call("greet_loudly", "ß")]),
    ];
    for (guest, config, calls) in rows {
        let theirs = in_extism(guest, config, &calls);
        let ours = block_on(here(guest, config, &calls));
        assert_eq!(theirs.len(), calls.len(), "{guest}");
        for (((name, _), theirs), ours) in calls.iter().zip(theirs).zip(ours) {
            assert_eq!(ours, theirs, "{guest}: {name}");
        }
    }
}
