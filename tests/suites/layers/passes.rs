//! Which attacks get through when one wall is missing, and no more than these.

use crate::bench::Bench;
use casemate::attack::attempt::{Attempt, Must};
use casemate::attack::{End, Profile, families};
use casemate_lockdown::experiment::WALLS;
use casemate_sys::support;
use casemate_tests::{block_on, is_root, skip};

/// A wall, and the orders that get through without it. Without any other wall there are none.
pub(crate) const PASSES: &[(&str, &[&str])] = &[
    // What neither another wall nor the kernel itself refuses: nothing of it leaves the cell, and much of it is why there
    // is a filter. The zygote ignores a signal of its workers, being their process 1.
    (
        "filter-a",
        &[
            "mmap 0 4096 5 0x22 -1 0",
            "mmap 0 4096 4 0x22 -1 0",
            "mmap 0 4096 3 0x21 -1 0",
            "mmap 0 4096 3 0x122 -1 0",
            "mmap 0 4096 3 0x8022 -1 0",
            "mmap @page 4096 0 0x32 -1 0",
            "mmap 0x10000000 4096 3 0x22 -1 0",
            "mprotect @page 4096 1",
            "mprotect @page 4096 0",
            "mseal @page 4096 0",
            "modify_ldt 1 @page 16",
            "setsockopt 0 1 8 @page 4",
            "keyctl 0 -3",
            "add_key @path:user @path:x @page 1 -3",
            "kill 1 9",
            "tgkill 1 1 9",
            "sendmmsg 0 @page 0x40",
            "statx -100 @path:/ 0 0xfff @page",
            "setuid 0",
            "rt_sigaction 11 @page 0 8",
            "rt_sigprocmask 0 @page 0 8",
            "setitimer 0 @page 0",
            "personality 0x0400000",
            "shmget 1 4096 0x3b6",
            "ioctl 0 0x10000541b @page",
        ],
    ),
    ("filter-b", &["sendmsg 0 @page 0x40"]),
    ("sealed-code", &["munmap @code 4096", "mprotect @code 4096 3", "mremap @code 4096 8192 1"]),
    ("limit-data", &["eat anonymous", "eat reserved", "eat heap", "eat moved", "eat module", "eat sparse"]),
];

/// Every attempt that says itself what came of it; what a deadline ends, or a number alone, is for other suites.
fn attempts() -> Vec<Attempt> {
    let telling = |attempt: &Attempt| {
        let by_number_alone = matches!(attempt.must, Must::Stop(_)) && !attempt.order.contains('@');
        attempt.must != Must::Deadline && !by_number_alone && !attempt.order.starts_with("masked")
    };
    families(Profile::Core).into_iter().flat_map(|family| family.attempts).filter(telling).collect()
}

/// What no longer ends as it must, apart from what another wall has refused with an error. Each order gets a worker that
/// no order before it has changed.
async fn without(walls: &str) -> Vec<String> {
    let bench = Bench::without(walls).await;
    let mut through = Vec::new();
    for attempt in attempts() {
        let end = bench.attacker.order(&attempt.order).await;
        let refused = matches!(&end, End::Answered(said) if said.starts_with("error "));
        if !refused && !attempt.must.holds(&end, bench.attacker.site()) {
            through.push(attempt.order.trim_start_matches("syscall ").to_owned());
        }
        if matches!(end, End::Answered(_)) {
            bench.renew().await;
        }
    }
    bench.close().await;
    through
}

/// A root of its own needs a mount table of its own.
fn left_out(wall: &'static str) -> &'static str {
    if wall == "mount-namespace" { "mount-namespace,empty-root" } else { wall }
}

#[test]
fn without_one_wall_exactly_these_attacks_get_through() {
    if !has_every_wall() {
        skip("without_one_wall_exactly_these_attacks_get_through", "this kernel lacks Landlock 6 or mseal");
        return;
    }
    block_on(async {
        println!("{} attempts each", attempts().len());
        for wall in WALLS {
            // Only root has an identity to give away.
            if *wall == "no-new-privs" || (*wall == "unprivileged-uid" && !is_root()) {
                continue;
            }
            let expected =
                PASSES.iter().find(|(known, _)| known == wall).map_or(&[][..], |(_, orders)| orders);
            assert_eq!(without(left_out(wall)).await, expected, "without {wall}");
        }
    });
}

#[test]
fn without_no_new_privs_there_are_no_filters_and_nothing_starts() {
    block_on(async {
        let failure = Bench::on("no-new-privs,landlock", true).await.err().expect("it has no filter");
        assert!(failure.to_string().contains("installing filter A"), "{failure}");
    });
}

/// The table is that of a kernel that has them all.
fn has_every_wall() -> bool {
    support::memory_sealing().is_ok() && support::landlock_abi().is_ok_and(|abi| abi >= 6)
}
