//! How much memory an attacker can hold, and what it costs the kernel beside it.

use crate::cell::Cell;
use casemate::attack::{End, Profile};
use casemate_tests::{block_on, processes};

/// RLIMIT_DATA of a worker whose policy is the default.
fn data_limit_bytes(marker: &str) -> u64 {
    workers(marker).iter().map(|pid| processes::limit(*pid, "Max data size")).min().unwrap()
}

fn workers(marker: &str) -> Vec<i32> {
    processes::with_marker(marker).into_iter().map(|found| found.pid).collect()
}

#[test]
fn memory_ends_at_the_limit_by_every_way_of_taking_it() {
    block_on(async {
        let ways = ["anonymous", "reserved", "heap", "moved", "module", "sparse", "holes"];
        for (profile, way) in
            Profile::OF_MODULES.into_iter().flat_map(|profile| ways.map(|way| (profile, way)))
        {
            // A worker that has eaten lives on, to be looked at.
            let cell = Cell::open(profile).await;
            let End::Answered(text) = cell.order(&format!("eat {way}")).await else { panic!("{way}") };
            let bytes: u64 = text.split(' ').next().unwrap().parse().unwrap();
            let limit = data_limit_bytes(&cell.marker());
            let (resident, tables) = workers(&cell.marker())
                .into_iter()
                .map(|pid| (processes::size(pid, "VmRSS"), processes::size(pid, "VmPTE")))
                .max()
                .unwrap();
            println!("{profile:?}: {way}: {text}; limit {limit}, resident {resident}, page tables {tables}");
            // Pages far from each other: two tables beside each, which no limit counts.
            let (most, tables_most) = match way {
                "sparse" => (3 * limit, 2 * limit),
                "holes" => (limit, limit),
                _ => (limit, 16 << 20),
            };
            assert!(bytes <= most, "{profile:?}: {way}: {text}, and RLIMIT_DATA is {limit}");
            assert!(
                resident <= limit + (32 << 20),
                "{profile:?}: {way}: {resident} bytes resident, RLIMIT_DATA is {limit}"
            );
            assert!(tables <= tables_most + (1 << 20), "{profile:?}: {way}: {tables} bytes of page tables");
            cell.close().await;
        }
    });
}

#[test]
fn the_stack_and_the_number_of_mappings_end() {
    block_on(async {
        for profile in Profile::OF_MODULES {
            let cell = Cell::open(profile).await;
            assert_eq!(cell.order("eat stack").await, End::Crashed);
            let End::Answered(text) = cell.order("eat mappings").await else { panic!("mappings") };
            println!("{profile:?}: mappings: {text}");
            assert!(text.ends_with("error 12"), "{profile:?}: {text}");
            cell.close().await;
        }
    });
}
