//! A plugin's own files: all of them together are what `limits.store` and `limits.files` say, whoever writes them.

use super::{keeping, with_files};
use casemate::attack::{Attacker, End};
use casemate::{Casemate, Cause, Failure, LimitName, Plugin, PolicySpec, Retry};
use casemate_tests::scratch::Scratch;
use casemate_tests::{block_on, guests, policy};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The program that fills its folders, once for each WASI.
const FILLS: [&str; 2] = ["fill", "fill-p2"];

/// As a program sees `nospc` and `insufficient-space`, and `xdev` and `cross-device`.
const FULL: &str = "error 51";
const ELSEWHERE: &str = "error 75";

/// A write that did not fit: the C library of WASI 0.2 has one error for all that becomes of a stream.
fn full_write(guest: &str) -> &'static str {
    if guest == "fill" { FULL } else { "error 29" }
}

async fn start(casemate: &Casemate, guest: &str, change: impl FnOnce(&mut PolicySpec)) -> Plugin {
    let policy = with_files(|spec| {
        spec.limits.call_timeout = Duration::from_secs(60);
        change(spec);
    });
    casemate.load(guests::wasi(guest), policy).await.unwrap()
}

/// Gives a program its orders; what came of each.
async fn follow(plugin: &Plugin, orders: &[&str]) -> Vec<String> {
    let said = plugin.call_raw("run", orders.join("\n").as_bytes()).await.unwrap();
    let said: Vec<String> = String::from_utf8(said).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(said.len(), orders.len(), "{said:?}");
    said
}

fn files(folder: &Path, plugin: &str) -> PathBuf {
    folder.join("state/plugins").join(plugin).join("vfs")
}

/// Lengths of all files, and how many things there are.
fn there(folder: &Path) -> (u64, usize) {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()).fold((0, 0), |(bytes, count), entry| {
        let about = entry.path().symlink_metadata().unwrap();
        let (more, below) = if about.is_dir() { there(&entry.path()) } else { (0, 0) };
        (bytes + more + if about.is_file() { about.len() } else { 0 }, count + below + 1)
    })
}

#[test]
fn all_files_together_are_no_longer_than_the_store_to_the_byte() {
    for guest in FILLS {
        let folder = Scratch::new();
        block_on(async {
            let casemate = keeping(&folder);
            let plugin = start(&casemate, guest, |spec| spec.limits.store_bytes = 100_000).await;
            let vfs = files(&folder, guest);
            assert_eq!(follow(&plugin, &["write /data/first 30000"]).await, ["30000"]);
            // Whoever comes next has what is left, in pieces that do and do not come out even.
            assert_eq!(follow(&plugin, &["fill /data/second 1000"]).await, ["70000"]);
            assert_eq!(there(&vfs).0, 100_000);
            let full = [
                "write /data/third 1",
                "size /data/fourth 1",
                "size /data/first 30001",
                "at /data/first 30000 1",
            ];
            assert_eq!(follow(&plugin, &full).await, [full_write(guest), FULL, FULL, full_write(guest)]);
            if guest == "fill-p2" {
                let said = plugin.call_raw("run", b"code /data/first").await.unwrap();
                let said = String::from_utf8(said).unwrap();
                assert_eq!(said.matches("\"insufficient-space\"").count(), 3, "{said}");
            }
            assert_eq!(there(&vfs).0, 100_000);
            // What is there can be written over, and what is deleted or cut off is room again, in the same call too.
            let again = [
                "at /data/first 0 30000",
                "size /data/second 1000",
                "remove /data/third",
                "remove /data/fourth",
                "fill /data/second 300",
                "remove /data/first",
                "write /tmp/other 29000",
                "write /tmp/more 2000",
            ];
            let said = follow(&plugin, &again).await;
            assert_eq!(said, ["30000", "1000", "0", "0", "69000", "0", "29000", full_write(guest)]);
            assert_eq!(there(&vfs).0, 1000 + 69_000 + 29_000);
            // A hole counts as what it is a hole in.
            let holes = [
                "remove /tmp/other",
                "size /data/hole 30000",
                "open /data/more",
                "at /data/more 1000000000 1",
            ];
            assert_eq!(follow(&plugin, &holes).await, ["0", "30000", "0", full_write(guest)]);
            // So do files that nobody can see any more, as long as they are open.
            let nameless =
                ["remove /data/hole", "nameless 8 10000", "remove /data/second", "nameless 3 10000"];
            assert_eq!(follow(&plugin, &nameless).await, ["0", "30000", "0", "30000"]);
            assert_eq!(follow(&plugin, &["fill /data/whole 1000"]).await, ["100000"]);
            // Nobody else is any the worse for it: neither its keys and values, nor another plugin.
            let other = casemate.load(guests::rust("statistics"), policy(|_| ())).await.unwrap();
            let stats: Value = other.call("stats", &serde_json::json!({"numbers": [1, 3]})).await.unwrap();
            assert_eq!(stats["average"], 2.0);
            casemate.shutdown().await;
        });
    }
}

