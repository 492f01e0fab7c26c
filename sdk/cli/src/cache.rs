//! `cache`: what is in the code cache, whether it is as it should be, and what may go.

use crate::args::{Cache as Order, CacheCommand, Gc, Places};
use crate::exit::Exit;
use crate::places;
use crate::problem::Problem;
use crate::screen::{Screen, Tone};
use casemate::cache::{Cache, Listing, Removed, Verdict};
use casemate::policy::units;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) fn perform(flags: &Places, order: &Order, screen: &mut Screen) -> Result<Exit, Problem> {
    let mut places = places::required(flags)?;
    if let CacheCommand::Gc(Gc { max: Some(max) }) = &order.command {
        places.bytes_max = units::bytes(max).map_err(|error| Problem::policy(format!("--max: {error}")))?;
    }
    let cache = Cache::open(&places).map_err(|error| places::unusable(&error))?;
    match &order.command {
        CacheCommand::Ls => ls(&cache, screen),
        CacheCommand::Verify => verify(&cache, screen),
        CacheCommand::Gc(_) => gc(&cache, screen),
    }
}

fn ls(cache: &Cache, screen: &mut Screen) -> Result<Exit, Problem> {
    let listing = cache.list().map_err(|error| unreadable(cache, &error))?;
    if screen.json() {
        screen.value(&listing_json(&listing))?;
    } else {
        for line in listing_lines(&listing, screen) {
            screen.line(line)?;
        }
    }
    Ok(Exit::Done)
}

fn verify(cache: &Cache, screen: &mut Screen) -> Result<Exit, Problem> {
    let working = screen.working("verifying");
    let verdicts = cache.verify().map_err(|error| unreadable(cache, &error));
    drop(working);
    let verdicts = verdicts?;
    let bad = verdicts.iter().filter(|verdict| verdict.result.is_err()).count();
    let problem = (bad > 0).then(|| Problem::bad_entries(bad, verdicts.len()));
    if screen.json() {
        screen.value(&verdicts_json(&verdicts, problem.as_ref()))?;
        return Ok(problem.map_or(Exit::Done, |problem| problem.exit()));
    }
    for verdict in &verdicts {
        screen.line(verdict_line(verdict, screen))?;
    }
    problem.map_or(Ok(Exit::Done), Err)
}

fn gc(cache: &Cache, screen: &mut Screen) -> Result<Exit, Problem> {
    let removed = cache.gc().map_err(|error| unreadable(cache, &error))?;
    if screen.json() {
        screen.value(&removed_json(&removed))?;
        return Ok(Exit::Done);
    }
    for Removed { name, bytes, reason } in &removed {
        screen.line(format!("{} {name} {}", size(*bytes), reason.name()))?;
    }
    screen.line(format!("{} in {} files removed", size(sum(&removed)).trim(), removed.len()))?;
    Ok(Exit::Done)
}

fn unreadable(cache: &Cache, error: &std::io::Error) -> Problem {
    Problem::cache(Exit::NotFound, format!("{}: {error}", cache.root().display()))
}

fn sum(removed: &[Removed]) -> u64 {
    removed.iter().fold(0, |sum, removed| sum.saturating_add(removed.bytes))
}

fn bytes_of(listing: &Listing) -> u64 {
    listing.entries.iter().fold(0, |sum, entry| sum.saturating_add(entry.bytes))
}

fn listing_lines(listing: &Listing, screen: &Screen) -> Vec<String> {
    let count = listing.entries.len();
    let (bytes, max) = (size(bytes_of(listing)), units::show_bytes(listing.bytes_max));
    let head = format!("{}: {} in {count} entries, {max} at most", listing.directory.display(), bytes.trim());
    let mut lines = vec![screen.paint(Tone::Bold, casemate::outcome::escape(&head, 4096))];
    for entry in &listing.entries {
        lines.push(format!("{} {} used {}", size(entry.bytes), entry.name, age(entry.used)));
    }
    for entry in &listing.quarantined {
        let name = casemate::outcome::escape(&entry.name, 512);
        lines.push(format!("{} {name} {}", size(entry.bytes), screen.paint(Tone::Bad, "in quarantine")));
    }
    let (files, bytes) = listing.unfinished;
    if files > 0 {
        lines.push(format!("{} in {files} unfinished files", size(bytes)));
    }
    if listing.others > 0 {
        lines.push(format!("{} directories of other secrets, which are not touched", listing.others));
    }
    lines
}

/// Bytes in a column, rounded.
fn size(bytes: u64) -> String {
    let units = [("MiB", 1_u64 << 20), ("KiB", 1 << 10)];
    match units.into_iter().find(|(_, factor)| bytes >= *factor) {
        Some((name, factor)) => format!("{:>5} {name}", bytes.div_ceil(factor)),
        None => format!("{bytes:>5} B  "),
    }
}

