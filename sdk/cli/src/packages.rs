//! `plugins`: what is installed here, and, where a daemon runs, what it makes of it.
//!
//! | module | holds |
//! |---|---|
//! | `opened` | a package from a folder, a file or an address |
//! | `fetch` | https, and nothing else |
//! | `consent` | a person's word on what a plugin may do |
//! | `checked` | every check before anything is installed |
//! | `shown` | `list` and `info` |

pub(crate) mod checked;
pub(crate) mod consent;
mod fetch;
pub(crate) mod opened;
mod shown;

use crate::args::{
    Cli, ExtensionLoad, PluginImport, PluginInstall, PluginPack, PluginRemove, PluginValidate, PluginsCommand,
};
use crate::exit::{self, Exit};
use crate::log;
use crate::places;
use crate::problem::Problem;
use crate::remote;
use crate::run;
use crate::screen::{Screen, Tone};
use casemate::outcome::escape;
use casemate::package::{Belongings, Kept, PackageError, TakenOver, manifests, pack, sha256};
use casemate::{Casemate, Cause, Failure};
pub(crate) use checked::{Checked, configuration};
pub(crate) use fetch::Trust;
pub(crate) use opened::Opened;
use serde_json::{Value, json};
use std::path::PathBuf;

/// What a daemon says of a plugin that is not as its files want it.
pub(crate) const FAILED: &str = "failed";

/// Bytes of what a plugin says of itself.
const SAID_BYTES_MAX: usize = 2000;

pub(crate) async fn perform(cli: &Cli, order: &PluginsCommand, screen: &mut Screen) -> Result<Exit, Problem> {
    match order {
        PluginsCommand::Install(order) => install(cli, order, screen).await,
        PluginsCommand::Remove(order) => remove(cli, order, screen).await,
        PluginsCommand::List => shown::list(cli, screen).await,
        PluginsCommand::Info(order) => shown::info(cli, order, screen).await,
        PluginsCommand::Validate(order) => validate(cli, order, screen).await,
        PluginsCommand::Pack(order) => pack_up(order, screen),
        PluginsCommand::Import(order) => import(cli, order, screen),
        order => remote::order(cli, order, screen).await,
    }
}

async fn install(cli: &Cli, order: &PluginInstall, screen: &mut Screen) -> Result<Exit, Problem> {
    let checked = put(cli, order, screen).await?;
    let told = tell(cli).await;
    show("installed", &checked, screen, told.as_ref(), true)?;
    Ok(Exit::Done)
}

/// Installs, and loads: in a daemon, which does so when it is told; without one here, from its set-up to its end.
pub(crate) async fn load_extension(
    cli: &Cli,
    order: &ExtensionLoad,
    screen: &mut Screen,
) -> Result<Exit, Problem> {
    let source = order.folder.display().to_string();
    let order = PluginInstall { source, sha256: None, ca: None, workspace: None, native: false };
    let checked = put(cli, &order, screen).await?;
    let told = match tell(cli).await {
        Some(told) => told,
        None => tried(cli, &checked, screen).await?,
    };
    let exits = checked.plugins.iter().map(|plugin| told.exit(plugin.package.name()));
    let exit = exits.into_iter().find(|exit| *exit != Exit::Done).unwrap_or(Exit::Done);
    show("installed", &checked, screen, Some(&told), exit == Exit::Done)?;
    Ok(exit)
}

/// What became of each, loaded as any host would: under what its operator grants. It is set up, and told of its end.
async fn tried(cli: &Cli, checked: &Checked, screen: &Screen) -> Result<Told, Problem> {
    // What it says on the way is what its author wants to see.
    let verbose = screen.verbose().saturating_add(1);
    let casemate = run::builder(cli, screen, false)?
        .on_log(move |record| log::show(&record, verbose))
        .state_dir(places::required_state(&cli.places)?)
        .configuration(checked::configuration(cli)?)
        .build()?;
    let mut of = Vec::new();
    for plugin in &checked.plugins {
        let name = plugin.package.name();
        let working = screen.working(&format!("trying {name}"));
        let rehearsed = rehearsed(&casemate, name).await;
        drop(working);
        match rehearsed {
            Ok(what) => of.push(Became { plugin: name.to_owned(), what, exit: Exit::Done }),
            Err(failure) => {
                casemate.shutdown().await;
                let about = format!("{name} is installed, and does not work here as it is: ");
                return Err(Problem::Failure { failure: Box::new(failure), about, hint: String::new() });
            }
        }
    }
    casemate.shutdown().await;
    Ok(Told { who: "here", of })
}

