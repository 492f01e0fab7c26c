//! The same for the list of the worker with WASI: each call is missed by some program, or it goes.

use super::is_broken;
use casemate::Casemate;
use casemate::cache::CachePlaces;
use casemate_lockdown::seccomp::{Arch, list};
use casemate_tests::scratch::Scratch;
use casemate_tests::{block_on, guests, policy};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// Programs that need most of the list between them.
const CASES: [&str; 24] = [
    "args",
    "stdin-all",
    "sleep",
    "random",
    "memory",
    "panics",
    "read",
    "write-long",
    "append",
    "stat",
    "list",
    "readlink",
    "mkdir-all",
    "remove-all",
    "rename",
    "hard-link",
    "set-len",
    "times",
    "read-link-out",
    "raw-advise",
    "raw-symlink",
    "raw-clock-resolution-wall",
    "many-open",
    "raw-fdstat-folder",
];

/// Calls that are made on other machines than this one, or in other moments than a test can bring about.
const ELSEWHERE: [(&str, &str); 4] = [
    ("brk", "only with many blocks at once, as the core list's programs have them"),
    ("clock_gettime", "only where the clock is not the CPU's own counter"),
    ("openat", "only where a rename outside comes between; suite wasi has the swaps"),
    ("exit_group", "the worker's end without a host, as in the core list"),
];

fn shortened(missing: Option<&str>, places: &Path) -> Casemate {
    let behaviour = missing.map_or_else(|| "obedient".to_owned(), |name| format!("without-{name}"));
    let places = CachePlaces::new(places.join("cache"), places.join("state"));
    Casemate::builder().cache(places).configure(|config| config.use_adversary(&behaviour)).build().unwrap()
}

/// The first program that a missing call breaks.
async fn work(missing: Option<&str>, places: &Path) -> Option<String> {
    let casemate = shortened(missing, places);
    for case in CASES {
        let folder = Scratch::new();
        for (name, mode) in [("", 0o755), ("ro", 0o755), ("rw", 0o777)] {
            let path = folder.join(name);
            fs::create_dir_all(&path).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::write(folder.join("ro/a.txt"), "alpha beta").unwrap();
        std::os::unix::fs::symlink("a.txt", folder.join("ro/link.txt")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.join("ro/out.txt")).unwrap();
        fs::write(folder.join("rw/seed.txt"), "seed").unwrap();
        fs::set_permissions(folder.join("rw/seed.txt"), fs::Permissions::from_mode(0o666)).unwrap();
        let granted = policy(|spec| {
            spec.args = vec![case.to_owned()];
            spec.limits.call_timeout = Duration::from_secs(30);
            spec.filesystem = vec![
                format!("read:{}=/ro", folder.join("ro").display()),
                format!("write:{}=/rw", folder.join("rw").display()),
            ];
        });
        let plugin = match casemate.load(guests::wasi("cases"), granted).await {
            Ok(plugin) => plugin,
            Err(failure) => {
                assert!(is_broken(&failure), "{case}: {failure}");
                return Some(format!("no worker: {failure}"));
            }
        };
        match plugin.run(&b"one\ntwo\n"[..], tokio::io::sink(), tokio::io::sink()).await {
            Err(failure) if is_broken(&failure) => return Some(format!("{case}: {failure}")),
            _ => {}
        }
        plugin.close().await.unwrap();
    }
    // A long answer that nobody streams is gathered in one piece.
    let long = policy(|spec| spec.args = vec!["stdout-long".to_owned()]);
    let plugin = match casemate.load(guests::wasi("cases"), long).await {
        Ok(plugin) => plugin,
        Err(failure) => return Some(format!("no worker: {failure}")),
    };
    let broken = plugin.call_raw("run", b"").await.err().filter(is_broken);
    casemate.shutdown().await;
    broken.map(|failure| format!("stdout-long: {failure}"))
}

#[test]
fn with_the_whole_list_all_programs_run() {
    assert_eq!(block_on(work(None, &Scratch::new())), None);
}

#[test]
fn every_call_of_the_list_with_wasi_is_missed() {
    let places = Scratch::new();
    let mut needless = Vec::new();
    for syscall in list::WASI.iter().filter(|syscall| syscall.number(Arch::NATIVE).is_some()) {
        if ELSEWHERE.iter().any(|(name, _)| *name == syscall.name) {
            continue;
        }
        match block_on(work(Some(syscall.name), &places)) {
            Some(how) => println!("without {}: {how}", syscall.name),
            None => needless.push(syscall.name),
        }
    }
    assert!(needless.is_empty(), "nothing misses {needless:?}: take them off the list");
}