fn age(used: SystemTime) -> String {
    let seconds = used.elapsed().unwrap_or_default().as_secs();
    match seconds {
        0..60 => format!("{seconds} s ago"),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..86_400 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

fn verdict_line(verdict: &Verdict, screen: &Screen) -> String {
    match &verdict.result {
        Ok(()) => format!("{} {}", screen.paint(Tone::Good, "good"), verdict.name),
        Err(bad) => format!("{} {} {bad}", screen.paint(Tone::Bad, "bad "), verdict.name),
    }
}

fn listing_json(listing: &Listing) -> Value {
    let entries = listing.entries.iter().map(|entry| {
        let used = entry.used.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        json!({
            "name": entry.name,
            "module": entry.module,
            "bytes": entry.bytes,
            "used_unix_ms": u64::try_from(used).unwrap_or(u64::MAX),
        })
    });
    let quarantined = listing.quarantined.iter().map(
        |entry| json!({"name": entry.name, "module": entry.module, "bytes": entry.bytes, "why": entry.why}),
    );
    let (files, bytes) = listing.unfinished;
    json!({
        "ok": true,
        "directory": listing.directory.to_string_lossy(),
        "bytes": bytes_of(listing),
        "bytes_max": listing.bytes_max,
        "entries": entries.collect::<Vec<_>>(),
        "quarantined": quarantined.collect::<Vec<_>>(),
        "unfinished": {"files": files, "bytes": bytes},
        "others": listing.others,
    })
}

/// The verdicts; if there is a bad one together with the shape of a failed command.
fn verdicts_json(verdicts: &[Verdict], problem: Option<&Problem>) -> Value {
    let entries = verdicts.iter().map(|verdict| {
        let bad = verdict.result.as_ref().err();
        json!({
            "name": verdict.name,
            "ok": bad.is_none(),
            "why": bad.map(|bad| bad.word()),
            "message": bad.map(ToString::to_string),
        })
    });
    let entries: Vec<Value> = entries.collect();
    let mut value = problem.map_or_else(|| json!({"ok": true}), Problem::to_json);
    if let Value::Object(object) = &mut value {
        object.insert("entries".to_owned(), json!(entries));
    }
    value
}

fn removed_json(removed: &[Removed]) -> Value {
    let files = removed.iter().map(
        |Removed { name, bytes, reason }| json!({"name": name, "bytes": bytes, "reason": reason.name()}),
    );
    json!({"ok": true, "bytes": sum(removed), "removed": files.collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Color;
    use casemate::cache::{BadEntry, EntryInfo, Quarantined, Reason};

    fn listing() -> Listing {
        Listing {
            directory: "/c/0123456789abcdef".into(),
            entries: vec![EntryInfo {
                name: "aa-bb".to_owned(),
                module: "aa".to_owned(),
                bytes: 10_723,
                used: UNIX_EPOCH + std::time::Duration::from_millis(1_234),
            }],
            quarantined: vec![Quarantined {
                name: "aa-bb.mac.00".to_owned(),
                module: "aa".to_owned(),
                why: "mac".to_owned(),
                bytes: 5,
            }],
            unfinished: (1, 7),
            others: 2,
            bytes_max: 1 << 30,
        }
    }

    #[test]
    fn people_see_what_is_there() {
        let lines = listing_lines(&listing(), &Screen::new(false, 0, Color::Never));
        assert_eq!(lines[0], "/c/0123456789abcdef: 11 KiB in 1 entries, 1 GiB at most");
        assert!(
            lines[1].starts_with("   11 KiB aa-bb used ") && lines[1].ends_with(" days ago"),
            "{lines:?}"
        );
        assert_eq!(lines[2], "    5 B   aa-bb.mac.00 in quarantine");
        assert_eq!(lines[3], "    7 B   in 1 unfinished files");
        assert_eq!(lines[4], "2 directories of other secrets, which are not touched");
    }

    #[test]
    fn the_shapes_in_json() {
        assert_eq!(
            listing_json(&listing()),
            json!({
                "ok": true,
                "directory": "/c/0123456789abcdef",
                "bytes": 10_723,
                "bytes_max": 1 << 30,
                "entries": [{"name": "aa-bb", "module": "aa", "bytes": 10_723, "used_unix_ms": 1_234}],
                "quarantined": [{"name": "aa-bb.mac.00", "module": "aa", "bytes": 5, "why": "mac"}],
                "unfinished": {"files": 1, "bytes": 7},
                "others": 2,
            })
        );
        let removed = [Removed { name: "tmp-0".to_owned(), bytes: 7, reason: Reason::Unfinished }];
        assert_eq!(
            removed_json(&removed),
            json!({"ok": true, "bytes": 7, "removed": [{"name": "tmp-0", "bytes": 7, "reason": "unfinished"}]})
        );
    }

    #[test]
    fn a_bad_entry_is_the_end_of_a_verification() {
        let verdict = |result| Verdict { name: "aa-bb".to_owned(), result };
        let good = verdicts_json(&[verdict(Ok(()))], None);
        assert_eq!(
            good,
            json!({"ok": true, "entries": [{"name": "aa-bb", "ok": true, "why": null, "message": null}]})
        );
        let problem = Problem::bad_entries(1, 1);
        let bad = verdicts_json(&[verdict(Err(BadEntry::Mac))], Some(&problem));
        assert_eq!((&bad["ok"], &bad["code"]), (&json!(false), &json!("cache.bad_entries")));
        assert_eq!(bad["exit_code"], 4);
        assert_eq!((&bad["entries"][0]["ok"], &bad["entries"][0]["why"]), (&json!(false), &json!("mac")));
        let line = verdict_line(&verdict(Err(BadEntry::Mac)), &Screen::new(false, 0, Color::Never));
        assert!(line.starts_with("bad  aa-bb its MAC"), "{line}");
    }

    #[test]
    fn sizes_are_never_less_than_they_are() {
        assert_eq!(size(0), "    0 B  ");
        assert_eq!(size(1_025), "    2 KiB");
        assert_eq!(size(1 << 20), "    1 MiB");
    }
}