/// From its load to its end; what it says of itself, and what stood around it.
async fn rehearsed(casemate: &Casemate, name: &str) -> Result<String, Failure> {
    let plugin = casemate.load_configured(name, None).await?;
    let (said, is_json) = plugin.rehearse().await?;
    let said = match std::str::from_utf8(&said) {
        Ok(text) if is_json && !text.is_empty() => format!("; it says {}", escape(text, SAID_BYTES_MAX)),
        _ => String::new(),
    };
    Ok(format!("was set up and ended as it should, behind: {}{said}", plugin.certificate().holding()))
}

/// Checks a package, and installs it.
async fn put(cli: &Cli, order: &PluginInstall, screen: &mut Screen) -> Result<Checked, Problem> {
    let trust = fetch::Trust::new(order.ca.as_deref())?;
    let opened =
        opened::open(&order.source, order.sha256.as_deref(), &trust, order.workspace.as_deref(), screen)?;
    let checked = checked::all(cli, &opened, Some(&trust), order.native, screen).await?;
    let state_dir = places::required_state(&cli.places)?;
    {
        let kept = Kept::open(&state_dir).map_err(Problem::package)?;
        for plugin in &checked.plugins {
            let installed = kept.install(&plugin.package, &plugin.contents, &opened.said);
            installed.map_err(Problem::package)?;
        }
    }
    Ok(checked)
}

/// What became of each plugin somewhere.
struct Told {
    who: &'static str,
    of: Vec<Became>,
}

/// What became of one; an empty name is about all.
struct Became {
    plugin: String,
    what: String,
    /// How a command ends whose work this was.
    exit: Exit,
}

impl Became {
    fn is_about(&self, name: &str) -> bool {
        self.plugin == name || self.plugin.is_empty()
    }
}

impl Told {
    /// Of this plugin.
    fn about(&self, name: &str) -> Option<&Became> {
        self.of.iter().find(|became| became.is_about(name))
    }

    /// How a command ends whose work it was to have this plugin run.
    fn exit(&self, name: &str) -> Exit {
        self.about(name).map_or(Exit::Done, |became| became.exit)
    }
}

/// A daemon that runs reads anew what there is; what came of each of its plugins, or why it was not told.
async fn tell(cli: &Cli) -> Option<Told> {
    let of = match remote::daemon(cli).await {
        Ok(daemon) => changes(&daemon?).await,
        Err(problem) => {
            vec![Became { plugin: String::new(), what: problem.to_string(), exit: problem.exit() }]
        }
    };
    Some(Told { who: "daemon", of })
}

async fn changes(daemon: &Casemate) -> Vec<Became> {
    match daemon.reload_policy().await {
        Ok(changes) => {
            let told = |change: casemate::Change| {
                let colon = if change.message.is_empty() { "" } else { ": " };
                let what = format!("{}{colon}{}", change.what, change.message);
                let exit = if change.what == FAILED { Exit::Policy } else { Exit::Done };
                Became { plugin: change.plugin, what, exit }
            };
            changes.into_iter().map(told).collect()
        }
        Err(failure) => {
            let exit = exit::of(&failure.cause);
            vec![Became { plugin: String::new(), what: failure.to_string(), exit }]
        }
    }
}

async fn validate(cli: &Cli, order: &PluginValidate, screen: &mut Screen) -> Result<Exit, Problem> {
    let opened = opened::at(&order.source, None, order.workspace.as_deref())?;
    let checked = checked::all(cli, &opened, None, order.native, screen).await?;
    show("valid", &checked, screen, None, true)?;
    Ok(Exit::Done)
}

fn show(
    what: &str,
    checked: &Checked,
    screen: &mut Screen,
    told: Option<&Told>,
    ok: bool,
) -> Result<(), Problem> {
    let of_daemon = |name: &str| {
        let told = told?;
        let what = told.about(name).map_or("it keeps its plugins elsewhere", |became| became.what.as_str());
        Some(format!("{}: {what}", told.who))
    };
    if screen.json() {
        let shape = |plugin: &checked::Plugin| {
            let mut value = plugin.to_json();
            if let (Value::Object(object), Some(told)) = (&mut value, told) {
                let found = told.about(plugin.package.name());
                object.insert(told.who.to_owned(), found.map_or(Value::Null, |became| json!(became.what)));
            }
            value
        };
        let plugins: Vec<Value> = checked.plugins.iter().map(shape).collect();
        return screen.value(&json!({"ok": ok, "plugins": plugins, "left_out": checked.left_out}));
    }
    for plugin in &checked.plugins {
        let package = &plugin.package;
        screen.line(format!(
            "{} {} {} ({}, {})",
            package.name(),
            package.manifest.version,
            screen.paint(Tone::Good, what),
            package.system,
            plugin.dialect
        ))?;
        for note in &plugin.notes {
            screen.line(format!(
                "  {} {}",
                screen.paint(Tone::Warn, "note:"),
                casemate::outcome::escape(note, 4096)
            ))?;
        }
        if let Some(told) = of_daemon(package.name()) {
            screen.line(format!("  {told}"))?;
        }
    }
    for left_out in &checked.left_out {
        let left_out = casemate::outcome::escape(left_out, 4096);
        screen.line(format!("{} {left_out}", screen.paint(Tone::Warn, "left out:")))?;
    }
    Ok(())
}

