//! Somebody who may write to the cache's directory, and does.

use crate::shelf::{How, Shelf, load, wasm};
use casemate_tests::{block_on, limits};
use hmac::{Hmac, KeyInit as _, Mac as _};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Loads by which entries are replaced; each starts a zygote and a worker. The supervisor's own test does 100,000 with
/// what comes before those.
const LOADS: u64 = 150;

/// An entry's end, over all before it.
const MAC_BYTES: usize = 32;

#[test]
fn every_byte_counts() {
    let shelf = Shelf::new();
    block_on(async {
        shelf.load('a').await;
        let path = shelf.entry(&wasm('a'));
        let good = fs::read(&path).unwrap();
        let reader = shelf.only_reader();
        for offset in 0..good.len() {
            let mut bytes = good.clone();
            bytes[offset] ^= 1 << (offset % 8);
            fs::write(&path, bytes).unwrap();
            assert!(load(&reader, 'a').await.is_err(), "byte {offset} is not looked at");
            assert!(!path.exists(), "byte {offset}: it was to go into quarantine");
        }
        for length in (0..good.len()).step_by(101) {
            fs::write(&path, &good[..length]).unwrap();
            assert!(load(&reader, 'a').await.is_err(), "cut off at {length}");
        }
        fs::write(&path, &good).unwrap();
        assert_eq!(load(&reader, 'a').await.unwrap(), How::Cached, "the control of the experiment");
    });
    assert_eq!(shelf.list().quarantined.len(), 16, "bounded");
}

#[test]
fn each_forgery_is_a_miss_and_named() {
    let shelf = Shelf::new();
    let stranger = Shelf::new();
    block_on(async {
        shelf.load('a').await;
        let a = shelf.entry(&wasm('a'));
        shelf.load('b').await;
        let b = shelf.entry(&wasm('b'));
        stranger.load('a').await;
        // Ours to the last byte, and for another build of the same module.
        let other_build = shelf.supervisor().load(wasm('a'), limits(|limits| limits.stack_bytes *= 2)).await;
        drop(other_build.unwrap());
        let name = a.file_name().unwrap().to_str().unwrap().to_owned();
        let listing = shelf.list();
        let other =
            listing.entries.iter().find(|entry| name.starts_with(&entry.module) && entry.name != name);
        let other = listing.directory.join(&other.unwrap().name);
        let outside = shelf.folder.join("outside");
        fs::write(&outside, "precious").unwrap();

        let copy = |from: &Path| fs::write(&a, fs::read(from).unwrap()).unwrap();
        let forgeries: [(&str, &str, &dyn Fn()); 11] = [
            ("another module's", "other-key", &|| copy(&b)),
            ("another engine's", "other-key", &|| copy(&other)),
            ("a stranger's", "mac", &|| copy(&stranger.entry(&wasm('a')))),
            ("an ELF", "format", &|| copy(Path::new("/bin/ls"))),
            ("nothing", "length", &|| copy(Path::new("/dev/null"))),
            ("a link to a good one", "not-a-file", &|| symlink(&b, &a).unwrap()),
            ("a link to the outside", "not-a-file", &|| symlink(&outside, &a).unwrap()),
            ("a hard link to the outside", "length", &|| fs::hard_link(&outside, &a).unwrap()),
            ("a directory", "not-a-file", &|| fs::create_dir(&a).unwrap()),
            ("a pipe", "not-a-file", &|| {
                rustix::fs::mkfifoat(rustix::fs::CWD, &a, rustix::fs::Mode::RUSR).unwrap();
            }),
            ("a socket", "not-a-file", &|| {
                // The whole path is longer than a socket's may be.
                let socket = shelf.folder.join("socket");
                drop(UnixListener::bind(&socket).unwrap());
                fs::rename(socket, &a).unwrap();
            }),
        ];
        let before = fs::metadata(&outside).unwrap();
        for (what, word, put) in forgeries {
            shelf.open().gc().unwrap();
            fs::remove_file(&a).unwrap();
            put();
            assert_eq!(shelf.load('a').await, How::Compiled, "{what}");
            let quarantined = shelf.list().quarantined;
            assert_eq!(quarantined.len(), 1, "{what}: {quarantined:?}");
            assert_eq!(quarantined[0].why, word, "{what}");
            assert_eq!(shelf.load('a').await, How::Cached, "{what}: a good one took its place");
        }
        let after = fs::metadata(&outside).unwrap();
        assert_eq!(fs::read(&outside).unwrap(), b"precious");
        assert_eq!(
            (before.mtime(), before.mtime_nsec(), before.mode()),
            (after.mtime(), after.mtime_nsec(), after.mode())
        );
        assert_eq!(load(&shelf.only_reader(), 'b').await.unwrap(), How::Cached, "the others stay");
    });
}

