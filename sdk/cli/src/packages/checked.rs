//! Every check of a package before anything of it is installed: its files, its module, what it speaks, and whether it could run
//! here as it is.

use super::fetch::{self, Trust};
use super::opened::Opened;
use crate::args::Cli;
use crate::places;
use crate::problem::Problem;
use crate::run;
use crate::screen::Screen;
use casemate::module::{CompileReport, Dialect, ModuleFacts, detect};
use casemate::package::{ARCHIVE_BYTES_MAX, Package, PackageError, Program, REMOTE_MODULE};
use casemate::policy::units::show_bytes;
use casemate::{Casemate, Cause, Configuration, Effective, Failure, Source};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Bytes of a page of memory.
const PAGE_BYTES: u64 = 65_536;

/// A package's plugins, checked.
pub(crate) struct Checked {
    pub(crate) plugins: Vec<Plugin>,
    /// Those that this version cannot run, in sentences.
    pub(crate) left_out: Vec<String>,
}

/// One of them.
pub(crate) struct Plugin {
    pub(crate) package: Package,
    pub(crate) contents: BTreeMap<String, Vec<u8>>,
    /// What its module speaks.
    pub(super) dialect: String,
    /// What does not hold here of what it asks for, in sentences.
    pub(super) notes: Vec<String>,
}

impl Plugin {
    /// Where its module is among its contents.
    pub(crate) fn module(&self) -> Option<&str> {
        match self.package.program {
            Program::Remote { .. } => Some(REMOTE_MODULE),
            _ => self.package.module(),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let manifest = &self.package.manifest;
        json!({
            "name": self.package.name(), "version": manifest.version, "system": self.package.system,
            "dialect": self.dialect, "files": self.contents.keys().collect::<Vec<_>>(), "notes": self.notes,
        })
    }
}

/// Checks all plugins of a package; the first that is wrong is the error.
pub(crate) async fn all(
    cli: &Cli,
    opened: &Opened,
    trust: Option<&Trust>,
    with_native: bool,
    screen: &Screen,
) -> Result<Checked, Problem> {
    let packages = opened.packages()?;
    let configuration = configuration(cli)?;
    let (mut plugins, mut left_out, mut names) = (Vec::new(), Vec::new(), BTreeSet::new());
    let casemate = run::embedded(screen)?;
    let mut outcome = Ok(());
    for package in packages {
        let name = package.name().to_owned();
        if !names.insert(name.clone()) {
            let by = format!("another plugin of {}", package.file);
            outcome = Err(Problem::package(PackageError::Taken { name, by }));
            break;
        }
        let checked = match &package.program {
            Program::External { command } if !with_native => {
                let command = command.join(" ");
                left_out.push(format!(
                    "{name}: a native program ({command}) is installed where that is said, by --native"
                ));
                continue;
            }
            Program::External { .. } => native(&configuration, opened, package),
            _ => one(&casemate, &configuration, opened, package, trust, screen).await,
        };
        match checked {
            Ok(plugin) => plugins.push(plugin),
            Err(problem) => {
                outcome = Err(problem);
                break;
            }
        }
    }
    casemate.shutdown().await;
    outcome?;
    match (plugins.is_empty(), left_out.as_slice()) {
        (true, [first, ..]) => {
            let (name, what) = first.split_once(": ").unwrap_or(("plugin", first));
            Err(Problem::package(PackageError::NotAvailable { name: name.to_owned(), what: what.to_owned() }))
        }
        _ => Ok(Checked { plugins, left_out }),
    }
}

/// A native program: its files, and that it is one of the host's or its own.
fn native(configuration: &Configuration, opened: &Opened, package: Package) -> Result<Plugin, Problem> {
    let effective = effective(configuration, &package)?;
    check_memory(&package, package.memory_needed.unwrap_or(0), &effective)?;
    let program = package.program(Path::new("")).map_err(Problem::package)?;
    program.iter().try_for_each(casemate::External::check_name)?;
    let contents = package.contents(opened.files.as_ref()).map_err(Problem::package)?;
    let mut notes = package.notes.clone();
    notes.extend(effective.asked_in_vain());
    Ok(Plugin { package, contents, dialect: "external".to_owned(), notes })
}

async fn one(
    casemate: &Casemate,
    configuration: &Configuration,
    opened: &Opened,
    package: Package,
    trust: Option<&Trust>,
    screen: &Screen,
) -> Result<Plugin, Problem> {
    let effective = effective(configuration, &package)?;
    check_memory(&package, package.memory_needed.unwrap_or(0), &effective)?;
    let mut contents = BTreeMap::new();
    let module = match (&package.program, trust) {
        (Program::Remote { url }, Some(trust)) => {
            let working = screen.working(&format!("fetching {url}"));
            let fetched = fetch::fetch(url, trust, ARCHIVE_BYTES_MAX);
            drop(working);
            contents.insert(REMOTE_MODULE.to_owned(), fetched?);
            REMOTE_MODULE
        }
        (Program::Remote { url }, None) => {
            let what = format!(
                "its module lies at {url}, which is fetched when it is installed: only then is it checked"
            );
            return Err(Problem::package(PackageError::NotAvailable {
                name: package.name().to_owned(),
                what,
            }));
        }
        _ => package.module().unwrap_or(REMOTE_MODULE),
    };
    if opened.bare.is_some() {
        contents.extend(
            opened
                .files
                .read(module, ARCHIVE_BYTES_MAX)
                .map_err(Problem::package)?
                .map(|wasm| (module.to_owned(), wasm)),
        );
    } else {
        contents.extend(package.contents(opened.files.as_ref()).map_err(Problem::package)?);
    }
    let wasm = contents.get(module).cloned().unwrap_or_default();
    package.check_module(&wasm).map_err(Problem::package)?;
    let file = Path::new(module);
    let working = screen.working(&format!("reading {module}"));
    let inspected = casemate.inspect(Source::Bytes(wasm)).await;
    drop(working);
    let report = inspected.map_err(|failure| Problem::of_module(failure, file, ""))?;
    let (dialect, facts) = spoken(report, &package, file)?;
    // Where it is known by its package only, the package has to say so to whoever loads it.
    let is_told = package.manifest.dialect.is_some()
        || detect(&facts, None).is_ok_and(|found| found.dialect.name() == dialect);
    let package = if is_told { package } else { package.speaking(&dialect).map_err(Problem::package)? };
    let pages = facts.memories().iter().fold(0_u64, |sum, memory| sum.saturating_add(memory.min));
    check_memory(&package, pages.saturating_mul(PAGE_BYTES), &effective)?;
    let mut notes = package.notes.clone();
    notes.extend(effective.asked_in_vain());
    notes.extend(
        package
            .manifest
            .check_subscriptions(effective.limits())
            .err()
            .map(|error| format!("it is not loaded before this is granted: {}", error.problem)),
    );
    Ok(Plugin { package, contents, dialect, notes })
}

/// What a module speaks: what its manifest says, if it can, or else what it is seen to.
fn spoken(report: CompileReport, package: &Package, file: &Path) -> Result<(String, ModuleFacts), Problem> {
    let refused = |error| Problem::of_module(Failure::not_started(Cause::Module(error)), file, "");
    let said = package.manifest.dialect.as_deref().and_then(Dialect::from_name);
    if let (Some(said), Some(facts)) = (said, report.facts())
        && detect(facts, Some(said)).is_ok()
    {
        return Ok((said.name().to_owned(), facts.clone()));
    }
    let accepted = report.into_result().map_err(refused)?;
    let found = accepted.dialect().name();
    if said.is_none()
        && package.check_dialect(found).is_err()
        && let Some(named) = named(package, accepted.facts())
    {
        return Ok((named.to_owned(), accepted.facts().clone()));
    }
    package.check_dialect(found).map_err(Problem::package)?;
    Ok((found.to_owned(), accepted.facts().clone()))
}

/// The one dialect of the package's system that such a module can be taken for, though nothing in it tells.
fn named(package: &Package, facts: &ModuleFacts) -> Option<&'static str> {
    let fits =
        |name: &&&str| Dialect::from_name(name).is_some_and(|named| detect(facts, Some(named)).is_ok());
    let mut fitting = package.dialects.iter().filter(fits);
    match (fitting.next(), fitting.next()) {
        (Some(one), None) => Some(one),
        _ => None,
    }
}

