//! `policy show`: what holds for a plugin, and where each value comes from.

use super::origin_json;
use crate::args::PolicyShow;
use crate::exit::Exit;
use crate::grant;
use crate::problem::Problem;
use crate::screen::{Screen, Tone};
use casemate::config::EffectiveValue;
use casemate::config::syscalls::{self, Arch, Profile};
use casemate::outcome::escape;
use casemate::{Configuration, Effective};
use serde_json::{Map, Value, json};

pub(super) fn perform(
    configuration: &Configuration,
    show: &PolicyShow,
    screen: &mut Screen,
) -> Result<Exit, Problem> {
    let effective = grant::effective(configuration, &show.name, show.manifest.as_deref())?;
    if screen.json() {
        screen.value(&to_json(&effective, show))?;
        return Ok(Exit::Done);
    }
    if show.syscalls {
        return list_syscalls(screen);
    }
    let texts: Vec<String> = effective.values().iter().map(shown).collect();
    let width = |length: usize, most: usize| length.min(most);
    let keys =
        effective.values().iter().map(|value| width(value.path.chars().count(), 40)).max().unwrap_or(0);
    let values = texts.iter().map(|text| width(text.chars().count(), 32)).max().unwrap_or(0);
    for (value, text) in effective.values().iter().zip(&texts) {
        let key = screen.paint(Tone::Bold, format!("{:keys$}", escape(&value.path, 300)));
        let origin = screen.paint(Tone::Dim, escape(&value.origin.to_string(), 1024));
        screen.line(format!("{key}  {text:values$}  {origin}"))?;
        for (other, origin) in &value.overruled {
            let line = format!("{:keys$}  over {other}: {origin}", "");
            screen.line(screen.paint(Tone::Dim, escape(&line, 4096)))?;
        }
    }
    for error in effective.not_available() {
        screen.line(format!("{} {}", screen.paint(Tone::Warn, "note:"), escape(&error.to_string(), 4096)))?;
    }
    Ok(Exit::Done)
}

/// They are the same whatever the policy: what a policy grants goes over the link.
fn list_syscalls(screen: &mut Screen) -> Result<Exit, Problem> {
    list_of(Profile::Core, screen)?;
    screen.line("")?;
    screen.line(screen.paint(Tone::Dim, "with WASI, and for components:"))?;
    list_of(Profile::Wasi, screen)?;
    screen.line("")?;
    screen.line(screen.paint(Tone::Dim, "of native programs:"))?;
    list_of(Profile::External, screen)?;
    Ok(Exit::Done)
}

fn list_of(profile: Profile, screen: &mut Screen) -> Result<(), Problem> {
    let list: Vec<_> = syscalls::of_worker(Arch::NATIVE, profile).collect();
    let names = list.iter().map(|syscall| syscall.name.len()).max().unwrap_or(0);
    for syscall in &list {
        let name = screen.paint(Tone::Bold, format!("{:names$}", syscall.name));
        screen.line(format!("{name}  {}", syscall.reason))?;
        screen.line(screen.paint(Tone::Dim, format!("{:names$}  {}", "", syscall.arguments)))?;
    }
    Ok(())
}

fn shown(value: &EffectiveValue) -> String {
    value.value.as_ref().map_or_else(|| "-".to_owned(), |value| escape(&value.to_string(), 4096))
}

fn to_json(effective: &Effective, show: &PolicyShow) -> Value {
    let values = effective.values().iter().map(|value| {
        let overruled = value
            .overruled
            .iter()
            .map(|(value, origin)| json!({"value": value.to_json(), "origin": origin_json(origin)}));
        json!({
            "key": value.path,
            "value": value.value.as_ref().map(casemate::config::Value::to_json),
            "origin": origin_json(&value.origin),
            "overruled": overruled.collect::<Vec<_>>(),
            "enforced_by": value.enforced_by(),
        })
    });
    let mut object = Map::new();
    object.insert("ok".to_owned(), json!(true));
    object.insert("plugin".to_owned(), json!(show.name));
    object.insert("file".to_owned(), json!(effective.file()));
    object.insert("values".to_owned(), values.collect());
    let missing = effective.not_available().map(|error| json!(error.to_string()));
    object.insert("not_available".to_owned(), missing.collect());
    if show.syscalls {
        for (key, profile) in [
            ("syscalls", Profile::Core),
            ("syscalls_wasi", Profile::Wasi),
            ("syscalls_external", Profile::External),
        ] {
            let list = syscalls::of_worker(Arch::NATIVE, profile).map(
                |syscall| json!({"name": syscall.name, "arguments": syscall.arguments, "reason": syscall.reason}),
            );
            object.insert(key.to_owned(), list.collect());
        }
    }
    Value::Object(object)
}
