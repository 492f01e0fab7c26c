//! The compiler as the module's victim: bombs that end in its caps, and compilers that are already lost.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

#[path = "compilers/bombs.rs"]
mod bombs;
#[path = "compilers/forged.rs"]
mod forged;

use bombs::Bomb;
use casemate::cache::{Cache, CachePlaces};
use casemate::{Casemate, Failure, Policy, Retry};
use casemate_supervisor::Config;
use casemate_tests::scratch::Scratch;
use casemate_tests::{block_on, guests, processes};
use forged::{Output, carried_by};
use std::time::Duration;

/// For a compiler that hangs; a real one is long done by then.
const HASTE: Duration = Duration::from_secs(2);

fn hostile(behaviour: &str, change: impl FnOnce(&mut Config)) -> Casemate {
    let change = |config: &mut Config| {
        config.use_compiler_adversary(behaviour);
        change(config);
    };
    Casemate::builder().configure(change).build().unwrap()
}

async fn refusal(casemate: &Casemate, wasm: Vec<u8>) -> Failure {
    let failure = casemate.load(wasm, Policy::default()).await.unwrap_err();
    assert_eq!(failure.retry, Retry::NotStarted, "{failure}");
    assert!(!failure.to_string().contains('\n'), "one line: {failure}");
    processes::await_none(&casemate.marker(), Duration::from_secs(20));
    failure
}

fn minimal() -> Vec<u8> {
    std::fs::read(guests::wat("minimal")).unwrap()
}

#[test]
fn lost_compilers_are_told_apart() {
    block_on(async {
        let wall = |config: &mut Config| config.compile_timeout = HASTE;
        let cpu = |config: &mut Config| config.compile_cpu_seconds = 1;
        let forgeries: [(&str, &str, fn(&mut Config)); 5] = [
            ("compiler-nothing", "not what a compiler writes", |_| {}),
            ("compiler-garbage", "not what a compiler writes", |_| {}),
            ("compiler-too-much", "output cap is", |_| {}),
            ("compiler-hangs", "wall-clock cap is 2000 ms", wall),
            ("compiler-hangs", "CPU cap is 1 s", cpu),
        ];
        for (behaviour, words, change) in forgeries {
            let failure = refusal(&hostile(behaviour, change), minimal()).await;
            assert_eq!(failure.code(), "compiler.lost", "{behaviour}");
            assert!(failure.to_string().contains(words), "{behaviour}: {failure}");
        }
    });
}

#[test]
fn a_lost_compiler_has_no_system_call_to_spare() {
    block_on(async {
        let failure = refusal(&hostile("compiler-opens", |_| {}), minimal()).await;
        assert_eq!(failure.code(), "violation.syscall");
        assert!(failure.to_string().contains("open"), "{failure}");
    });
}

#[test]
fn numbers_that_a_compiler_dictates_are_not_believed() {
    block_on(async {
        let casemate = hostile("compiler-dictated", |_| {});
        let outputs: [(&str, Vec<u8>, &str); 4] = [
            ("a report of 4 GiB", vec![0xff; 4], "not what a compiler writes"),
            ("a report beyond its limit", [[0, 0, 5, 0].as_slice(), &[0; 5 << 16]].concat(), "report is broken"),
            ("a report without an end", vec![9, 0, 0, 0, 1], "not what a compiler writes"),
            ("an empty report", vec![0; 4], "report is broken"),
        ];
        for (what, output, words) in outputs {
            let failure = refusal(&casemate, carried_by(&minimal(), &output)).await;
            assert_eq!(failure.code(), "compiler.lost", "{what}");
            assert!(failure.to_string().contains(words), "{what}: {failure}");
        }
    });
}