async fn remove(cli: &Cli, order: &PluginRemove, screen: &mut Screen) -> Result<Exit, Problem> {
    let state_dir = places::required_state(&cli.places)?;
    let is_installed =
        casemate::package::Installed::all(&state_dir).iter().any(|(name, _)| *name == order.name);
    // Without a package there may be data, which the lock's holder looks for.
    if !is_installed && !order.data {
        let configuration = configuration(cli)?;
        let folders = configuration.plugin_dirs();
        let name = order.name.clone();
        return Err(Problem::package(match manifests(None, folders).contains_key(&name) {
            true => PackageError::InFolder { name, folders: folders.to_vec() },
            false => PackageError::NotInstalled { name },
        }));
    }
    if let Some(daemon) = remote::daemon(cli).await? {
        unload(&daemon, &order.name).await?;
    }
    Kept::open(&state_dir).and_then(|kept| kept.remove(&order.name, order.data)).map_err(Problem::package)?;
    remote::done(screen)
}

async fn unload(daemon: &Casemate, name: &str) -> Result<(), Problem> {
    let unknown = |failure: &Failure| matches!(failure.cause, Cause::UnknownPlugin { .. });
    match daemon.plugin(name).await {
        Ok(plugin) => Ok(plugin.close().await?),
        Err(failure) if unknown(&failure) => Ok(()),
        Err(failure) => Err(failure.into()),
    }
}

/// Each plugin as a whole or not at all; everything was read before the first of them.
fn import(cli: &Cli, order: &PluginImport, screen: &mut Screen) -> Result<Exit, Problem> {
    let all = Belongings::all(&order.folder).map_err(Problem::package)?;
    let kept = Kept::open(&places::required_state(&cli.places)?).map_err(Problem::package)?;
    let mut shown = Vec::new();
    for one in &all {
        let taken = kept.take_over(one).map_err(Problem::package)?;
        let is_configured = one.config.is_some();
        match (screen.json(), taken) {
            (true, TakenOver::Taken { files }) => shown.push(
                json!({"plugin": one.name, "imported": true, "configuration": is_configured, "files": files}),
            ),
            (true, TakenOver::Keeps) => shown.push(json!({"plugin": one.name, "imported": false})),
            (false, TakenOver::Taken { files }) => {
                let config = if is_configured { "its configuration" } else { "no configuration" };
                let done = screen.paint(Tone::Good, "imported");
                screen.line(format!("{} {done}: {config}, {files} files", one.name))?;
            }
            (false, TakenOver::Keeps) => {
                let left = screen.paint(Tone::Warn, "left as it is");
                let name = &one.name;
                screen.line(format!(
                    "{name} {left}: it keeps something here already; `plugins remove {name} --data` removes that"
                ))?;
            }
        }
    }
    if screen.json() {
        screen.value(&json!({"ok": true, "plugins": shown}))?;
    } else if all.is_empty() {
        screen.line(format!("{} has nothing of any plugin", order.folder.display()))?;
    }
    Ok(Exit::Done)
}

fn pack_up(order: &PluginPack, screen: &mut Screen) -> Result<Exit, Problem> {
    let opened = opened::at(&order.folder, None, None)?;
    let packages = opened.packages()?;
    let mut contents = std::collections::BTreeMap::new();
    for package in &packages {
        contents.extend(package.contents(opened.files.as_ref()).map_err(Problem::package)?);
    }
    let bytes = pack(&contents).map_err(Problem::package)?;
    let output = match (&order.output, packages.as_slice()) {
        (Some(output), _) => output.clone(),
        (None, [one]) => PathBuf::from(format!("{}-{}.tar.gz", one.name(), one.manifest.version)),
        (None, _) => PathBuf::from(format!("{}.tar.gz", opened.surroundings.name)),
    };
    std::fs::write(&output, &bytes)
        .map_err(|error| Problem::output(format!("{}: {error}", output.display())))?;
    let sha256 = sha256(&bytes);
    if screen.json() {
        let files: Vec<&String> = contents.keys().collect();
        let file = output.display().to_string();
        screen.value(
            &json!({"ok": true, "file": file, "bytes": bytes.len(), "sha256": sha256, "files": files}),
        )?;
    } else {
        screen.line(format!("{} ({} files, sha256 {sha256})", output.display(), contents.len()))?;
    }
    Ok(Exit::Done)
}
