//! The examples of the client library, run as their own headings say.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use casemate_tests::command::{example, run};
use casemate_tests::daemon::{GENEROUS, Served};
use casemate_tests::guests;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

fn statistics() -> String {
    guests::rust("statistics").display().to_string()
}

#[test]
fn a_command_prints_what_the_plugin_answers_and_says_how_it_failed() {
    let module = statistics();
    let ran = run(&example("command"), &[module.as_str(), "1", "2", "6"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "average 3, from 1 to 6\n"), "{ran:?}");
    let ran = run(&example("command"), &[module.as_str()]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("guest.error") && ran.err.contains("it has run"), "{ran:?}");
    let ran = run(&example("command"), &["/nonexistent.wasm", "1"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("/nonexistent.wasm") && ran.err.contains("nothing has happened"), "{ran:?}");
}

#[test]
fn threads_call_without_a_runtime_of_their_own_embedded_and_connected() {
    let averages = "[1.0,1.5,2.0,2.5]\n";
    let ran = run(&example("thread"), &[statistics()]);
    assert_eq!((ran.code, ran.out.as_str()), (0, averages), "{ran:?}");
    let served = Served::start(&format!("version = 1\n{GENEROUS}"));
    let ran = run(&example("thread"), &[statistics(), served.socket().display().to_string()]);
    assert_eq!((ran.code, ran.out.as_str()), (0, averages), "{ran:?}");
}

/// The service, on a port of the kernel's choice; dropping it kills it.
struct Service {
    child: Child,
    address: String,
}

impl Service {
    fn start(module: &str) -> Self {
        let mut child = Command::new(example("service"))
            .args([module, "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").expect("its address").to_owned();
        Self { child, address }
    }

    /// The status and the body of the answer to a request.
    fn post(&self, method: &str, headers: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        let request = format!(
            "POST /call/{method} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n{headers}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_service_answers_over_http_and_passes_the_trace_on() {
    let service = Service::start(&statistics());
    let (status, stats) = service.post("stats", "", r#"{"numbers": [1, 2, 3]}"#);
    assert_eq!((status, &stats["average"]), (200, &json!(2.0)));
    let (status, failed) = service.post("stats", "", r#"{"numbers": []}"#);
    assert_eq!((status, failed["code"].as_str()), (422, Some("guest.error")), "{failed}");
    let service = Service::start(&guests::rust("herald").display().to_string());
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let (status, context) = service.post("context", &format!("traceparent: {trace}\r\n"), "null");
    assert_eq!((status, context["traceparent"].as_str()), (200, Some(trace)), "{context}");
    assert!(context["remaining_ms"].as_u64().unwrap() <= 10_000, "{context}");
}
