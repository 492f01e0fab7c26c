//! A cache of a test's own, and modules that say who they are.

use casemate::cache::{Cache, CachePlaces, Listing};
use casemate::{Casemate, Failure, Policy};
use casemate_supervisor::Config;
use casemate_tests::scratch::Scratch;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A folder with a cache and the secret beside it.
pub(crate) struct Shelf {
    pub(crate) folder: Scratch,
    pub(crate) places: CachePlaces,
}

/// Where a folder's cache is, for hosts that are told the folder.
pub(crate) fn places(folder: &Path) -> CachePlaces {
    CachePlaces::new(folder.join("cache"), folder.join("state"))
}

impl Shelf {
    pub(crate) fn new() -> Self {
        let folder = Scratch::new();
        let places = places(&folder);
        Self { folder, places }
    }

    /// A supervisor that uses it.
    pub(crate) fn supervisor(&self) -> Casemate {
        self.supervisor_with(|_| {})
    }

    pub(crate) fn supervisor_with(&self, change: impl FnOnce(&mut Config)) -> Casemate {
        Casemate::builder().cache(self.places.clone()).configure(change).build().unwrap()
    }

    /// A supervisor that uses it and has no time to compile: what it loads was in the cache.
    pub(crate) fn only_reader(&self) -> Casemate {
        self.supervisor_with(|config| config.compile_timeout = Duration::ZERO)
    }

    pub(crate) fn open(&self) -> Cache {
        Cache::open(&self.places).unwrap()
    }

    pub(crate) fn list(&self) -> Listing {
        self.open().list().unwrap()
    }

    /// The file of a module's only entry; `None` if there is none.
    pub(crate) fn find(&self, wasm: &[u8]) -> Option<PathBuf> {
        let module = sha256(wasm);
        let listing = self.list();
        let entry = listing.entries.iter().find(|entry| entry.module == module)?;
        Some(listing.directory.join(&entry.name))
    }

    pub(crate) fn entry(&self, wasm: &[u8]) -> PathBuf {
        self.find(wasm).expect("an entry")
    }

    /// Loads a letter with a supervisor of its own.
    pub(crate) async fn load(&self, letter: char) -> How {
        load(&self.supervisor(), letter).await.unwrap()
    }
}

/// Where a loaded plugin's code came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Compiled,
    Cached,
}

/// Loads a letter and makes sure that it is the one.
pub(crate) async fn load(casemate: &Casemate, letter: char) -> Result<How, Failure> {
    let plugin = casemate.load(wasm(letter), Policy::default()).await?;
    let answer = plugin.call_raw("m", b"").await?;
    assert_eq!(answer, letter.to_string().into_bytes(), "the code of another module");
    Ok(if plugin.from_cache() { How::Cached } else { How::Compiled })
}

/// A plugin that answers its letter, which is in its code and not in its data.
pub(crate) fn wasm(letter: char) -> Vec<u8> {
    let code = u32::from(letter);
    let text = format!(
        r#"(module
            (memory (export "memory") 1)
            (func (export "casemate_abi") (result i32) (i32.const 1))
            (func (export "casemate_alloc") (param i32 i32) (result i32) (i32.const 1024))
            (func (export "casemate_free") (param i32 i32 i32))
            (func (export "casemate_call") (param i32 i32) (result i64)
              (i32.store8 (i32.const 10) (i32.const {code}))
              (i64.or (i64.shl (i64.const 3) (i64.const 32)) (i64.const 8))))"#
    );
    wat::parse_str(text).unwrap()
}

/// The digest as `sha256sum` says it.
fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
