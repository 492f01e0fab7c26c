//! Native code that has broken out of WebAssembly, with a worker's exact rights, against the walls: what the kernel
//! reported of each attempt, and that nobody else noticed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    clippy::print_stdout,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

#[path = "adversary/belongings.rs"]
mod belongings;
#[path = "adversary/cell.rs"]
mod cell;
#[path = "adversary/corpus.rs"]
mod corpus;
#[path = "adversary/folders.rs"]
mod folders;
#[path = "adversary/ground.rs"]
mod ground;
#[path = "adversary/memory.rs"]
mod memory;
#[path = "adversary/verdict.rs"]
mod verdict;

use casemate::attack::{End, Grounds, Profile, Sibling, families, numbers};
use casemate_lockdown::seccomp::{Arch, list};
use casemate_tests::{block_on, casemate, guests, policy, processes};
use cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;
use verdict::Word;

#[test]
fn every_number_is_met_as_the_list_says() {
    block_on(async {
        for profile in Profile::OF_MODULES {
            let cell = Cell::open(profile).await;
            let mut counts = [0; 3];
            for number in numbers::all().into_iter().chain(numbers::x32(profile)) {
                counts[cell.meets(number, [0; 6]).await as usize] += 1;
            }
            println!("{profile:?}: {} reported, {} killed, {} allowed", counts[0], counts[1], counts[2]);
            assert!(counts[Word::Allow as usize] > 0 && counts[Word::Report as usize] > 900, "{profile:?}");
            cell.close().await;
        }
    });
}

#[test]
fn arguments_around_every_rule_are_met_as_the_list_says() {
    block_on(async {
        for profile in Profile::OF_MODULES {
            let cell = Cell::open(profile).await;
            let calls = corpus::around_rules(profile);
            let mut counts = [0; 3];
            for (number, args) in &calls {
                counts[cell.meets(*number, *args).await as usize] += 1;
            }
            println!("{profile:?}: {} reported, {} killed, {} allowed", counts[0], counts[1], counts[2]);
            assert!(counts[Word::Report as usize] > 400, "{profile:?}");
            cell.close().await;
        }
    });
}

#[test]
fn no_descriptor_but_the_link_is_there_to_walk() {
    // What the filter says of every one, and what the kernel says of some.
    for fd in 1..=65_535 {
        for name in ["read", "write"] {
            assert_eq!(
                verdict::of(Profile::Core, numbers::of(name).unwrap(), [fd, 0, 0, 0, 0, 0]),
                Word::Report,
                "{name}({fd})"
            );
        }
    }
    block_on(async {
        for profile in Profile::OF_MODULES {
            let cell = Cell::open(profile).await;
            for fd in numbers::descriptors() {
                for name in numbers::ON_DESCRIPTORS {
                    cell.meets(numbers::of(name).unwrap(), [fd, 0, 0, 0, 0, 0]).await;
                }
            }
            cell.close().await;
        }
    });
}

#[test]
fn with_wasi_every_other_descriptor_is_none() {
    block_on(async {
        let cell = Cell::open(Profile::Wasi).await;
        // The control: what is there can be asked for.
        assert_eq!(cell.order("syscall fcntl 0 3").await, End::Answered("result 0x2".to_owned()));
        for fd in 1..=65_535 {
            let end = cell.order(&format!("syscall fcntl {fd} 3")).await;
            assert_eq!(end, End::Answered("error 9".to_owned()), "descriptor {fd}");
        }
        cell.close().await;
    });
}

#[test]
fn every_family_of_attacks_ends_as_it_must() {
    block_on(async {
        let home = casemate();
        let good = home.load(guests::wat("minimal"), policy(|_| ())).await.unwrap();
        let sibling = Sibling::start(good, "m");
        for profile in Profile::OF_MODULES {
            let grounds = Grounds::open(&cell::module(profile)).await.unwrap();
            for family in families(profile) {
                let came = grounds.attempt(&family).await.unwrap();
                println!(
                    "{profile:?}: {}: {} attempts, {} reported; {}",
                    family.name, came.attempts, came.reported, came.ended
                );
                assert_eq!(came.through, [""; 0], "{profile:?}: {}: {}", family.name, family.wall);
            }
            grounds.close().await;
        }
        let calls = sibling.finish().await.unwrap().expect("the sibling's own answers");
        println!("the sibling answered {calls} calls within their deadlines");
    });
}

#[test]
fn what_the_demonstration_calls_left_is_what_the_list_leaves() {
    for profile in Profile::OF_MODULES {
        let list = list::of_profile(profile).iter();
        let listed: BTreeSet<&str> =
            list.filter(|call| call.number(Arch::NATIVE).is_some()).map(|call| call.name).collect();
        assert_eq!(numbers::left(profile).collect::<BTreeSet<_>>(), listed, "{profile:?}");
    }
}

#[test]
fn an_attackers_cell_leaves_nothing_behind() {
    block_on(async {
        for profile in Profile::OF_MODULES {
            let cell = Cell::open(profile).await;
            let marker = cell.marker();
            cell.meets(numbers::of("getpid").unwrap(), [0; 6]).await;
            cell.close().await;
            processes::await_none(&marker, Duration::from_secs(20));
        }
    });
}
