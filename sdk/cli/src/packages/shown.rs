//! `list` and `info`: what is installed here, and how a daemon's plugins do.

use super::checked::configuration;
use crate::args::{Cli, PluginInfo};
use crate::exit::Exit;
use crate::places;
use crate::problem::Problem;
use crate::remote::{self, plugins};
use crate::screen::{Screen, Tone};
use casemate::package::{Code, Consent, Installed, PackageError};
use casemate::{Cause, Effective, Failure, Info, State, Status};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// A plugin by what is known of it.
#[derive(Default)]
struct Row {
    status: Option<Status>,
    installed: Option<Result<Installed, PackageError>>,
}

pub(super) async fn list(cli: &Cli, screen: &mut Screen) -> Result<Exit, Problem> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    if let Some(daemon) = remote::daemon(cli).await? {
        for (name, status) in daemon.plugins().await? {
            rows.entry(name).or_default().status = Some(status);
        }
    }
    for (name, installed) in
        places::state(&cli.places).map(|state| Installed::all(&state)).unwrap_or_default()
    {
        rows.entry(name).or_default().installed = Some(installed);
    }
    if screen.json() {
        let shape = |(name, row): (&String, &Row)| {
            let mut value = match &row.status {
                Some(status) => plugins::status_json(name, status),
                None => json!({"name": name, "state": "installed"}),
            };
            if let (Value::Object(object), Some(installed)) = (&mut value, &row.installed) {
                object.insert("package".to_owned(), package_json(installed));
            }
            value
        };
        screen.value(&json!({"ok": true, "plugins": rows.iter().map(shape).collect::<Vec<_>>()}))?;
        return Ok(Exit::Done);
    }
    let plain = |text: String| (None, text);
    let row = |(name, row): (&String, &Row)| {
        let package = match &row.installed {
            Some(Ok(installed)) => format!("{} {}", installed.manifest.version, installed.system),
            Some(Err(_)) => "broken".to_owned(),
            None => String::new(),
        };
        let count = |of: fn(&Status) -> u64| {
            row.status.as_ref().map_or_else(String::new, |status| of(status).to_string())
        };
        let state = match &row.status {
            Some(status) => (Some(plugins::tone(status)), status.state.name().to_owned()),
            None => (Some(Tone::Warn), "installed".to_owned()),
        };
        // While it pauses, that is the last crash.
        let why = row.status.as_ref().and_then(|status| match status.state {
            State::Backoff => status.last_crash.as_ref(),
            _ => status.disabled.as_ref(),
        });
        [
            plain(name.clone()),
            state,
            plain(package),
            plain(count(|status| u64::from(status.busy))),
            plain(count(|status| u64::from(status.idle))),
            plain(count(|status| u64::from(status.waiting))),
            plain(count(|status| status.crashes.into())),
            plain(why.map_or_else(String::new, ToString::to_string)),
        ]
    };
    let head = ["PLUGIN", "STATE", "PACKAGE", "BUSY", "IDLE", "WAITING", "CRASHES", "WHY"];
    screen.table(head, &rows.iter().map(row).collect::<Vec<_>>())?;
    Ok(Exit::Done)
}

pub(super) async fn info(cli: &Cli, order: &PluginInfo, screen: &mut Screen) -> Result<Exit, Problem> {
    let installed = match places::state(&cli.places) {
        Some(state) => Installed::find(&state, &order.name).map_err(Problem::package)?,
        None => None,
    };
    let loaded = loaded(cli, order).await?;
    let info = match (&loaded, &installed) {
        (Some(info), _) => Some(info),
        (None, Some(_)) => None,
        (None, None) => {
            return Err(Problem::package(PackageError::NotInstalled { name: order.name.clone() }));
        }
    };
    let (notes, compared) = held_against(cli, &order.name, installed.as_ref(), info)?;
    if screen.json() {
        let mut value = match info {
            Some(info) => plugins::info_json(&order.name, info, order.certificate),
            None => json!({"ok": true, "name": order.name, "state": "installed"}),
        };
        if let (Value::Object(object), Some(installed)) = (&mut value, &installed) {
            let mut package = installed_json(installed);
            if let Value::Object(package) = &mut package {
                package.insert("notes".to_owned(), json!(notes));
                package.insert("compared_with".to_owned(), json!(compared));
            }
            object.insert("package".to_owned(), package);
        }
        screen.value(&value)?;
        return Ok(Exit::Done);
    }
    match info {
        Some(info) => {
            for line in plugins::lines(&order.name, info, order.certificate, screen) {
                screen.line(line)?;
            }
        }
        None => screen.line(format!("{} {}", order.name, screen.paint(Tone::Warn, "installed")))?,
    }
    if let Some(installed) = &installed {
        show_package(installed, screen)?;
    }
    let escape = |text: &str| casemate::outcome::escape(text, 1024);
    if let Some(file) = &compared {
        screen.line(format!("policy:  {}", escape(file)))?;
    }
    for note in &notes {
        screen.line(format!("{} {}", screen.paint(Tone::Warn, "note:"), escape(note)))?;
    }
    Ok(Exit::Done)
}

