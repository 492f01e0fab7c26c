//! What a host knows, and what one plugin was told, is nowhere in another's processes; and no core file shows them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use casemate::attack::{Attacker, End};
use casemate::{Casemate, Plugin, Policy};
use casemate_tests::processes::{self, Found};
use casemate_tests::{block_on, casemate, guests, host, host::Host, is_root, policy, skip};
use std::collections::BTreeSet;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// The environment variable that the host has.
const IN_ENVIRONMENT: &str = "HOST_API_KEY";

#[test]
fn scenario() {
    host::run(&[("keeps secrets", keeps_secrets)]);
}

/// 32 bytes that are nowhere else.
fn token() -> Vec<u8> {
    let random = RandomState::new();
    (0..4_u8).flat_map(|part| random.hash_one(part).to_le_bytes()).collect()
}

/// Every readable byte of a process, mapping by mapping.
fn holds(process: &Found, secret: &[u8]) -> bool {
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", process.pid)).unwrap();
    let memory = File::open(format!("/proc/{}/mem", process.pid)).unwrap();
    maps.lines().filter(|line| line.split(' ').nth(1).unwrap().starts_with('r')).any(|line| {
        let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let [start, end] = [start, end].map(|number| u64::from_str_radix(number, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        // The kernel's own pages ([vvar]) cannot be read so.
        let readable = memory.read_exact_at(&mut bytes, start).is_ok();
        readable && bytes.windows(secret.len()).any(|window| window == secret)
    })
}

/// A plugin of a supervisor of its own, which has been told something, and its processes.
async fn told(what: &[u8]) -> (Casemate, Plugin, Vec<Found>) {
    let casemate = casemate();
    let plugin = casemate.load(guests::wat("minimal"), Policy::default()).await.unwrap();
    assert_eq!(plugin.call_raw("m", what).await.unwrap(), what);
    let found = processes::with_marker(&casemate.marker());
    assert!(found.len() >= 3, "stub, zygote, worker: {found:?}");
    (casemate, plugin, found)
}

/// A host with a secret on its heap and one in its environment.
fn keeps_secrets(_: &str) {
    let on_heap = token();
    let in_environment = std::env::var(IN_ENVIRONMENT).unwrap();
    block_on(async {
        let (one_told, other_told) = (token(), token());
        let (_one_home, _one, one) = told(&one_told).await;
        let (_other_home, _other, other) = told(&other_told).await;
        for process in one.iter().chain(&other) {
            assert!(!holds(process, &on_heap), "{process:?} holds what is on the host's heap");
            assert!(!holds(process, in_environment.as_bytes()), "{process:?} holds the host's environment");
        }
        // That the search finds what is there: a worker has what it was told. Its zygote does not, so that no later
        // worker begins with it.
        for (processes, own, others) in [(&one, &one_told, &other_told), (&other, &other_told, &one_told)] {
            let holders: Vec<&Found> = processes.iter().filter(|process| holds(process, own)).collect();
            assert_eq!(holders.len(), 1, "{holders:?}");
            assert!(
                !processes.iter().any(|process| holds(process, others)),
                "one plugin has the other's input"
            );
        }
    });
    assert_eq!(on_heap.len(), 32);
    host::say("kept");
}

#[test]
fn what_the_host_knows_and_other_plugins_were_told_is_nowhere_in_a_plugins_memory() {
    if !is_root() {
        skip("what_the_host_knows_and_other_plugins_were_told", "only root may read their memory");
        return;
    }
    let key: String = token().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut host = Host::start_in_shell(
        &format!("export {IN_ENVIRONMENT}={key}; exec \"$0\" \"$@\""),
        "keeps secrets",
        "",
    );
    assert_eq!(host.line(), "kept");
    host.finish();
}

#[test]
fn no_process_of_a_plugin_may_leave_a_core_file() {
    block_on(async {
        let (_home, _plugin, found) = told(b"x").await;
        for process in found {
            assert_eq!(processes::limit(process.pid, "Max core file size"), 0, "{process:?}");
        }
    });
}

#[test]
fn a_worker_is_undumpable() {
    // A core file that is a pipe to a program knows no limit; nobody dumps what is undumpable. Only a process itself can
    // ask, and only one without filters: all other walls of this one stand.
    let record = Arc::new(|_: String| ());
    let builder = Casemate::builder()
        .configure(|config| config.use_adversary_unjudged("minus-filter-a,filter-b", record));
    block_on(async {
        let module = std::fs::read(guests::wat("minimal")).unwrap();
        let attacker = Attacker::start_in(builder.build().unwrap(), &module, policy(|_| ())).await.unwrap();
        // PR_GET_DUMPABLE
        assert_eq!(attacker.order("syscall prctl 3").await, End::Answered("result 0x0".to_owned()));
        attacker.close().await;
    });
}

#[test]
fn a_token_is_a_new_one_each_time() {
    assert_eq!((0..50).map(|_| token()).collect::<BTreeSet<_>>().len(), 50);
}