#[test]
fn files_folders_and_links_are_counted() {
    for guest in FILLS {
        let folder = Scratch::new();
        block_on(async {
            let casemate = keeping(&folder);
            let plugin = start(&casemate, guest, |spec| spec.limits.files = 100).await;
            let vfs = files(&folder, guest);
            // Three are there from the beginning: data, config and tmp.
            assert_eq!(follow(&plugin, &["folder /data/a", "many /data/a"]).await, ["0", "96"]);
            assert_eq!(there(&vfs).1, 100);
            let full =
                ["folder /data/b", "write /data/c 1", "link /data/a/many-1 /data/d", "open /data/a/many-2"];
            assert_eq!(follow(&plugin, &full).await, [FULL, FULL, FULL, "0"]);
            let again = [
                "remove /data/a/many-0",
                "link /data/a/many-1 /data/d",
                "rename /data/d /data/e",
                "folder /tmp/b",
            ];
            assert_eq!(follow(&plugin, &again).await, ["0", "0", "0", FULL]);
            // Two names of one file are its bytes once.
            assert_eq!(follow(&plugin, &["write /data/e 5000"]).await, ["5000"]);
            assert_eq!(there(&vfs), (10_000, 100));
            casemate.shutdown().await;
        });
    }
}

#[test]
fn two_instances_at_once_share_what_there_is() {
    for guest in FILLS {
        let folder = Scratch::new();
        block_on(async {
            let casemate = keeping(&folder);
            let plugin = start(&casemate, guest, |spec| {
                spec.limits.store_bytes = 8_000_000;
                spec.instances.max = 4;
            })
            .await;
            let vfs = files(&folder, guest);
            let fills =
                ["fill /data/a 1000", "fill /data/b 700", "fill /data/c 4096", "rewrite /data/d 1000"];
            follow(&plugin, &["write /data/d 0"]).await;
            let (a, b, c, d) = tokio::join!(
                follow(&plugin, &fills[..1]),
                follow(&plugin, &fills[1..2]),
                follow(&plugin, &fills[2..3]),
                follow(&plugin, &fills[3..])
            );
            let written: u64 = [a, b, c, d].concat().iter().map(|bytes| bytes.parse::<u64>().unwrap()).sum();
            assert_eq!(there(&vfs).0, written);
            assert!((7_000_000..=8_000_000).contains(&written), "{written}");
            // What one was lent and did not use is the next one's.
            assert_eq!(follow(&plugin, &["fill /data/e 1"]).await, [(8_000_000 - written).to_string()]);
            casemate.shutdown().await;
        });
    }
}

#[test]
fn folders_that_the_operator_grants_are_not_counted() {
    for guest in FILLS {
        let folder = Scratch::new();
        let granted = folder.join("granted");
        fs::create_dir(&granted).unwrap();
        fs::set_permissions(&*folder, fs::Permissions::from_mode(0o777)).unwrap();
        fs::set_permissions(&granted, fs::Permissions::from_mode(0o777)).unwrap();
        block_on(async {
            let casemate = keeping(&folder);
            let plugin = start(&casemate, guest, |spec| {
                (spec.limits.store_bytes, spec.limits.files) = (10_000, 10);
                spec.filesystem = vec![format!("write:{}=/granted", granted.display())];
            })
            .await;
            let orders = [
                "write /granted/large 1000000",
                "write /data/small 10000",
                "write /data/more 1",
                "write /granted/more 20000",
                // What is made there does not come in uncounted, by another name or the same.
                "rename /granted/large /data/large",
                "link /granted/large /data/large",
            ];
            let said = follow(&plugin, &orders).await;
            assert_eq!(said, ["1000000", "10000", full_write(guest), "20000", ELSEWHERE, ELSEWHERE]);
            casemate.shutdown().await;
        });
    }
}

/// What a call must come to, by a limit of a plugin's own files.
fn is_over(failure: &Failure, name: LimitName, at_least: u64) -> bool {
    let said = failure.to_string();
    matches!(failure.cause, Cause::Limit { limit, observed, .. } if limit == name && observed >= at_least)
        && said.contains(&format!("limits.{}", name.name()))
}