#[test]
fn a_link_in_a_directorys_place_is_not_followed() {
    let shelf = Shelf::new();
    block_on(async {
        shelf.load('a').await;
        let outside = shelf.folder.join("outside");
        fs::create_dir(&outside).unwrap();
        let directory = shelf.list().directory;
        let quarantine = directory.join("quarantine");
        for (path, kept) in [(quarantine, "was-quarantine"), (directory, "was-shelf")] {
            let kept = shelf.folder.join(kept);
            fs::rename(&path, &kept).unwrap();
            symlink(&outside, &path).unwrap();
            // No cache that can be trusted, so none at all.
            assert_eq!(shelf.load('a').await, How::Compiled);
            assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "nothing is put there");
            fs::remove_file(&path).unwrap();
            fs::rename(kept, path).unwrap();
        }
        assert_eq!(shelf.load('a').await, How::Cached, "the control of the experiment");
    });
}

#[test]
fn code_that_the_engine_refuses_is_compiled_again() {
    // Only a mistake of ours makes such an entry: it bears our MAC.
    let shelf = Shelf::new();
    block_on(async {
        shelf.load('a').await;
        let path = shelf.entry(&wasm('a'));
        let mut bytes = fs::read(&path).unwrap();
        let end = bytes.len() - MAC_BYTES;
        bytes[end - 4096..end].fill(0);
        let secret = fs::read(shelf.places.state_dir.join("cache-key")).unwrap();
        let mac = Hmac::<sha2::Sha256>::new_from_slice(&secret).unwrap().chain_update(&bytes[..end]);
        bytes[end..].copy_from_slice(&mac.finalize().into_bytes());
        fs::write(&path, bytes).unwrap();
        assert!(shelf.open().verify().unwrap()[0].result.is_ok(), "the entry itself is in order");
        for how in [How::Compiled, How::Cached] {
            assert_eq!(shelf.load('a').await, how);
        }
    });
    assert_eq!(shelf.list().quarantined[0].why, "refused");
}

#[test]
fn replaced_by_rename_while_it_is_loaded() {
    let shelf = Shelf::new();
    let (done, swaps) = (AtomicBool::new(false), AtomicU64::new(0));
    let letters = ['a', 'b'];
    block_on(async {
        for letter in letters {
            shelf.load(letter).await;
        }
    });
    let paths = letters.map(|letter| shelf.entry(&wasm(letter)));
    let good = paths.clone().map(|path| fs::read(path).unwrap());
    let swap = shelf.list().directory.join("swap");
    let cached = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let round = swaps.fetch_add(1, Ordering::Relaxed);
                for (index, path) in paths.iter().enumerate() {
                    // Each name gets now its own bytes and now the other's.
                    let which = (index + usize::from(round % 3 == 1)) % 2;
                    fs::write(&swap, &good[which]).unwrap();
                    fs::rename(&swap, path).unwrap();
                }
            }
        });
        let cached = block_on(async {
            let casemate = shelf.supervisor();
            let mut cached = 0;
            for round in 0..LOADS {
                let letter = letters[usize::from(round % 2 == 1)];
                // Looks that each answers its own letter.
                cached += u64::from(load(&casemate, letter).await.unwrap() == How::Cached);
            }
            cached
        });
        done.store(true, Ordering::Relaxed);
        cached
    });
    assert!(swaps.load(Ordering::Relaxed) > LOADS && (1..LOADS).contains(&cached), "{cached} of {LOADS}");
    assert!(shelf.list().quarantined.len() <= 16);
}
