//! Graphviz, which nobody here wrote: a program that nobody starts, and whose exports its own package calls.

use super::is_there;
use casemate::module::Dialect;
use casemate_tests::{block_on, casemate, guests, policy};
use serde_json::json;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

const HOST: &str = include_str!("graphviz.py");

const GRAPH: &str = "digraph { rankdir=LR; host -> supervisor -> zygote -> worker; worker -> host [style=dashed, \
                     label=\"länk\"] }";

#[test]
fn graphviz_draws_the_same_picture_to_the_last_byte() {
    let test = "graphviz_draws_the_same_picture_to_the_last_byte";
    if !is_there(test, "wasmtime") {
        return;
    }
    let module = guests::foreign("graphviz.wasm").expect("`cargo xtask guests` fetches it");
    for format in ["svg", "dot"] {
        let python = std::env::var_os("WASMTIME_PYTHON").expect("it names a Python that has wasmtime");
        let mut theirs = Command::new(python)
            .args(["-c", HOST])
            .arg(&module)
            .arg(format)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        theirs.stdin.take().unwrap().write_all(GRAPH.as_bytes()).unwrap();
        let theirs = theirs.wait_with_output().unwrap();
        assert!(theirs.status.success() && theirs.stdout.len() > 100, "{theirs:?}");

        let ours = block_on(async {
            // It exports `_start` too, and says nothing of which is meant.
            let library = policy(|spec| {
                spec.dialect = Some(Dialect::WasiReactor);
                spec.instances.max = 1;
                spec.limits.call_timeout = Duration::from_secs(60);
            });
            let plugin = casemate().load(&module, library).await.unwrap();
            let put = async |bytes: &[u8]| -> u32 {
                let address: u32 = plugin.call("malloc", &json!([bytes.len()])).await.unwrap();
                plugin.call_raw("memory.write", &[&address.to_le_bytes(), bytes].concat()).await.unwrap();
                address
            };
            let words = [GRAPH, format, "dot"].map(|word| format!("{word}\0").into_bytes());
            let (graph, kind) = (put(&words[0]).await, put(&words[1]).await);
            let (engine, length) = (put(&words[2]).await, put(&[0; 4]).await);
            let order = json!([graph, kind, engine, length]);
            let picture: u32 = plugin.call("graphviz_render", &order).await.unwrap();
            let read = async |address: u32, bytes: u32| {
                let which = json!([address, bytes]).to_string();
                plugin.call_raw("memory.read", which.as_bytes()).await.unwrap()
            };
            let bytes = read(length, 4).await;
            read(picture, u32::from_le_bytes(*bytes.first_chunk().unwrap())).await
        });
        assert_eq!(String::from_utf8_lossy(&ours), String::from_utf8_lossy(&theirs.stdout), "{format}");
    }
}
