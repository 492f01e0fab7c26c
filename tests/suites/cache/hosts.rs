//! Hosts that share a cache and are killed.

use crate::shelf::{How, Shelf, load, places, wasm};
use casemate::Casemate;
use casemate::cache::Cache;
use casemate_supervisor::{POINTS, PausePoint};
use casemate_tests::host::{self, Host, Scenario};
use casemate_tests::{block_on, processes};
use std::path::Path;
use std::time::Duration;

pub(crate) const SCENARIOS: &[Scenario] = &[("load", load_letters), ("pause_at", pause_at), ("churn", churn)];

const PATIENCE: Duration = Duration::from_secs(20);

/// Loads letters and says how each was loaded, and at last what there is.
fn load_letters(argument: &str) {
    let mut words = argument.split(' ');
    let places = places(Path::new(words.next().unwrap()));
    block_on(async {
        let casemate = Casemate::builder().cache(places.clone()).build().unwrap();
        for letter in words.flat_map(str::chars) {
            host::say(&format!("{:?}", load(&casemate, letter).await.unwrap()));
        }
    });
    let listing = Cache::open(&places).unwrap().list().unwrap();
    let (entries, quarantined) = (listing.entries.len(), listing.quarantined.len());
    host::say(&format!(
        "{entries} entries, {} unfinished, {quarantined} in quarantine",
        listing.unfinished.0
    ));
}

/// Loads a letter and stops at a named point for ever.
fn pause_at(argument: &str) {
    let (folder, point) = argument.split_once(' ').unwrap();
    block_on(async {
        let casemate = Casemate::builder()
            .cache(places(Path::new(folder)))
            .configure(|config| config.pause_at = Some(PausePoint::new(point, || host::say("paused"))))
            .build()
            .unwrap();
        host::say(&casemate.marker());
        load(&casemate, 'a').await.unwrap();
        host::say("never paused");
    });
}

/// Loads letters for ever, and takes entries away so that there is always something to store.
fn churn(folder: &str) {
    let places = places(Path::new(folder));
    block_on(async {
        let casemate = Casemate::builder().cache(places.clone()).build().unwrap();
        let cache = Cache::open(&places).unwrap();
        host::say(&casemate.marker());
        for letter in ['a', 'b', 'c'].iter().cycle() {
            load(&casemate, *letter).await.unwrap();
            host::say("loaded");
            let listing = cache.list().unwrap();
            if let Some(oldest) = listing.entries.last() {
                let _ = std::fs::remove_file(listing.directory.join(&oldest.name));
            }
        }
    });
}

#[test]
fn killed_at_any_write() {
    let points: Vec<_> = POINTS.iter().filter(|point| point.starts_with("cache: ")).collect();
    assert!(points.len() >= 7, "{points:?}");
    for point in points {
        let shelf = Shelf::new();
        let mut host = Host::start("pause_at", &format!("{} {point}", shelf.folder.display()));
        let marker = host.line();
        assert_eq!(host.line(), "paused", "{point} is never reached");
        host.kill();
        processes::await_none(&marker, PATIENCE);
        // An entry is there from the rename on, whole; before that there is none.
        let named = ["cache: entry named", "cache: directory synced"].contains(point);
        let listing = shelf.list();
        assert_eq!(listing.entries.len(), usize::from(named), "{point}");
        assert!(shelf.open().verify().unwrap().iter().all(|verdict| verdict.result.is_ok()), "{point}");
        block_on(async {
            let first = if named { How::Cached } else { How::Compiled };
            assert_eq!(shelf.load('a').await, first, "{point}");
            assert_eq!(shelf.load('a').await, How::Cached, "{point}");
        });
        let listing = shelf.list();
        assert!(listing.quarantined.is_empty() && listing.unfinished.0 <= 1, "{point}: {listing:?}");
    }
}

#[test]
fn hosts_share_it_while_some_are_killed() {
    let shelf = Shelf::new();
    let folder = shelf.folder.display().to_string();
    let mut survivor = Host::start("churn", &folder);
    let survivors = survivor.line();
    for round in 0..6 {
        let mut host = Host::start("churn", &folder);
        let marker = host.line();
        for _ in 0..=round {
            assert_eq!(host.line(), "loaded");
            assert_eq!(survivor.line(), "loaded");
        }
        host.kill();
        processes::await_none(&marker, PATIENCE);
    }
    assert_eq!(survivor.line(), "loaded");
    survivor.kill();
    processes::await_none(&survivors, PATIENCE);
    assert!(shelf.open().verify().unwrap().iter().all(|verdict| verdict.result.is_ok()));
    let listing = shelf.list();
    assert!(listing.quarantined.is_empty() && listing.others == 0, "{listing:?}");
    for letter in ['a', 'b', 'c'] {
        block_on(shelf.load(letter));
        assert!(shelf.find(&wasm(letter)).is_some());
    }
}
