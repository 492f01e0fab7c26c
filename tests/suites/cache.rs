//! The code cache through `load`: what is loaded is what was compiled of that module, whatever happens to the files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

#[path = "cache/forgeries.rs"]
mod forgeries;
#[path = "cache/hosts.rs"]
mod hosts;
#[path = "cache/machine.rs"]
mod machine;
#[path = "cache/shelf.rs"]
mod shelf;

use casemate::Policy;
use casemate_tests::{block_on, host, limits};
use shelf::{How, Shelf, load, wasm};

#[test]
fn scenario() {
    host::run(hosts::SCENARIOS);
}

#[test]
fn what_one_load_compiled_the_next_finds() {
    let shelf = Shelf::new();
    block_on(async {
        let casemate = shelf.supervisor();
        assert_eq!(load(&casemate, 'a').await.unwrap(), How::Compiled);
        assert_eq!(load(&casemate, 'a').await.unwrap(), How::Cached);
        assert_eq!(load(&casemate, 'b').await.unwrap(), How::Compiled);
        // Another supervisor, and one that could not compile it.
        assert_eq!(shelf.load('a').await, How::Cached);
        assert_eq!(load(&shelf.only_reader(), 'b').await.unwrap(), How::Cached);
        let failure = load(&shelf.only_reader(), 'c').await.unwrap_err();
        assert_eq!(failure.code(), "compiler.lost", "the control of the experiment: {failure}");
    });
    let listing = shelf.list();
    assert_eq!((listing.entries.len(), listing.quarantined.len(), listing.unfinished.0), (2, 0, 0));
}

#[test]
fn without_a_setting_nothing_is_kept() {
    block_on(async {
        let casemate = casemate_tests::casemate();
        for _ in 0..2 {
            assert_eq!(load(&casemate, 'a').await.unwrap(), How::Compiled);
        }
    });
}

#[test]
fn code_for_other_limits_is_other_code() {
    let shelf = Shelf::new();
    block_on(async {
        let casemate = shelf.supervisor();
        let other_stack = limits(|limits| limits.stack_bytes *= 2);
        let with_fuel = limits(|limits| limits.fuel = Some(1_000_000));
        // What is about the instance and not its code is no reason to compile.
        let other_memory = limits(|limits| limits.memory_bytes *= 2);
        for (policy, cached) in [
            (Policy::default(), false),
            (other_stack.clone(), false),
            (with_fuel.clone(), false),
            (other_memory, true),
            (other_stack, true),
            (with_fuel, true),
        ] {
            let plugin = casemate.load(wasm('a'), policy).await.unwrap();
            assert_eq!(plugin.call_raw("m", b"").await.unwrap(), b"a");
            assert_eq!(plugin.from_cache(), cached);
        }
    });
    assert_eq!(shelf.list().entries.len(), 3);
}

#[test]
fn loads_at_once_compile_once() {
    let shelf = Shelf::new();
    let hows = block_on(async {
        let casemate = shelf.supervisor();
        let loading: Vec<_> = (0..6)
            .map(|_| {
                let casemate = casemate.clone();
                tokio::spawn(async move { load(&casemate, 'a').await.unwrap() })
            })
            .collect();
        let mut hows = Vec::new();
        for loading in loading {
            hows.push(loading.await.unwrap());
        }
        hows
    });
    assert_eq!(hows.iter().filter(|how| **how == How::Compiled).count(), 1, "{hows:?}");
}

#[test]
fn a_module_that_is_refused_is_refused_each_time() {
    let shelf = Shelf::new();
    block_on(async {
        let casemate = shelf.supervisor();
        for _ in 0..2 {
            let failure = casemate.load(b"\0asm\x01\0\0\0".as_slice(), Policy::default()).await.unwrap_err();
            assert_eq!(failure.code(), "module.no_dialect");
        }
    });
    assert!(shelf.list().entries.is_empty());
}

#[test]
fn it_stays_within_its_size_and_keeps_what_was_used_last() {
    let mut shelf = Shelf::new();
    block_on(async {
        shelf.load('a').await;
        let bytes = shelf.list().entries[0].bytes;
        shelf.places.bytes_max = bytes * 3 + bytes / 2;
        let casemate = shelf.supervisor();
        for letter in ['b', 'c', 'a', 'd'] {
            load(&casemate, letter).await.unwrap();
            let listing = shelf.list();
            let all: u64 = listing.entries.iter().map(|entry| entry.bytes).sum();
            assert!(all <= shelf.places.bytes_max, "{all} bytes of {}", shelf.places.bytes_max);
        }
        for (letter, stays) in [('a', true), ('b', false), ('c', true), ('d', true)] {
            assert_eq!(shelf.find(&wasm(letter)).is_some(), stays, "{letter}");
        }
        // Too small for a single entry: then there is none, and every load goes on as without a cache.
        shelf.places.bytes_max = bytes / 2;
        assert_eq!(shelf.load('e').await, How::Compiled);
        assert!(shelf.find(&wasm('e')).is_none());
    });
}

#[test]
fn a_cache_that_is_removed_under_a_supervisor_comes_back() {
    let shelf = Shelf::new();
    block_on(async {
        let casemate = shelf.supervisor();
        load(&casemate, 'a').await.unwrap();
        std::fs::remove_dir_all(&shelf.places.cache_dir).unwrap();
        for how in [How::Compiled, How::Compiled, How::Cached] {
            assert_eq!(load(&casemate, 'a').await.unwrap(), how);
        }
        // Without the secret everything is somebody else's.
        std::fs::remove_dir_all(&shelf.places.state_dir).unwrap();
        assert_eq!(shelf.load('a').await, How::Compiled);
        assert_eq!(shelf.load('a').await, How::Cached);
    });
    assert_eq!(shelf.list().others, 1);
}
