//! Bad input: every mistake gets one line that names the thing and what to do, and leaves no process behind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use casemate::{Cause, LayerSet, Policy, PolicySpec, Retry};
use casemate_tests::{block_on, casemate, guests, is_embedded, limits, processes};
use std::time::Duration;

#[test]
fn modules_that_are_none_are_refused_by_name() {
    let wasm = std::fs::read(guests::wat("minimal")).unwrap();
    let truncated = wasm[..wasm.len() / 2].to_vec();
    let elf = std::fs::read("/proc/self/exe").unwrap()[..4096].to_vec();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", Vec::new(), "module.not_wasm"),
        ("text", b"hello".to_vec(), "module.not_wasm"),
        ("ELF", elf, "module.not_wasm"),
        ("truncated", truncated, "module.invalid"),
        ("emscripten", std::fs::read(guests::wat("emscripten_like")).unwrap(), "module.emscripten"),
        ("napi", std::fs::read(guests::wat("napi_like")).unwrap(), "module.napi"),
    ];
    block_on(async {
        let casemate = casemate();
        for (name, bytes, code) in cases {
            let failure = casemate.load(bytes, Policy::default()).await.unwrap_err();
            assert_eq!(
                (failure.code().as_str(), failure.retry),
                (code, Retry::NotStarted),
                "{name}: {failure}"
            );
            assert!(!failure.to_string().contains('\n'), "{name}: one line: {failure}");
        }
        if is_embedded("what is left of refused modules") {
            processes::await_none(&casemate.marker(), Duration::from_secs(20));
        }
    });
}

#[test]
fn native_code_is_never_taken() {
    // A compiled module looks like an ELF file, whoever made it.
    let mut forged = b"\x7fELF\x02\x01\x01".to_vec();
    forged.resize(10_000, 0);
    block_on(async {
        let failure = casemate().load(forged, Policy::default()).await.unwrap_err();
        assert_eq!(failure.code(), "module.not_wasm");
    });
}

#[test]
fn imports_and_exports_that_do_not_fit_are_named() {
    block_on(async {
        let casemate = casemate();
        for (guest, named) in [
            ("unknown_import", "mystery"),
            ("wrong_signature", "casemate_call"),
            ("missing_call", "casemate_call"),
            ("no_memory", "memory"),
        ] {
            let failure = casemate.load(guests::wat(guest), Policy::default()).await.unwrap_err();
            assert!(failure.code().starts_with("module."), "{guest}: {failure}");
            assert!(failure.to_string().contains(named), "{guest}: {failure}");
        }
    });
}

#[test]
fn files_that_cannot_be_read_are_named() {
    block_on(async {
        let casemate = casemate();
        for path in ["/nonexistent/plugin.wasm", "/proc", "/dev/null"] {
            let failure = casemate.load(path, Policy::default()).await.unwrap_err();
            assert!(matches!(&failure.cause, Cause::File { path: named, .. } if named == path), "{failure}");
        }
    });
}

#[test]
fn bytes_of_a_module_may_be_anything() {
    // Each byte of a small module flipped: every one is an answer, a refusal or a failed call, and never a hang.
    let wasm = std::fs::read(guests::wat("minimal")).unwrap();
    block_on(async {
        let casemate = casemate();
        for offset in (0..wasm.len()).step_by(wasm.len().div_ceil(24)) {
            let mut bytes = wasm.clone();
            bytes[offset] ^= 0xff;
            let policy = limits(|limits| limits.call_timeout = Duration::from_secs(2));
            if let Ok(plugin) = casemate.load(bytes, policy).await {
                let _ = plugin.call_raw("m", b"x").await;
                plugin.close().await.unwrap();
            }
        }
        let good = casemate.load(wasm, Policy::default()).await.unwrap();
        assert_eq!(good.call_raw("m", b"x").await.unwrap(), b"x");
    });
}

#[test]
fn policies_out_of_range_name_key_and_bounds() {
    type Change = fn(&mut PolicySpec);
    let wrong: [(&str, Change); 6] = [
        ("limits.memory", |spec| spec.limits.memory_bytes = 1),
        ("limits.memory", |spec| spec.limits.memory_bytes = u64::MAX),
        ("limits.stack", |spec| spec.limits.stack_bytes = 1),
        ("limits.call_timeout", |spec| spec.limits.call_timeout = Duration::ZERO),
        ("limits.grace", |spec| spec.limits.grace = Duration::from_secs(3600)),
        ("instances.max", |spec| spec.instances.max = 0),
    ];
    for (key, change) in wrong {
        let mut spec = PolicySpec::default();
        change(&mut spec);
        let error = Policy::new(spec).unwrap_err().to_string();
        assert!(error.contains(key) && error.contains("must be from"), "{error}");
    }
}

#[test]
fn a_layer_that_is_missing_is_refused_and_named() {
    block_on(async {
        let casemate =
            casemate::Casemate::builder().configure(|config| config.namespaces = false).build().unwrap();
        let policy = casemate_tests::policy(|spec| spec.require = LayerSet::named("namespaces").unwrap());
        let failure = casemate.load(guests::wat("minimal"), policy).await.unwrap_err();
        assert_eq!(failure.code(), "layers.missing");
        assert!(failure.to_string().contains("pid-namespace"), "{failure}");
        if is_embedded("what is left of refused modules") {
            processes::await_none(&casemate.marker(), Duration::from_secs(20));
        }
    });
}
