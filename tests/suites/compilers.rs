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
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
        type Change = fn(&mut Config);
        let forgeries: [(&str, &str, Change); 5] = [
            ("compiler-nothing", "not what a compiler writes", |_| {}),
            ("compiler-garbage", "not what a compiler writes", |_| {}),
            ("compiler-too-much", "output cap is", |_| {}),
            ("compiler-hangs", "wall-clock cap is 2000 ms", |config| config.compile_timeout = HASTE),
            ("compiler-hangs", "CPU cap is 1 s", |config| config.compile_cpu_seconds = 1),
        ];
        // Where there are namespaces the kernel treats a compiler as an init, which some signals do not end.
        for (namespaces, (behaviour, words, change)) in
            [true, false].into_iter().flat_map(|tier| forgeries.map(|forgery| (tier, forgery)))
        {
            let change = |config: &mut Config| {
                change(config);
                config.namespaces = namespaces;
            };
            let failure = refusal(&hostile(behaviour, change), minimal()).await;
            assert_eq!(failure.code(), "compiler.lost", "{behaviour}, namespaces {namespaces}");
            assert!(failure.to_string().contains(words), "{behaviour}, namespaces {namespaces}: {failure}");
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
            (
                "a report beyond its limit",
                [[0, 0, 5, 0].as_slice(), &[0; 5 << 16]].concat(),
                "report is broken",
            ),
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

/// A supervisor whose compilers have so much time and memory.
fn capped(cpu_seconds: u64, memory_bytes: u64) -> Casemate {
    let caps = move |config: &mut Config| {
        config.compile_cpu_seconds = cpu_seconds;
        config.compile_memory_bytes = memory_bytes;
    };
    Casemate::builder().configure(caps).build().unwrap()
}

#[test]
fn bombs_within_every_limit_end_in_a_cap_and_disturb_nobody() {
    block_on(async {
        let (hasty, small) = (capped(1, 2 << 30), capped(60, 128 << 20));
        let sibling = Sibling::start(&hasty).await;
        let bombs = [
            ("100,000 functions", &hasty, Bomb::functions(99_996), "its CPU cap is 1 s"),
            ("50,000 locals", &hasty, Bomb::locals(49_999), "its CPU cap is 1 s"),
            ("huge br_tables", &small, Bomb::br_table(65_520), "its memory cap is 134217728 bytes"),
            ("deep nesting", &small, Bomb::nesting(), "its memory cap is 134217728 bytes"),
        ];
        for (what, casemate, bomb, cap) in bombs {
            let failure = casemate.load(bomb.wasm(), Policy::default()).await.unwrap_err();
            assert_eq!(
                (failure.code().as_str(), failure.retry),
                ("compiler.lost", Retry::NotStarted),
                "{what}"
            );
            assert!(failure.to_string().contains(cap), "{what}: {failure}");
        }
        assert!(sibling.stop().await > 100, "calls that were answered meanwhile");
    });
}

/// The same in a component, whose compiler may take twice the time and half as much memory again.
#[test]
fn bombs_in_a_component_end_in_its_own_caps() {
    block_on(async {
        // What is no bomb is compiled: the caps are what ends the others.
        let (hasty, small) = (capped(1, 2 << 30), capped(60, 128 << 20));
        let honest = small.load(bombs::component(&minimal()), Policy::default()).await.unwrap();
        assert_eq!(honest.call::<_, u32>("abi", &()).await.unwrap(), 1);
        let sibling = Sibling::start(&hasty).await;
        let bombs = [
            ("100,000 functions", &hasty, Bomb::functions(99_996), "its CPU cap is 2 s"),
            ("50,000 locals", &hasty, Bomb::locals(49_999), "its CPU cap is 2 s"),
            ("huge br_tables", &small, Bomb::br_table(65_520), "its memory cap is 201326592 bytes"),
            ("deep nesting", &small, Bomb::nesting(), "its memory cap is 201326592 bytes"),
        ];
        for (what, casemate, bomb, cap) in bombs {
            let failure = casemate.load(bombs::component(&bomb.wasm()), Policy::default()).await.unwrap_err();
            assert_eq!(
                (failure.code().as_str(), failure.retry),
                ("compiler.lost", Retry::NotStarted),
                "{what}: {failure}"
            );
            assert!(failure.to_string().contains(cap), "{what}: {failure}");
        }
        assert!(sibling.stop().await > 100, "calls that were answered meanwhile");
    });
}

/// Somebody who goes on calling a plugin of the same supervisor.
struct Sibling {
    done: Arc<AtomicBool>,
    calling: tokio::task::JoinHandle<u32>,
}

impl Sibling {
    async fn start(casemate: &Casemate) -> Self {
        let plugin = casemate.load(minimal(), Policy::default()).await.unwrap();
        let done = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&done);
        let calling = tokio::spawn(async move {
            let mut calls = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                let input = calls.to_le_bytes();
                assert_eq!(plugin.call_raw("m", &input).await.unwrap(), input);
                calls += 1;
            }
            calls
        });
        Self { done, calling }
    }

    /// How many calls it made; each was answered within its deadline.
    async fn stop(self) -> u32 {
        self.done.store(true, Ordering::Relaxed);
        self.calling.await.unwrap()
    }
}
