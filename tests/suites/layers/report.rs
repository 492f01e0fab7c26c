//! The tables of this suite, for people: SECURITY.md shows them as they are.

use crate::alone::ATTACKS;
use crate::noticed::{SEEN, UNSEEN};
use crate::passes::PASSES;
use std::fmt::Write as _;

const DOCUMENT: &str = include_str!("../../../SECURITY.md");

#[test]
fn the_tables_in_security_md_are_these() {
    for (name, table) in [("left-out", left_out()), ("alone", alone())] {
        println!("{table}");
        let (_, rest) = DOCUMENT.split_once(&format!("<!-- {name}: begin -->\n")).expect(name);
        let (found, _) = rest.split_once(&format!("<!-- {name}: end -->")).expect(name);
        assert!(found == table, "write this between the marks of {name} in SECURITY.md:\n\n{table}\n");
    }
}

/// A wall, who notices, what gets through.
fn left_out() -> String {
    let mut table = "| left out | who notices, and refuses | gets through then |\n|---|---|---|\n".to_owned();
    let unseen = UNSEEN.iter().map(|wall| (*wall, "nobody: a certificate never calls it more than reported"));
    for (walls, words) in SEEN.iter().copied().chain(unseen) {
        let noticed = match words.strip_prefix('(').map(|words| words.trim_end_matches(')')) {
            Some(words) => match words.split_once("): ") {
                Some((layer, limit)) => format!("the look from outside: `{layer}`, {limit}"),
                None => format!("the look from outside: `{words}`"),
            },
            None if words.starts_with("filter") => "a canary".to_owned(),
            None => words.to_owned(),
        };
        let walls: Vec<String> = walls.split(',').map(|wall| format!("`{wall}`")).collect();
        let _ = writeln!(table, "| {} | {noticed} | {} |", walls.join(" with "), through(&walls[0]));
    }
    table
}

fn through(wall: &str) -> String {
    if wall == "`no-new-privs`" {
        return "nothing starts: the kernel installs no filter".to_owned();
    }
    let passing = PASSES.iter().find(|(known, _)| wall.trim_matches('`') == *known);
    let Some((_, orders)) = passing else { return "nothing".to_owned() };
    let mut names: Vec<&str> = Vec::new();
    for order in *orders {
        let name = if order.starts_with("eat ") { order } else { order.split(' ').next().unwrap() };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    format!("{} of the orders: {}", orders.len(), names.join(", "))
}

/// An attack, and each wall that alone stops it.
fn alone() -> String {
    let mut table =
        "| what is tried, with both filters gone | each of these alone stops it |\n|---|---|\n".to_owned();
    for attack in ATTACKS {
        let walls: Vec<String> =
            attack.walls.iter().map(|(wall, error)| format!("`{wall}` ({})", name(*error))).collect();
        let _ = writeln!(table, "| {} | {} |", attack.what, walls.join(", "));
    }
    table
}

/// The kernel's word for an error.
fn name(error: i32) -> String {
    let text = std::io::Error::from_raw_os_error(error).to_string();
    text.split(" (os error").next().unwrap().to_lowercase()
}
