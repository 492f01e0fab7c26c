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

#[path = "adversary/cell.rs"]
mod cell;
#[path = "adversary/corpus.rs"]
mod corpus;
#[path = "adversary/memory.rs"]
mod memory;
#[path = "adversary/routes.rs"]
mod routes;
#[path = "adversary/verdict.rs"]
mod verdict;

use casemate_lockdown::seccomp::Arch;
use casemate_tests::{block_on, processes, skip};
use cell::{Cell, End};
use std::time::Duration;
use verdict::Word;

#[test]
fn every_number_is_met_as_the_list_says() {
    block_on(async {
        let cell = Cell::open().await;
        let mut counts = [0; 3];
        for number in corpus::numbers() {
            counts[cell.meets(number, [0; 6]).await as usize] += 1;
        }
        println!("{} reported, {} killed, {} allowed", counts[0], counts[1], counts[2]);
        assert!(counts[Word::Allow as usize] > 0 && counts[Word::Report as usize] > 900);
        cell.close().await;
    });
}

#[test]
fn arguments_around_every_rule_are_met_as_the_list_says() {
    block_on(async {
        let cell = Cell::open().await;
        let calls = corpus::around_rules();
        let mut counts = [0; 3];
        for (number, args) in &calls {
            counts[cell.meets(*number, *args).await as usize] += 1;
        }
        println!("{} reported, {} killed, {} allowed", counts[0], counts[1], counts[2]);
        assert!(counts[Word::Report as usize] > 500);
        cell.close().await;
    });
}

#[test]
fn no_descriptor_but_the_link_is_there_to_walk() {
    // What the filter says of every one, and what the kernel says of some.
    for fd in 1..=65_535 {
        for name in ["read", "write"] {
            assert_eq!(verdict::of(corpus::number(name), [fd, 0, 0, 0, 0, 0]), Word::Report, "{name}({fd})");
        }
    }
    block_on(async {
        let cell = Cell::open().await;
        for fd in (0..16).flat_map(|bit| [1_u64 << bit, (1 << (bit + 1)) - 1]) {
            for name in ["read", "write", "close", "dup", "fcntl", "fstat"] {
                cell.meets(corpus::number(name), [fd, 0, 0, 0, 0, 0]).await;
            }
        }
        cell.close().await;
    });
}

#[test]
fn the_gate_of_32_bit_programs_is_closed() {
    if !cfg!(target_arch = "x86_64") {
        skip("the_gate_of_32_bit_programs_is_closed", "only x86_64 has it");
        return;
    }
    block_on(async {
        let cell = Cell::open().await;
        // execve, exit, fork, write, socketcall, and one that a worker may make by its own table's number.
        for number in [11, 1, 2, 4, 102, 231] {
            match cell.order(&format!("int80 {number} 0 0 0")).await {
                End::Sigsys => {}
                // A kernel without that gate.
                End::Crashed => {}
                other => panic!("int80 {number}: {other:?}"),
            }
        }
        cell.close().await;
    });
}

#[test]
fn every_way_out_is_reported_with_what_was_tried() {
    block_on(async {
        let cell = Cell::open().await;
        for route in routes::OUT {
            cell.reports(route).await;
        }
        for order in routes::FORKS {
            assert_eq!(cell.order(order).await, End::Sigsys, "{order}");
        }
        cell.close().await;
    });
}

#[test]
fn no_route_leads_to_executable_memory() {
    block_on(async {
        let cell = Cell::open().await;
        for route in routes::EXECUTABLE {
            cell.reports(route).await;
        }
        // What is written to new memory, or over the program's own text, does not run; sealed code cannot be written.
        for order in ["run data", "patch text", "patch code"] {
            assert_eq!(cell.order(order).await, End::Crashed, "{order}");
        }
        cell.close().await;
    });
}

#[test]
fn sealed_code_stays_as_it_is() {
    block_on(async {
        let cell = Cell::open().await;
        for (order, error) in routes::SEALED {
            assert_eq!(cell.order(order).await, End::Answered(format!("error {error}")), "{order}");
        }
        cell.close().await;
    });
}

#[test]
fn a_forged_signal_frame_gives_no_new_right() {
    if Arch::NATIVE != Arch::X86_64 {
        skip("a_forged_signal_frame_gives_no_new_right", "only frames of x86_64 are forged");
        return;
    }
    block_on(async {
        let cell = Cell::open().await;
        for route in routes::MASKED {
            cell.reports(route).await;
        }
        cell.close().await;
        // With every signal blocked the soft deadline is not heard; the hard one is not asked for.
        let cell = Cell::impatient().await;
        assert_eq!(cell.order("masked spin").await, End::Killed);
        cell.close().await;
    });
}

#[test]
fn an_attackers_cell_leaves_nothing_behind() {
    block_on(async {
        let cell = Cell::open().await;
        let marker = cell.marker();
        cell.meets(corpus::number("getpid"), [0; 6]).await;
        cell.close().await;
        processes::await_none(&marker, Duration::from_secs(20));
    });
}