/// The file that `--config` names, or the usual one if it is there.
pub(crate) fn configuration(cli: &Cli) -> Result<Configuration, Problem> {
    let usual = || Some(places::configuration()).filter(|file| file.exists());
    match cli.config.clone().or_else(usual) {
        Some(file) => Ok(Configuration::read(&file)?),
        None => Ok(Configuration::default()),
    }
}

/// What would hold for it here.
fn effective(configuration: &Configuration, package: &Package) -> Result<Effective, Problem> {
    let (name, manifest) = (package.name(), Some(&package.manifest));
    let has_table = configuration.plugins().any(|known| known == name);
    let effective = if has_table {
        configuration.plugin(name, manifest)?
    } else {
        configuration.others(name, manifest, &casemate::config::Overrides::default())?
    };
    let is_said = |key: &str| effective.get(key).is_some_and(|value| value.value.is_some());
    if has_table && (configuration.module(name).is_some() || is_said("external")) {
        let by = format!("[{}] of {}, which has a module of its own", effective.table(), effective.file());
        return Err(Problem::package(PackageError::Taken { name: name.to_owned(), by }));
    }
    if let Some(error) = effective.not_available().next() {
        return Err(Problem::Config(error));
    }
    Ok(effective)
}

/// Whether the memory that it would have is enough to begin with.
fn check_memory(package: &Package, needed: u64, effective: &Effective) -> Result<(), Problem> {
    let granted = effective.limits().limits().memory_bytes;
    if needed <= granted {
        return Ok(());
    }
    let origin = effective.get("limits.memory").map(|value| value.origin.to_string()).unwrap_or_default();
    Err(Problem::package(PackageError::Memory {
        name: package.name().to_owned(),
        needed: show_bytes(needed),
        granted: format!("{} ({origin})", show_bytes(granted)),
    }))
}
