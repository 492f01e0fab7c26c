//! Two workers of one plugin: one user, one set of namespaces, one Landlock domain. What stands between these two?

use crate::bench::Bench;
use casemate::attack::End;
use casemate_tests::{block_on, processes};
use std::time::Duration;

/// What an attacker gets of a sibling that computes all the while: eight bytes of its memory, and a signal (0, which only
/// asks) to it.
async fn between(walls: &str) -> [String; 2] {
    let bench = Bench::without(walls).await;
    let spin = bench.attacker.order("spin");
    let attack = async {
        let sibling = sibling_of(&bench).await;
        let bytes =
            format!("@hex:{}0800000000000000", crate::alone::hex(&bench.attacker.site().to_le_bytes()));
        let End::Answered(page) = bench.attacker.order("syscall mmap 0 4096 3 0x22 -1 0").await else {
            panic!()
        };
        let page = u64::from_str_radix(page.trim_start_matches("result 0x"), 16).unwrap();
        let room = format!("@hex:{}0800000000000000", crate::alone::hex(&page.to_le_bytes()));
        let mut said = Vec::new();
        for order in [
            format!("syscall process_vm_readv {sibling} {room} 1 {bytes} 1 0"),
            format!("syscall kill {sibling} 0"),
        ] {
            let End::Answered(words) = bench.attacker.order(&order).await else { panic!("{order}") };
            said.push(words);
        }
        [said.remove(0), said.remove(0)]
    };
    tokio::select! {
        end = spin => panic!("it computes for ever: {end:?}"),
        said = attack => {
            bench.close().await;
            said
        }
    }
}

/// The worker that computes, by its number in its own namespace: neither the zygote, nor the one that says its own.
async fn sibling_of(bench: &Bench) -> i64 {
    let inner = |pid: i32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
        numbers.split_whitespace().last()?.parse::<i64>().ok()
    };
    loop {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let End::Answered(own) = bench.attacker.order("syscall getpid").await else { panic!() };
        let own = i64::from_str_radix(own.trim_start_matches("result 0x"), 16).unwrap();
        let found = processes::with_marker(&bench.attacker.marker());
        let mut numbers =
            found.iter().filter(|found| found.stage() != "stub").filter_map(|found| inner(found.pid));
        if let Some(sibling) = numbers.find(|number| *number != 1 && *number != own) {
            return sibling;
        }
    }
}

#[test]
fn a_sibling_of_the_same_plugin_is_undumpable_and_behind_the_same_filters() {
    block_on(async {
        // Nothing but the filters stands before a signal to it.
        assert_eq!(between("filter-a,filter-b").await, ["error 1", "result 0x0"]);
        assert_eq!(between("filter-a,filter-b,not-dumpable").await, ["result 0x8", "result 0x0"]);
    });
}