#[test]
fn more_than_there_may_be_ends_a_call_and_refuses_the_next() {
    let folder = Scratch::new();
    block_on(async {
        let casemate = keeping(&folder);
        let module = guests::wasi("reactor");
        let small = with_files(|spec| {
            spec.limits.store_bytes = 1_000_000;
            spec.limits.call_timeout = Duration::from_secs(600);
        });
        let plugin = casemate.load(&module, small.clone()).await.unwrap();
        assert_eq!(plugin.call::<_, u64>("count", &()).await.unwrap(), 1);
        let vfs = files(&folder, "reactor");
        // Somebody writes behind everybody's back while a call runs, as a lost worker does.
        let sleeping = plugin.call::<_, u64>("sleep", &600_000);
        let written = async {
            tokio::task::yield_now().await;
            fs::write(vfs.join("data/much"), vec![0; 3_000_000]).unwrap();
            std::future::pending().await
        };
        let failure = tokio::select! {
            end = sleeping => end.unwrap_err(),
            () = written => unreachable!(),
        };
        assert!(is_over(&failure, LimitName::Store, 3_000_000), "{failure}");
        // The next one is not begun, nor is another load of it.
        for _ in 0..2 {
            let failure = plugin.call::<_, u64>("count", &()).await.unwrap_err();
            assert!(is_over(&failure, LimitName::Store, 3_000_000), "{failure}");
            assert_eq!(failure.retry, Retry::NotStarted);
        }
        drop(plugin);
        let failure = casemate.load(&module, small.clone()).await.unwrap_err();
        assert!(is_over(&failure, LimitName::Store, 3_000_000), "{failure}");
        casemate.shutdown().await;
    });
    block_on(async {
        let casemate = keeping(&folder);
        let small = with_files(|spec| (spec.limits.store_bytes, spec.limits.files) = (1_000_000, 100));
        let module = guests::wasi("reactor");
        let failure = casemate.load(&module, small.clone()).await.unwrap_err();
        assert!(is_over(&failure, LimitName::Store, 3_000_000), "{failure}");
        // Whoever sets it right has it run again.
        let vfs = files(&folder, "reactor");
        fs::remove_file(vfs.join("data/much")).unwrap();
        let plugin = casemate.load(&module, small).await.unwrap();
        assert_eq!(plugin.call::<_, u64>("count", &()).await.unwrap(), 1);
        casemate.shutdown().await;
    });
}

/// Gives hostile workers orders, each in a call, until one is refused; why.
async fn until_refused(attacker: &Attacker, orders: impl Iterator<Item = String>) -> Failure {
    for order in orders {
        match attacker.order(&order).await {
            End::Answered(said) => assert!(said.starts_with("result "), "{order}: {said}"),
            End::Otherwise(failure) => return *failure,
            end => panic!("{order}: {end:?}"),
        }
    }
    panic!("nobody refused anything");
}

#[test]
fn a_lost_worker_that_asks_nobody_is_found_by_what_is_there() {
    for (limit, at_least) in [(LimitName::Store, 5_000_001), (LimitName::Files, 565)] {
        let folder = Scratch::new();
        block_on(async {
            let state = folder.join("state");
            let hostile =
                Casemate::builder().state_dir(&state).configure(|config| config.use_adversary("obey"));
            let own = with_files(|spec| {
                (spec.limits.store_bytes, spec.limits.files) = (4_000_000, 500);
                spec.limits.call_timeout = Duration::from_secs(30);
            });
            let module = fs::read(guests::wasi("reactor")).unwrap();
            let attacker = Attacker::start_in(hostile.build().unwrap(), &module, own).await.unwrap();
            // The folder is descriptor 1, the link 0. One file is held to the store by the kernel; there can be any number.
            let orders = (0..100_000_u32).map(|number| match (limit, number % 3) {
                (LimitName::Files, _) => format!("syscall mkdirat 1 @path:made-{number} 0x1ff"),
                (_, 0) => format!("syscall openat 1 @path:made-{number} 0x42 0x1b6"),
                (_, 1) => "syscall ftruncate 2 3000000".to_owned(),
                _ => "syscall close 2".to_owned(),
            });
            let failure = until_refused(&attacker, orders).await;
            assert!(is_over(&failure, limit, at_least), "{failure}");
            // It stays so, whatever the worker does.
            let again =
                until_refused(&attacker, ["syscall mkdirat 1 @path:again 0x1ff".to_owned()].into_iter())
                    .await;
            assert!(is_over(&again, limit, at_least) && again.retry == Retry::NotStarted, "{again}");
            attacker.close().await;
        });
    }
}
