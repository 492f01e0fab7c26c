//! `LIFECYCLE.md` says what the table says.

use super::State;
use super::table::{Signal, TABLE, When, Who, next};
use std::fmt::Write as _;

const DOCUMENT: &str = include_str!("../../LIFECYCLE.md");
const BEGIN: &str = "<!-- begin: written from src/lifecycle/table.rs; a test compares -->\n";
const END: &str = "<!-- end -->\n";

const SIGNALS: [Signal; 11] = [
    Signal::Enable,
    Signal::Disable,
    Signal::Drain,
    Signal::Reset,
    Signal::Close,
    Signal::Started,
    Signal::Crashed,
    Signal::Struck,
    Signal::TakenOver,
    Signal::PauseOver,
    Signal::Emptied,
];

fn signal(signal: Signal) -> &'static str {
    match signal {
        Signal::Enable => "enable",
        Signal::Disable => "disable",
        Signal::Drain => "drain",
        Signal::Reset => "reset",
        Signal::Close => "close",
        Signal::Started => "zygote proven",
        Signal::Crashed => "zygote lost or not started",
        Signal::Struck => "worker crashed",
        Signal::TakenOver => "new version healthy",
        Signal::PauseOver => "pause over",
        Signal::Emptied => "last call over",
    }
}

fn who(who: Who) -> &'static str {
    match who {
        Who::Operator => "operator",
        Who::Plugin => "plugin",
        Who::Supervisor => "supervisor",
        Who::Clock => "clock",
    }
}

fn when(when: When) -> &'static str {
    match when {
        When::Always => "",
        When::TooOften => " too often",
        When::ForCrashes => " after too many crashes",
        When::ToDisable => ", to be disabled",
    }
}

fn drawn() -> String {
    let mut text = String::from("```mermaid\nstateDiagram-v2\n    [*] --> stopped\n");
    for row in TABLE.iter().filter(|row| row.on != Signal::Close) {
        for from in row.from {
            let _ = writeln!(text, "    {from} --> {}: {}{}", row.to, signal(row.on), when(row.when));
        }
    }
    text.push_str("```\n\n| from | when | by | to | and |\n|---|---|---|---|---|\n");
    for row in TABLE {
        let from: Vec<&str> = row.from.iter().map(|state| state.name()).collect();
        let from = if row.from.len() == State::ALL.len() { "any".to_owned() } else { from.join(", ") };
        let (on, by) = (signal(row.on), who(row.on.who()));
        let _ = writeln!(text, "| {from} | {on}{} | {by} | {} | {} |", when(row.when), row.to, row.then);
    }
    text
}

#[test]
fn the_document_is_drawn_from_the_table() {
    let (_, rest) = DOCUMENT.split_once(BEGIN).expect("LIFECYCLE.md has a begin mark");
    let (found, _) = rest.split_once(END).expect("LIFECYCLE.md has an end mark");
    let drawn = drawn();
    assert!(found == drawn, "write this between the marks of supervisor/LIFECYCLE.md:\n\n{drawn}");
}

#[test]
fn every_row_can_be_the_one_that_fits() {
    for (at, row) in TABLE.iter().enumerate() {
        for from in row.from {
            let only = |when| when == row.when || when == When::Always;
            let earlier = TABLE[..at].iter().any(|other| {
                other.from.contains(from)
                    && other.on == row.on
                    && (other.when == row.when || other.when == When::Always)
            });
            assert!(!earlier, "{row:?} is hidden by an earlier one");
            assert_eq!(next(*from, row.on, only), Some(row.to), "{row:?}");
        }
    }
}

#[test]
fn every_state_is_reached_and_left_and_every_signal_leads_somewhere() {
    for state in State::ALL {
        assert!(
            TABLE.iter().any(|row| row.to == state && !row.from.contains(&state)),
            "{state} is never reached"
        );
        assert!(
            TABLE.iter().any(|row| row.to != state && row.from.contains(&state)),
            "{state} is never left"
        );
    }
    for on in SIGNALS {
        assert!(TABLE.iter().any(|row| row.on == on), "{on:?} leads nowhere");
    }
}
