//! `policy diff`: what a second configuration allows more and less.

use crate::args::PolicyDiff;
use crate::exit::Exit;
use crate::problem::Problem;
use crate::screen::{Screen, Tone};
use casemate::Configuration;
use casemate::config::{Changes, Difference, Value as Setting, Width};
use casemate::outcome::escape;
use serde_json::{Value, json};

/// Those without a table of their own, in words.
const OTHERS: &str = "all others";

pub(super) fn perform(order: &PolicyDiff, screen: &mut Screen) -> Result<Exit, Problem> {
    let (old, new) = (Configuration::read(&order.a)?, Configuration::read(&order.b)?);
    let changes = Changes::between(&old, &new)?;
    if screen.json() {
        screen.value(&to_json(&changes))?;
        return Ok(Exit::Done);
    }
    for (names, word) in [(&changes.added, "added"), (&changes.removed, "removed")] {
        for name in names {
            screen.line(format!("{} {name}", screen.paint(Tone::Bold, format!("{word:9}"))))?;
        }
    }
    for difference in &changes.values {
        let line = line(difference, screen);
        screen.line(line)?;
    }
    if changes == Changes::default() {
        screen.line("no difference")?;
    }
    Ok(Exit::Done)
}

fn line(difference: &Difference, screen: &Screen) -> String {
    let Difference { plugin, key, old, new, width, needs_restart } = difference;
    let tone = match width {
        Width::Wider => Tone::Bad,
        Width::Narrower => Tone::Good,
        _ => Tone::Warn,
    };
    let shown =
        |value: &Option<Setting>| escape(&value.as_ref().map_or("-".to_owned(), ToString::to_string), 2048);
    let when = if *needs_restart { screen.paint(Tone::Dim, "  by a new version") } else { String::new() };
    let width = screen.paint(tone, format!("{:9}", width.name()));
    let plugin = plugin.as_deref().unwrap_or(OTHERS);
    format!("{width} {plugin} {}: {} to {}{when}", escape(key, 300), shown(old), shown(new))
}

fn to_json(changes: &Changes) -> Value {
    let value = |value: &Option<Setting>| value.as_ref().map(Setting::to_json);
    let values = changes.values.iter().map(|difference| {
        json!({
            "plugin": difference.plugin,
            "key": difference.key,
            "old": value(&difference.old),
            "new": value(&difference.new),
            "width": difference.width.name(),
            "needs_restart": difference.needs_restart,
        })
    });
    json!({
        "ok": true,
        "added": changes.added,
        "removed": changes.removed,
        "values": values.collect::<Vec<_>>(),
    })
}
