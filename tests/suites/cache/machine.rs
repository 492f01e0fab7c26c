//! Directories that are not ours, not safe, not writable or full: no cache, and a load that goes on without.

use crate::shelf::{How, Shelf, load};
use casemate_tests::host::Host;
use casemate_tests::{block_on, is_root, skip};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Loads twice and finds nothing.
async fn compiles_each_time(shelf: &Shelf) {
    let casemate = shelf.supervisor();
    for _ in 0..2 {
        assert_eq!(load(&casemate, 'a').await.unwrap(), How::Compiled);
    }
}

#[test]
fn what_belongs_to_another_user_is_not_used() {
    let mut shelf = Shelf::new();
    block_on(async {
        if is_root() {
            for place in [shelf.places.cache_dir.clone(), shelf.places.state_dir.clone()] {
                fs::create_dir_all(&place).unwrap();
                set_mode(&place, 0o700);
                chown(&place, Some(12345), None).unwrap();
                compiles_each_time(&shelf).await;
                assert_eq!(fs::read_dir(&place).unwrap().count(), 0, "nothing is put there");
                chown(&place, Some(0), None).unwrap();
            }
            // The same with a good cache whose shelf or secret changed hands.
            shelf.load('a').await;
            for path in [shelf.list().directory, shelf.places.state_dir.join("cache-key")] {
                chown(&path, Some(12345), None).unwrap();
                compiles_each_time(&shelf).await;
                chown(&path, Some(0), None).unwrap();
            }
            assert_eq!(shelf.load('a').await, How::Cached, "the control of the experiment");
        } else {
            shelf.places.cache_dir = "/".into();
            compiles_each_time(&shelf).await;
        }
    });
}

#[test]
fn what_others_may_write_to_is_not_used() {
    let shelf = Shelf::new();
    block_on(async {
        shelf.load('a').await;
        let folders =
            [shelf.places.cache_dir.clone(), shelf.places.state_dir.clone(), shelf.list().directory];
        for path in folders {
            set_mode(&path, 0o777);
            compiles_each_time(&shelf).await;
            set_mode(&path, 0o700);
        }
        let secret = shelf.places.state_dir.join("cache-key");
        set_mode(&secret, 0o644);
        compiles_each_time(&shelf).await;
        set_mode(&secret, 0o600);
        assert_eq!(shelf.load('a').await, How::Cached, "the control of the experiment");
    });
}

#[test]
fn a_read_only_cache_is_read() {
    let shelf = Shelf::new();
    block_on(shelf.load('a'));
    let folder = shelf.folder.display();
    let mut host = if is_root() {
        // Root writes past any mode.
        let mount = format!("mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}");
        let line = format!("exec unshare --mount sh -c '{mount} && exec \"$0\" \"$@\"' \"$0\" \"$@\"");
        Host::start_in_shell(&line, "load", &format!("{folder} a b b"))
    } else {
        set_mode(&shelf.list().directory, 0o500);
        Host::start("load", &format!("{folder} a b b"))
    };
    let said = [host.line(), host.line(), host.line()];
    host.finish();
    set_mode(&shelf.list().directory, 0o700);
    assert_eq!(said, ["Cached", "Compiled", "Compiled"]);
}

#[test]
fn a_full_cache_is_as_good_as_none() {
    let shelf = Shelf::new();
    let folder = shelf.folder.display();
    let cache = shelf.places.cache_dir.display();
    let mount = format!("mkdir -m 700 {cache} && mount -t tmpfs -o size=8k,mode=700 tmpfs {cache}");
    // An ordinary user is root in a user namespace of its own, where that may be had.
    let unshare = if is_root() { "unshare --mount" } else { "unshare --user --map-root-user --mount" };
    let tried = std::process::Command::new("/bin/sh")
        .args(["-c", &format!("exec {unshare} mount -t tmpfs -o size=8k tmpfs /tmp")])
        .output()
        .unwrap();
    if !tried.status.success() {
        skip("a_full_cache_is_as_good_as_none", "mounting a tmpfs needs root or a user namespace");
        return;
    }
    let line = format!("exec {unshare} sh -c '{mount} && exec \"$0\" \"$@\"' \"$0\" \"$@\"");
    let mut host = Host::start_in_shell(&line, "load", &format!("{folder} a a"));
    for _ in 0..2 {
        assert_eq!(host.line(), "Compiled");
    }
    assert_eq!(host.line(), "0 entries, 0 unfinished, 0 in quarantine", "half an entry is none");
    host.finish();
}