/// What a package says of itself, and where it comes from.
fn show_package(installed: &Installed, screen: &mut Screen) -> Result<(), Problem> {
    let manifest = &installed.manifest;
    let escape = |text: &str| casemate::outcome::escape(text, 1024);
    screen.line(format!(
        "package: {} {} of {}",
        escape(&manifest.name),
        manifest.version,
        installed.system
    ))?;
    if let Some(text) = &manifest.description {
        screen.line(format!("it says: {}", escape(text)))?;
    }
    screen.line(format!("from:    {}", escape(&installed.source)))?;
    screen.line(format!("sha256:  {}", installed.sha256))?;
    if let Code::Program(program) = &installed.code {
        screen.line(format!("program: {}", escape(&program.words().join(" "))))?;
    }
    for method in manifest.methods.keys() {
        screen.line(format!("method:  {}", escape(method)))?;
    }
    Ok(())
}

/// What of its manifest does not hold, and by which configuration. What runs is under the daemon's, and not under what this command
/// would read.
fn held_against(
    cli: &Cli,
    name: &str,
    installed: Option<&Installed>,
    info: Option<&Info>,
) -> Result<(Vec<String>, Option<String>), Problem> {
    let by_daemon = |file: &String| format!("{file}, by the daemon");
    Ok(match (installed, info) {
        (Some(installed), Some(Info { notes, configuration: Some(file), .. })) => {
            ([installed.notes.as_slice(), notes.as_slice()].concat(), Some(by_daemon(file)))
        }
        (Some(installed), _) => {
            let (notes, file) = compared(cli, name, installed)?;
            (notes, Some(file))
        }
        (None, Some(info)) => (info.notes.clone(), info.configuration.as_ref().map(by_daemon)),
        (None, None) => Default::default(),
    })
}

/// What a daemon knows of it, if one runs and knows it. A daemon that was named must.
async fn loaded(cli: &Cli, order: &PluginInfo) -> Result<Option<casemate::Info>, Problem> {
    let Some(daemon) = remote::daemon(cli).await? else { return Ok(None) };
    match daemon.plugin(&order.name).await {
        Ok(plugin) => Ok(Some(plugin.info().await?)),
        Err(Failure { cause: Cause::UnknownPlugin { .. }, .. }) if cli.socket.is_none() => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

/// What holds for it.
pub(super) fn effective(cli: &Cli, name: &str, installed: &Installed) -> Result<Effective, Problem> {
    let configuration = configuration(cli)?;
    let manifest = Some(&installed.manifest);
    Ok(match configuration.plugins().any(|known| known == name) {
        true => configuration.plugin(name, manifest)?,
        false => configuration.others(name, manifest, &casemate::config::Overrides::default())?,
    })
}

/// What of its manifest does not hold here, and by which configuration.
fn compared(cli: &Cli, name: &str, installed: &Installed) -> Result<(Vec<String>, String), Problem> {
    let effective = effective(cli, name, installed)?;
    let mut notes = installed.notes.clone();
    notes.extend(effective.asked_in_vain());
    if let Some(state) = places::state(&cli.places) {
        notes.extend(waits(&state, name, installed, &effective)?);
    }
    Ok((notes, configuration(cli)?.shown_file()))
}

/// What of it nobody has said yes to.
pub(super) fn waits(
    state: &Path,
    name: &str,
    installed: &Installed,
    effective: &Effective,
) -> Result<Option<String>, Problem> {
    let said = Consent::read(state, name).map_err(Problem::package)?;
    Ok(Consent::note(name, &said.waiting(&installed.manifest.consent, effective.consent())))
}

fn package_json(installed: &Result<Installed, PackageError>) -> Value {
    match installed {
        Ok(installed) => installed_json(installed),
        Err(error) => json!({"broken": error.to_string()}),
    }
}

fn installed_json(installed: &Installed) -> Value {
    let manifest = &installed.manifest;
    let program = match &installed.code {
        Code::Program(program) => json!(program.words()),
        Code::Module(_) => Value::Null,
    };
    json!({
        "version": manifest.version, "system": installed.system, "source": installed.source,
        "sha256": installed.sha256, "program": program, "methods": manifest.methods.keys().collect::<Vec<_>>(),
    })
}
