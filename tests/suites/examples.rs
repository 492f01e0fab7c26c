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
use casemate_tests::scratch::Scratch;
use casemate_tests::{guests, skip};
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

#[test]
fn a_signal_k_server_plays_a_track_into_two_plugins() {
    let files = [guests::rust("signalk_anchor"), guests::rust("signalk_units"), guests::data("track.jsonl")];
    let ran = run(&example("signalk"), &files);
    assert_eq!(ran.code, 0, "{ran:?}");
    // At anchor, it swings; the fifth place is beyond the circle.
    let lines: Vec<&str> = ran.out.lines().collect();
    let of = |path: &str| lines.iter().filter(|line| line.contains(path)).copied().collect::<Vec<_>>();
    let distances = ["0.0", "12.0", "17.0", "16.0", "45.0", "72.0"]
        .map(|metres| format!("  signalk_anchor: navigation.anchor.distance = {metres}"));
    assert_eq!(of("anchor.distance"), distances, "{}", ran.out);
    assert_eq!(of("alarm"), ["  signalk_anchor: navigation.anchor alarm: it drags"; 2]);
    let knots = ["0.2", "0.4", "0.4", "0.2", "1.2", "1.7"]
        .map(|knots| format!("  signalk_units: units.navigation.speedOverGround.kn = {knots}"));
    assert_eq!(of("kn ="), knots);
    assert_eq!(of("C =")[0], "  signalk_units: units.environment.water.temperature.C = 17.3");
    assert_eq!(of("deg =")[2], "  signalk_units: units.navigation.courseOverGroundTrue.deg = 171.9");
    assert_eq!(lines.last(), Some(&"  signalk_anchor: stopped"));
}

#[test]
fn a_spacedrive_core_has_a_ledger_made_of_receipts() {
    let test = "a_spacedrive_core_has_a_ledger_made_of_receipts";
    if !is_program("tesseract") {
        let why = "there is no tesseract: install tesseract-ocr (Debian, Ubuntu), as `cargo xtask test` does";
        assert!(std::env::var_os("CI").is_none_or(|ci| ci.is_empty() || ci == "false"), "{why}");
        return skip(test, why);
    }
    let folder = Scratch::new();
    let [plugins, receipts, data] = ["plugins", "receipts", "data"].map(|name| folder.join(name));
    std::fs::create_dir_all(plugins.join("finance")).unwrap();
    std::fs::create_dir(&receipts).unwrap();
    let manifest = json!({
        "id": "finance", "name": "Finance", "version": "0.1.0", "description": "Receipts", "author": "A",
        "wasm_file": "finance.wasm",
        "permissions": {"methods": ["ai.", "vdfs.write_sidecar", "credentials."], "libraries": ["*"]},
    });
    std::fs::write(plugins.join("finance/manifest.json"), manifest.to_string()).unwrap();
    std::fs::copy(guests::rust("spacedrive_finance"), plugins.join("finance/finance.wasm")).unwrap();
    for receipt in ["receipt-marina.png", "receipt-market.png"] {
        std::fs::copy(guests::data(receipt), receipts.join(receipt)).unwrap();
    }
    // The second time it has its secrets already.
    for _ in 0..2 {
        let ran = run(&example("finance"), &[&plugins, &receipts, &data]);
        assert_eq!(ran.code, 0, "{ran:?}");
        let asked: Vec<&str> = ran
            .out
            .lines()
            .filter(|line| line.starts_with("query:") || line.starts_with("action:"))
            .collect();
        let expected = [
            "action:credentials.store",
            "query:credentials.get",
            "query:ai.ocr",
            "query:ai.classify_text",
            "query:ai.ocr",
            "query:ai.classify_text",
            "action:vdfs.write_sidecar",
        ];
        assert_eq!(asked, expected);
        let table = "scan_receipts: done\n\
                     receipt-marina.png     OSTSEE MARINA    travel        71.85\n\
                     receipt-market.png     FJORD MARKET     groceries     12.49\n\
                     together                                              84.34\n";
        assert!(ran.out.ends_with(table), "{}", ran.out);
    }
    // Its secret is at rest, and nobody reads it there.
    let kept = std::fs::read_to_string(data.join("credentials.json")).unwrap();
    assert!(kept.contains("imap") && !kept.contains("password"), "{kept}");
}

#[test]
fn an_ideanet_shows_the_blocks_of_its_plugin() {
    let module = guests::rust("ideanet_custom_block").display().to_string();
    let ran = run(&example("blocks"), &[module.as_str(), "a first idea", "and < another"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let said = "my-custom-block: My Custom Block is shown by ideanet_custom_block.MyCustomBlockComponent\n\
                <p>a first idea</p>\n  data.processed {\"text\":\"a first idea\"}\n\
                <p>and &lt; another</p>\n  data.processed {\"text\":\"and < another\"}\n";
    assert_eq!(ran.out, said);
}

fn is_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}
