//! An entry is what was stored or nothing, whatever happens to its file.

use super::*;
use casemate_protocol::module::{Code, Export, Extent, ExternKind, ModuleFacts};
use casemate_protocol::spawn::CompileSpec;
use key::Build;
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, symlink};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const SPEC: CompileSpec = CompileSpec { inspect_only: false, dialect: 0, stack_bytes: 1 << 20, fuel: false };

/// Places of a test's own, removed with it.
struct Scratch {
    root: PathBuf,
    places: CachePlaces,
}

impl Scratch {
    fn new() -> Self {
        let root = std::env::temp_dir().join(format!("casemate-cache-{:016x}", getrandom::u64().unwrap()));
        fs::DirBuilder::new().mode(0o700).create(&root).unwrap();
        let places = CachePlaces::new(root.join("cache"), root.join("state"));
        Self { root, places }
    }

    fn open(&self) -> Cache {
        Cache::open(&self.places).unwrap()
    }

    fn refusal(&self) -> String {
        Cache::open(&self.places).map(|_| ()).unwrap_err().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn key(module: &[u8]) -> Key {
    Key::new(module, &SPEC, &Build::of(b"test"))
}

/// The report of a plugin with so much code.
fn report(code: &[u8]) -> CompileReport {
    let mut facts = ModuleFacts::default();
    facts.push_memory(Extent { min: 1, max: None }).unwrap();
    facts.push_export(Export::new("memory", ExternKind::Memory, "")).unwrap();
    for (name, ty) in [
        ("casemate_abi", "() -> i32"),
        ("casemate_alloc", "(i32, i32) -> i32"),
        ("casemate_free", "(i32, i32, i32) -> ()"),
        ("casemate_call", "(i32, i32) -> i64"),
    ] {
        facts.push_export(Export::new(name, ExternKind::Function, ty)).unwrap();
    }
    let code = Code { cwasm_bytes: u64::try_from(code.len()).unwrap(), compatibility: 7 };
    CompileReport::Accepted(Accepted::new(facts, None, code).unwrap())
}

fn store(cache: &Cache, module: &[u8], code: &[u8]) {
    let file = memfd::sealed("code", code).unwrap();
    cache.store(&key(module), &report(code), &file, &|_| {}).unwrap();
}

/// The code that is found for a module.
fn code_of(cache: &Cache, module: &[u8]) -> Option<Vec<u8>> {
    let found = cache.fetch(&key(module)).unwrap()?;
    let mut bytes = Vec::new();
    memfd::pieces(&found.code, |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    })
    .unwrap();
    Some(bytes)
}

fn path_of(cache: &Cache, module: &[u8]) -> PathBuf {
    cache.shelf.path().join(key(module).name())
}

/// Why the newest entry in quarantine is there.
fn why(cache: &Cache) -> String {
    cache.list().unwrap().quarantined.pop().unwrap().why
}

#[test]
fn what_was_stored_is_found_sealed() {
    let scratch = Scratch::new();
    let cache = scratch.open();
    assert!(code_of(&cache, b"a").is_none());
    store(&cache, b"a", b"code of a");
    assert_eq!(code_of(&cache, b"a").unwrap(), b"code of a");
    assert!(code_of(&cache, b"b").is_none());
    let found = cache.fetch(&key(b"a")).unwrap().unwrap();
    assert!(rustix::io::pwrite(&found.code, b"x", 0).is_err(), "sealed");
    assert_eq!(found.accepted, report(b"code of a").into_result().unwrap());
    // Another supervisor of the same user.
    assert_eq!(code_of(&scratch.open(), b"a").unwrap(), b"code of a");
    assert!(cache.verify().unwrap().iter().all(|verdict| verdict.result.is_ok()));
}

#[test]
fn every_flipped_byte_and_every_truncation_is_a_miss() {
    let scratch = Scratch::new();
    let cache = scratch.open();
    store(&cache, b"a", b"code of a");
    let path = path_of(&cache, b"a");
    let good = fs::read(&path).unwrap();
    for offset in 0..good.len() {
        for flip in [0x01, 0xff] {
            let mut bytes = good.clone();
            bytes[offset] ^= flip;
            fs::write(&path, bytes).unwrap();
            assert!(code_of(&cache, b"a").is_none(), "byte {offset} ^ {flip}");
            assert!(!path.exists(), "byte {offset}: it was to go into quarantine");
        }
        fs::write(&path, &good[..offset]).unwrap();
        assert!(code_of(&cache, b"a").is_none(), "cut off at {offset}");
    }
    fs::write(&path, [good.as_slice(), b"x"].concat()).unwrap();
    assert!(code_of(&cache, b"a").is_none(), "a byte more");
    fs::write(&path, &good).unwrap();
    assert_eq!(code_of(&cache, b"a").unwrap(), b"code of a", "the control of the experiment");
    let quarantined = cache.list().unwrap().quarantined;
    assert!((1..=16).contains(&quarantined.len()), "{} in quarantine", quarantined.len());
}

#[test]
fn each_forgery_has_its_name() {
    let scratch = Scratch::new();
    let cache = scratch.open();
    store(&cache, b"a", b"code of a");
    store(&cache, b"b", b"code of b");
    let path = path_of(&cache, b"a");
    let place: [(&str, &dyn Fn()); 7] = [
        ("other-key", &|| fs::write(&path, fs::read(path_of(&cache, b"b")).unwrap()).unwrap()),
        ("format", &|| fs::write(&path, fs::read("/bin/ls").unwrap()).unwrap()),
        ("length", &|| fs::write(&path, b"").unwrap()),
        ("not-a-file", &|| symlink(path_of(&cache, b"b"), &path).unwrap()),
        ("not-a-file", &|| fs::create_dir(&path).unwrap()),
        ("not-a-file", &|| rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap()),
        ("mac", &|| {
            // By somebody who knows the format and not the secret.
            let stranger = Scratch::new();
            store(&stranger.open(), b"a", b"code of a");
            fs::copy(path_of(&stranger.open(), b"a"), &path).unwrap();
        }),
    ];
    for (word, put) in place {
        let _ = fs::remove_file(&path);
        put();
        assert!(code_of(&cache, b"a").is_none(), "{word}");
        assert!(fs::symlink_metadata(&path).is_err(), "{word}: out of use");
        let quarantined = cache.list().unwrap().quarantined;
        assert!(quarantined.iter().any(|entry| entry.why == word), "{word}: {quarantined:?}");
    }
    assert_eq!(code_of(&cache, b"b").unwrap(), b"code of b", "the others stay");
}

#[test]
fn swapped_during_100_000_loads() {
    let scratch = Scratch::new();
    let cache = scratch.open();
    let codes: [(&[u8], &[u8]); 2] = [(b"a", b"code of a"), (b"b", b"code of b, which is longer")];
    for (module, code) in codes {
        store(&cache, module, code);
    }
    let good = codes.map(|(module, _)| fs::read(path_of(&cache, module)).unwrap());
    let (done, swaps) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut hits = 0_u32;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let folder = cache.shelf.path();
            let names = codes.map(|(module, _)| path_of(&cache, module));
            while !done.load(Ordering::Relaxed) {
                let round = swaps.fetch_add(1, Ordering::Relaxed);
                // Each name gets now its own entry and now the other's, by rename.
                for (index, name) in names.iter().enumerate() {
                    let which = (index + usize::from(round % 2 == 1)) % 2;
                    fs::write(folder.join("swap"), &good[which]).unwrap();
                    fs::rename(folder.join("swap"), name).unwrap();
                }
            }
        });
        for round in 0..100_000 {
            let (module, code) = codes[round % 2];
            if let Some(found) = code_of(&cache, module) {
                assert_eq!(found, code, "bytes of another entry");
                hits += 1;
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    let swaps = swaps.load(Ordering::Relaxed);
    assert!(swaps > 100 && hits > 0, "{swaps} swaps, {hits} hits");
    assert!(cache.list().unwrap().quarantined.len() <= 16);
}

#[test]
fn what_was_used_longest_ago_makes_room() {
    let scratch = Scratch::new();
    let code = vec![7; 10_000];
    let cache = scratch.open();
    let age = |module: &[u8], seconds| {
        let file = fs::File::options().write(true).open(path_of(&cache, module)).unwrap();
        let now = fs::metadata(path_of(&cache, b"a")).unwrap().modified().unwrap();
        file.set_modified(now - Duration::from_secs(seconds)).unwrap();
    };
    for module in [b"a", b"b", b"c"] {
        store(&cache, module, &code);
    }
    for (module, seconds) in [(b"b", 50), (b"c", 40), (b"a", 60)] {
        age(module, seconds);
    }
    // The oldest is used, so it is the newest now.
    assert!(code_of(&cache, b"a").is_some());
    let small = Cache::open(&CachePlaces { bytes_max: 35_000, ..scratch.places.clone() }).unwrap();
    store(&small, b"d", &code);
    let left: Vec<bool> =
        [b"a", b"b", b"c", b"d"].iter().map(|module| code_of(&cache, *module).is_some()).collect();
    assert_eq!(left, [true, false, true, true]);
    // What never fits is not kept at all, and nothing goes for it.
    let file = memfd::sealed("code", &[0; 40_000]).unwrap();
    assert!(small.store(&key(b"e"), &report(&[0; 40_000]), &file, &|_| {}).is_err());
    assert!(code_of(&cache, b"d").is_some());
    let tiny = Cache::open(&CachePlaces { bytes_max: 12_000, ..scratch.places.clone() }).unwrap();
    let removed = tiny.gc().unwrap();
    assert_eq!(removed.len(), 2, "{removed:?}");
    assert!(removed.iter().all(|removed| removed.reason == Reason::Evicted));
}

#[test]
fn what_a_killed_writer_left_goes_when_it_is_old() {
    let scratch = Scratch::new();
    let cache = scratch.open();
    let (old, new) = (cache.shelf.path().join("tmp-0"), cache.shelf.path().join("tmp-1"));
    let secret = scratch.places.state_dir.join("tmp-2");
    for path in [&old, &new, &secret] {
        fs::write(path, b"half").unwrap();
    }
    let now = fs::metadata(&new).unwrap().modified().unwrap();
    for path in [&old, &secret] {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(now - Duration::from_secs(7200)).unwrap();
    }
    assert_eq!(cache.list().unwrap().unfinished, (2, 8));
    let removed = cache.gc().unwrap();
    let names: Vec<&str> = removed.iter().map(|removed| removed.name.as_str()).collect();
    assert_eq!(names, ["tmp-0", "tmp-2"]);
    assert!(removed.iter().all(|removed| removed.reason == Reason::Unfinished));
    assert!(new.exists(), "its writer may be at work");
    assert!(scratch.places.state_dir.join("cache-key").exists());
}

#[test]
fn a_quarantine_is_bounded_and_emptied() {
    let scratch = Scratch::new();
    let cache = scratch.open();
    for round in 0..40_u8 {
        fs::write(path_of(&cache, &[round]), vec![round; 5 << 20]).unwrap();
        assert!(code_of(&cache, &[round]).is_none());
    }
    let quarantined = cache.list().unwrap().quarantined;
    let bytes: u64 = quarantined.iter().map(|entry| entry.bytes).sum();
    assert!(quarantined.len() <= 16 && bytes <= 64 << 20, "{} and {bytes}", quarantined.len());
    assert_eq!(why(&cache), "format");
    assert_eq!(cache.gc().unwrap().len(), quarantined.len());
    assert!(cache.list().unwrap().quarantined.is_empty());
}

#[test]
fn supervisors_that_begin_at_once_agree_on_a_secret() {
    let scratch = Scratch::new();
    let ids: Vec<String> = std::thread::scope(|scope| {
        let opening: Vec<_> = (0..8).map(|_| scope.spawn(|| scratch.open().secret.id())).collect();
        opening.into_iter().map(|opening| opening.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let files: Vec<_> = fs::read_dir(&scratch.places.state_dir).unwrap().flatten().collect();
    assert_eq!(files.len(), 1, "no other secret is left: {files:?}");
    assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o7777, 0o600);
}

#[test]
fn another_secrets_entries_are_neither_used_nor_touched() {
    let scratch = Scratch::new();
    let cache = scratch.open();
    store(&cache, b"a", b"code of a");
    let path = path_of(&cache, b"a");
    fs::remove_file(scratch.places.state_dir.join("cache-key")).unwrap();
    let after = scratch.open();
    assert!(code_of(&after, b"a").is_none());
    after.gc().unwrap();
    assert!(path.exists());
    assert_eq!(after.list().unwrap().others, 1);
    // Moved over to where the new secret's are, they are what they are: somebody else's.
    fs::copy(&path, path_of(&after, b"a")).unwrap();
    assert!(code_of(&after, b"a").is_none());
    assert_eq!(why(&after), "mac");
}

#[test]
fn a_secret_that_others_could_have_made_is_refused() {
    let scratch = Scratch::new();
    let path = scratch.places.state_dir.join("cache-key");
    drop(scratch.open());
    let set = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    for mode in [0o640, 0o604, 0o660] {
        set(mode);
        let text = scratch.refusal();
        assert!(text.contains("cache-key") && text.contains(&format!("{mode:04o}")), "{text}");
    }
    set(0o600);
    for bytes in [0, 31, 33] {
        fs::write(&path, vec![0; bytes]).unwrap();
        assert!(scratch.refusal().contains(&format!("{bytes} bytes")), "{bytes}");
    }
    fs::remove_file(&path).unwrap();
    symlink("/dev/zero", &path).unwrap();
    assert!(scratch.refusal().contains("no regular file"));
    fs::remove_file(&path).unwrap();
    drop(scratch.open());
}

#[test]
fn directories_that_others_could_write_to_are_refused() {
    let scratch = Scratch::new();
    drop(scratch.open());
    for folder in [
        scratch.places.cache_dir.clone(),
        scratch.places.state_dir.clone(),
        scratch.open().shelf.path().into(),
    ] {
        for mode in [0o770, 0o702, 0o777] {
            fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
            let text = scratch.refusal();
            assert!(text.contains(&format!("{mode:04o}")) && text.contains("go-w"), "{text}");
        }
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    }
    let link = scratch.root.join("link");
    symlink(&scratch.places.cache_dir, &link).unwrap();
    assert!(Cache::open(&CachePlaces::new(&link, &scratch.places.state_dir)).is_err(), "a link in its place");
    drop(scratch.open());
}

#[test]
fn the_secret_is_never_within_the_cache() {
    let scratch = Scratch::new();
    let CachePlaces { cache_dir, .. } = &scratch.places;
    for state in [cache_dir.clone(), cache_dir.join("state"), cache_dir.join("a/b")] {
        let error = Cache::open(&CachePlaces::new(cache_dir, &state)).unwrap_err();
        assert!(matches!(error, CacheError::SecretInCache { .. }), "{error}");
    }
    // The other way round is allowed: what is in the state directory is ours alone.
    drop(Cache::open(&CachePlaces::new(scratch.root.join("s/cache"), scratch.root.join("s"))).unwrap());
}

#[test]
fn two_at_once_never_see_half_an_entry() {
    let scratch = Scratch::new();
    let codes: Vec<Vec<u8>> = (1..=8_u8).map(|fill| vec![fill; 3000 * usize::from(fill)]).collect();
    std::thread::scope(|scope| {
        for thread in 0..4_usize {
            let (scratch, codes) = (&scratch, &codes);
            scope.spawn(move || {
                let cache = scratch.open();
                for round in 0..60 {
                    let which = (round * 7 + thread * 3) % codes.len();
                    let module = [u8::try_from(which).unwrap()];
                    if let Some(found) = code_of(&cache, &module) {
                        assert_eq!(found, codes[which]);
                    } else {
                        store(&cache, &module, &codes[which]);
                    }
                    if round % 20 == thread {
                        let _ = fs::remove_file(path_of(&cache, &module));
                    }
                }
            });
        }
    });
    let listing = scratch.open().list().unwrap();
    assert!(listing.quarantined.is_empty() && listing.unfinished.0 == 0, "{listing:?}");
}
