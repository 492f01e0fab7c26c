//! Plugins of other systems, by their own manifests: read, checked and loaded as if they were installed.

use super::keeping::Keeping;
use super::{Project, configuration, examples, policy};
use crate::args::{Cli, Test};
use crate::exit::Exit;
use crate::packages::{Checked, Opened, Trust, checked, opened};
use crate::problem::Problem;
use crate::run;
use crate::screen::{Screen, Tone};
use casemate::outcome::escape;
use casemate::package::{Folder, Package};
use casemate::{Casemate, HostReply};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// A folder with another system's manifest.
pub(super) struct Foreign {
    folder: PathBuf,
    opened: Opened,
    /// The one module that was named.
    module: Option<PathBuf>,
}

impl Foreign {
    /// A folder, or a module that the manifest in its folder is about. `None`: there is none of another system.
    pub(super) fn of(path: &Path) -> Result<Option<Self>, Problem> {
        let (folder, module) = match path.is_dir() {
            true => (path, None),
            false => (path.parent().unwrap_or(path), path.file_name().map(PathBuf::from)),
        };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let Ok(files) = Folder::open(folder) else { return Ok(None) };
        if !Package::is_foreign(&files).unwrap_or(false) {
            return Ok(None);
        }
        Ok(Some(Self { folder: folder.to_owned(), opened: opened::at(folder, None, None)?, module }))
    }

    /// The one plugin of a folder.
    pub(super) fn project(&self) -> Result<Project, Problem> {
        let packages = self.opened.packages()?;
        let mut modules = packages.into_iter().filter_map(|package| {
            let module = self.folder.join(package.module()?);
            Some(Project { folder: self.folder.clone(), module, manifest: package.manifest, is_folder: true })
        });
        match (modules.next(), modules.next()) {
            (Some(project), None) => Ok(project),
            (None, _) => {
                Err(Problem::policy(format!("{} has no module of its own to make", self.folder.display())))
            }
            _ => Err(Problem::usage(format!(
                "{} has several plugins: name the .wasm file of one",
                self.folder.display()
            ))),
        }
    }

    /// Loads each of its plugins, and calls its examples; one that has none is set up and ended.
    pub(super) async fn test(&self, cli: &Cli, order: &Test, screen: &mut Screen) -> Result<Exit, Problem> {
        let config = configuration(order.with.as_deref())?;
        let trust = Trust::new(None)?;
        let checked = checked::all(cli, &self.opened, Some(&trust), false, screen).await?;
        let keeping = Keeping::new(cli)?;
        let casemate = keeping.of(run::builder(cli, screen, false)?).build()?;
        stand_in(&casemate);
        let ended = self.test_all(&casemate, &checked, cli, order, config.as_deref(), screen).await;
        casemate.shutdown().await;
        ended
    }

    async fn test_all(
        &self,
        casemate: &Casemate,
        checked: &Checked,
        cli: &Cli,
        order: &Test,
        config: Option<&[u8]>,
        screen: &mut Screen,
    ) -> Result<Exit, Problem> {
        let (mut exit, mut shown, mut is_any) = (Exit::Done, Vec::new(), false);
        for plugin in &checked.plugins {
            let path = plugin.module();
            if self.module.as_ref().is_some_and(|module| Some(module.as_os_str()) != path.map(OsStr::new)) {
                continue;
            }
            is_any = true;
            let manifest = &plugin.package.manifest;
            let id = manifest.id.as_str();
            let file = self.folder.join(path.unwrap_or(id));
            let policy = policy(cli, order.policy.as_deref(), &file, manifest)?;
            let wasm = path.and_then(|path| plugin.contents.get(path)).map(Vec::as_slice).unwrap_or_default();
            let working = screen.working(&format!("loading {}", file.display()));
            let loaded =
                casemate.load_described(wasm, manifest.clone(), policy, config.map(<[u8]>::to_vec)).await;
            drop(working);
            let loaded = loaded.map_err(|failure| Problem::of_module(failure, &file, ""))?;
            if manifest.examples.is_empty() {
                loaded.rehearse().await?;
                shown.push(no_examples(id, screen)?);
                continue;
            }
            let report = examples::run(&loaded, manifest, screen).await;
            if report.failed() > 0 {
                exit = Exit::Guest;
            }
            match screen.json() {
                true => shown.push(report.to_json(id)),
                false => report.show(id, screen)?,
            }
        }
        if !is_any {
            return Err(Problem::not_found(format!(
                "the manifest in {} is not about this module: name the folder, or a module that it names",
                self.folder.display()
            )));
        }
        for left_out in &checked.left_out {
            screen.aside(escape(left_out, 4096));
        }
        if screen.json() {
            screen.value(&whole(exit, shown))?;
        }
        Ok(exit)
    }
}

/// Of one plugin its own; of several a list.
fn whole(exit: Exit, mut shown: Vec<Value>) -> Value {
    match (shown.pop(), shown.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            shown.extend(last);
            json!({"ok": exit == Exit::Done, "plugins": shown})
        }
    }
}

fn no_examples(id: &str, screen: &mut Screen) -> Result<Value, Problem> {
    if !screen.json() {
        let done = screen.paint(Tone::Good, "no examples; it was loaded and initialized");
        screen.line(format!("{id}: {done}"))?;
    }
    Ok(json!({"ok": true, "plugin": id, "examples": [], "initialized": true}))
}

/// Whoever tries a plugin by itself has no host: what it asks for is answered with null, where its manifest asks for it.
fn stand_in(casemate: &Casemate) {
    casemate.on_raw("*", |_| async { Ok(HostReply { content_type: 1, body: b"null".to_vec() }) });
}
