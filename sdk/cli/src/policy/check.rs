//! `policy check`: whether a file is right, and what of it does not hold.

use crate::args::PolicyCheck;
use crate::exit::Exit;
use crate::problem::Problem;
use crate::screen::{Screen, Tone};
use casemate::config::{ConfigError, MANIFEST_FILE, Origin};
use casemate::outcome::escape;
use casemate::{Configuration, Effective, Manifest};
use serde_json::{Value, json};

/// Something that is no mistake, and that one should know.
struct Note {
    kind: &'static str,
    file: String,
    line: usize,
    column: usize,
    message: String,
}

pub(super) fn perform(check: &PolicyCheck, screen: &mut Screen) -> Result<Exit, Problem> {
    if check.file.file_name().is_some_and(|name| name == MANIFEST_FILE) {
        let manifest = Manifest::read(&check.file)?;
        return answer(check, "manifest", &[manifest.id.as_str()], &[], screen);
    }
    let configuration = Configuration::read(&check.file)?;
    let mut notes = Vec::new();
    for name in configuration.plugins() {
        let effective = configuration.plugin(name, None)?;
        notes.extend(clipped(&effective));
        notes.extend(effective.not_available().map(not_available));
    }
    let plugins: Vec<&str> = configuration.plugins().collect();
    answer(check, "configuration", &plugins, &notes, screen)
}

fn clipped(effective: &Effective) -> impl Iterator<Item = Note> {
    effective.values().iter().filter_map(|value| {
        let (granted, origin) = value.clipped()?;
        let Origin::Written { path, place, .. } = origin else { return None };
        let holds = value.value.as_ref().map(ToString::to_string).unwrap_or_default();
        let (line, column) = place.line_column();
        let message =
            format!("{path} = {granted} is above the ceiling and clipped to {holds} ({})", value.origin);
        Some(Note { kind: "clipped", file: place.file().to_owned(), line, column, message })
    })
}

fn not_available(error: ConfigError) -> Note {
    let ConfigError { file, line, column, problem } = error;
    Note { kind: "not_available", file, line, column, message: problem.to_string() }
}

fn answer(
    check: &PolicyCheck,
    kind: &str,
    plugins: &[&str],
    notes: &[Note],
    screen: &mut Screen,
) -> Result<Exit, Problem> {
    let file = check.file.display().to_string();
    if screen.json() {
        let notes: Vec<Value> = notes.iter().map(note_json).collect();
        screen.value(&json!({"ok": true, "file": file, "kind": kind, "plugins": plugins, "notes": notes}))?;
        return Ok(Exit::Done);
    }
    for Note { file, line, column, message, .. } in notes {
        let place = escape(&format!("{file}:{line}:{column}: "), 1024);
        screen.line(format!("{place}{} {}", screen.paint(Tone::Warn, "note:"), escape(message, 4096)))?;
    }
    let what = match (kind, plugins) {
        ("manifest", _) => format!("a manifest of {}", plugins.join(", ")),
        (_, []) => "no plugins".to_owned(),
        (_, [one]) => format!("one plugin, {one}"),
        (_, several) => format!("{} plugins: {}", several.len(), several.join(", ")),
    };
    screen.line(format!("{}: {}, {what}", escape(&file, 1024), screen.paint(Tone::Good, "valid")))?;
    Ok(Exit::Done)
}

fn note_json(note: &Note) -> Value {
    let Note { kind, file, line, column, message } = note;
    json!({"kind": kind, "file": file, "line": line, "column": column, "message": message})
}