#[test]
fn code_that_a_compiler_dictates_is_the_dictating_modules_alone() {
    let folder = Scratch::new();
    let places = CachePlaces::new(folder.join("cache"), folder.join("state"));
    block_on(async {
        let wasm = minimal();
        let real = Output::of(&wasm, &places).await;
        let config = |config: &mut Config| config.use_compiler_adversary("compiler-dictated");
        let hostile = Casemate::builder().cache(places.clone()).configure(config).build().unwrap();
        let kept = || Cache::open(&places).unwrap().list().unwrap().entries.len();

        // Report and code of another module, as they are.
        let failure = refusal(&hostile, carried_by(&wasm, &real.bytes(&real.facts))).await;
        assert!(failure.to_string().contains("about another module"), "{failure}");

        // More code than announced, and less.
        for (change, words) in [(1_i64, "announced"), (-1, "announced")] {
            let described = casemate::module::Code {
                cwasm_bytes: real.described.cwasm_bytes.saturating_add_signed(change),
                ..real.described
            };
            let forged = Output { described, facts: real.facts.clone(), code: real.code.clone() };
            let failure = refusal(&hostile, forged.dictated_by(&wasm)).await;
            assert!(failure.to_string().contains(words), "{failure}");
        }

        // Code that is none: the engine refuses it, behind its walls.
        let garbage = Output { code: vec![0xa5; real.code.len()], facts: real.facts.clone(), ..real };
        let failure = refusal(&hostile, garbage.dictated_by(&wasm)).await;
        assert_eq!(failure.code(), "spawn.failed", "{failure}");
        assert_eq!(kept(), 1, "nothing of all that is kept");

        // Another module's code, under a true report: it runs, walled in as any code, as what the dictating module made
        // of itself. Nobody else ever gets it, though the cache is the same.
        let other = Output { code: real.code.clone(), facts: real.facts.clone(), ..real };
        let carrier = other.dictated_by(&wasm);
        let plugin = hostile.load(carrier.clone(), Policy::default()).await.unwrap();
        assert_eq!(plugin.call_raw("m", b"x").await.unwrap(), b"x");
        assert_eq!(kept(), 2);
        let honest = Casemate::builder().cache(places.clone()).build().unwrap();
        let plugin = honest.load(carrier, Policy::default()).await.unwrap();
        assert!(!plugin.from_cache(), "code of another compiler");
        let plugin = honest.load(wasm, Policy::default()).await.unwrap();
        assert!(plugin.from_cache());
        assert_eq!(plugin.call_raw("m", b"x").await.unwrap(), b"x");
    });
}

/// What is small to write is refused before anything is made of it.
#[test]
fn bombs_beyond_a_limit_are_refused_by_its_name() {
    block_on(async {
        let casemate = casemate_tests::casemate();
        let mut long = Bomb::nesting();
        long.body.extend([1; 64]);
        let bombs = [
            ("100,001 functions", Bomb::functions(99_997), "module.too_large", "100000"),
            ("a br_table of 65,521", Bomb::br_table(65_521), "module.compile_failed", "65520"),
            ("50,001 locals", Bomb::locals(50_001), "module.invalid", "locals"),
            ("a function of 2 MiB and a byte", long, "module.too_large", "2097152"),
        ];
        for (what, bomb, code, words) in bombs {
            let failure = refusal(&casemate, bomb.wasm()).await;
            assert_eq!(failure.code(), code, "{what}: {failure}");
            assert!(failure.to_string().contains(words), "{what}: {failure}");
        }
    });
}

#[test]
fn bombs_within_every_limit_end_in_a_cap_and_disturb_nobody() {
    block_on(async {
        let casemate = Casemate::builder()
            .configure(|config| {
                config.compile_cpu_seconds = 1;
                config.compile_memory_bytes = 512 << 20;
            })
            .build()
            .unwrap();
        let plugin = casemate.load(minimal(), Policy::default()).await.unwrap();
        let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let sibling = tokio::spawn({
            let (plugin, done) = (plugin.clone(), done.clone());
            async move {
                let mut calls = 0_u32;
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    assert_eq!(plugin.call_raw("m", &calls.to_le_bytes()).await.unwrap(), calls.to_le_bytes());
                    calls += 1;
                }
                calls
            }
        });
        let bombs = [
            ("100,000 functions", Bomb::functions(99_996)),
            ("50,000 locals", Bomb::locals(49_999)),
            ("huge br_table", Bomb::br_table(65_520)),
            ("deep nesting", Bomb::nesting()),
        ];
        for (what, bomb) in bombs {
            let wasm = bomb.wasm();
            let failure = casemate.load(wasm, Policy::default()).await.unwrap_err();
            println!("{what}: {failure}");
            assert_eq!(failure.code(), "compiler.lost", "{what}: {failure}");
            let text = failure.to_string();
            assert!(["CPU cap is 1 s", "memory cap is 536870912 bytes", "memory cap 536870912 bytes"].iter().any(|cap| text.contains(cap)), "{what}: {text}");
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        let calls = sibling.await.unwrap();
        assert!(calls > 100, "{calls} calls");
        drop(plugin);
    });
}
