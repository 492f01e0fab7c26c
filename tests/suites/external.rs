//! Native programs: what they are called with and answer, what each wall keeps them from, how they live and end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

#[path = "external/attacks.rs"]
mod attacks;
#[path = "external/degraded.rs"]
mod degraded;
#[path = "external/ground.rs"]
mod ground;
#[path = "external/lies.rs"]
mod lies;
#[path = "external/life.rs"]
mod life;
#[path = "external/root.rs"]
mod root;
#[path = "external/unwalled.rs"]
mod unwalled;

use casemate::Cause;
use casemate::certificate::{Layer, Status};
use casemate_tests::{block_on, host};
use ground::{Ground, call};
use serde_json::{Value, json};

#[test]
fn scenario() {
    host::run(&[
        ("busy", life::busy),
        ("idle", life::idle),
        ("degraded", degraded::host),
        ("parent", unwalled::parent),
    ]);
}

#[test]
fn a_program_is_called_as_a_module_is() {
    let Some(ground) = Ground::of("a_program_is_called_as_a_module_is") else { return };
    block_on(async {
        let plugin = ground.load(|_| {}).await.unwrap();
        let values = json!([1, "two\nthree", null, {"four": [5.5, true]}]);
        assert_eq!(call(&plugin, "echo", values.clone()).await.unwrap(), values);
        let statistics = call(&plugin, "statistics", json!([[1, 2, 3]])).await.unwrap();
        assert_eq!(statistics, json!({"count": 3, "sum": 6, "mean": 2.0}));
        let doc: Value = plugin.call("library.doc", &json!({})).await.unwrap();
        assert_eq!(doc, json!("A library for tests."));
        let check = json!({"function": "exists", "args": ["/etc/shadow"], "workspace": "/"});
        let checked: Value = plugin.call("library.check", &check).await.unwrap();
        assert_eq!(checked, json!({"Fail": "exists does not hold"}));
        let metadata: Value = plugin.call("library.metadata", &json!({})).await.unwrap();
        assert_eq!(metadata["version"], "1.0.0");
        // One process answers them all.
        assert_eq!(call(&plugin, "calls", json!([])).await.unwrap(), json!(3));
    });
}

#[test]
fn an_error_of_the_programs_own_is_the_guests() {
    let Some(ground) = Ground::of("an_error_of_the_programs_own_is_the_guests") else { return };
    block_on(async {
        let plugin = ground.load(|_| {}).await.unwrap();
        let failure = plugin.call::<_, Value>("library.nothing", &json!({})).await.unwrap_err();
        let Cause::GuestError { code, message, .. } = failure.cause else { panic!("{failure}") };
        assert_eq!((code.as_str(), message.as_str()), ("-32601", "there is no library.nothing"));
        let failure = call(&plugin, "statistics", json!([[]])).await.unwrap_err();
        let Cause::GuestError { code, message, .. } = failure.cause else { panic!("{failure}") };
        assert_eq!((code.as_str(), message.as_str()), ("-32000", "ZeroDivisionError: division by zero"));
        // It goes on, in the same process.
        assert_eq!(call(&plugin, "calls", json!([])).await.unwrap(), json!(2));
    });
}

#[test]
fn the_certificate_says_what_was_seen_and_what_a_program_cannot_have() {
    let Some(ground) = Ground::of("the_certificate_says_what_was_seen") else { return };
    block_on(async {
        let plugin = ground.load(|_| {}).await.unwrap();
        let certificate = plugin.certificate();
        assert_eq!(certificate.profile.name(), "external");
        for layer in [
            Layer::Seccomp,
            Layer::ViolationReports,
            Layer::NoNewPrivs,
            Layer::Capabilities,
            Layer::UserNamespace,
            Layer::PidNamespace,
            Layer::NetNamespace,
            Layer::IpcNamespace,
            Layer::UtsNamespace,
            Layer::MountNamespace,
            Layer::ResourceLimits,
            Layer::WriteXorExecute,
            Layer::UnprivilegedUid,
        ] {
            assert_eq!(certificate.layers.get(&layer), Some(&Status::Observed), "{layer}: {certificate:?}");
        }
        for layer in [Layer::EmptyRoot, Layer::SingleThread, Layer::SealedCode, Layer::SealedProgram] {
            assert!(matches!(certificate.layers.get(&layer), Some(Status::Off { .. })), "{layer}");
        }
        // Who demands those gets no program.
        let demanding = ground.load(|spec| spec.require = [Layer::EmptyRoot].into_iter().collect()).await;
        let failure = demanding.unwrap_err();
        assert_eq!(failure.code(), "layers.missing", "{failure}");
    });
}

#[test]
fn standard_error_is_the_log() {
    use std::sync::{Arc, Mutex};
    let Some(ground) = Ground::of("standard_error_is_the_log") else { return };
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&heard);
    let casemate = casemate::Casemate::builder()
        .on_log(move |record| sink.lock().unwrap().push(record.message))
        .build()
        .unwrap();
    let ground = Ground { casemate, ..ground };
    block_on(async {
        let plugin = ground.load(|_| {}).await.unwrap();
        call(&plugin, "complain", json!(["one\ntwo\u{1b}[2J"])).await.unwrap();
        let heard = heard.lock().unwrap().clone();
        assert!(heard.iter().any(|line| line == "one"), "{heard:?}");
        assert!(heard.iter().any(|line| line.starts_with("two") && !line.contains('\u{1b}')), "{heard:?}");
        assert_eq!(heard.len(), 2, "{heard:?}");
    });
}
