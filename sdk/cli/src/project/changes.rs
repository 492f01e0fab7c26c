//! What `dev` waits for: another content of the files that a plugin is made from.

use super::Project;
use crate::problem::Problem;
use casemate::config::MANIFEST_FILE;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;

/// Editors write a file in several steps; what comes within this time is one change.
const SETTLE: Duration = Duration::from_millis(100);

/// Where builds put things; nobody edits what is there.
const MADE: [&str; 3] = ["target", "node_modules", "__pycache__"];

/// Files at one time: each with its length and its time of change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// Where they were looked for.
    roots: Vec<PathBuf>,
    files: BTreeMap<PathBuf, (u64, Option<SystemTime>)>,
}

/// Dropping it ends the watch.
#[derive(Debug)]
pub(super) struct Changes {
    folder: PathBuf,
    module: Option<PathBuf>,
    told: Arc<Notify>,
    _watcher: RecommendedWatcher,
}

impl Changes {
    /// Of a project's folder, or of a module and what lies beside it.
    pub(super) fn watch(path: &Path) -> Result<Self, Problem> {
        let (folder, module) = match path.is_dir() {
            true => (path.to_owned(), None),
            false => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                (folder.unwrap_or(Path::new(".")).to_owned(), Some(path.to_owned()))
            }
        };
        let failed = |error: notify::Error| {
            Problem::not_found(format!("{} cannot be watched: {error}", folder.display()))
        };
        let told = Arc::new(Notify::new());
        let teller = Arc::clone(&told);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !matches!(event.kind, notify::EventKind::Access(_))) {
                teller.notify_one();
            }
        })
        .map_err(failed)?;
        watcher.watch(&folder, RecursiveMode::Recursive).map_err(failed)?;
        Ok(Self { folder, module, told, _watcher: watcher })
    }

    /// What there is now of what a project is made from.
    pub(super) fn seen(&self, project: Option<&Project>) -> Seen {
        let mut roots = vec![self.folder.join(MANIFEST_FILE)];
        match (&self.module, project) {
            (Some(module), _) => roots.push(module.clone()),
            (None, Some(project)) if !project.manifest.build.watch.is_empty() => {
                roots.extend(project.manifest.build.watch.iter().map(|path| self.folder.join(path)));
            }
            (None, _) => roots.push(self.folder.clone()),
        }
        look(roots)
    }

    /// Waits until there is something else.
    pub(super) async fn other_than(&mut self, before: &Seen) {
        while look(before.roots.clone()) == *before {
            self.told.notified().await;
            tokio::time::sleep(SETTLE).await;
        }
    }
}

fn look(roots: Vec<PathBuf>) -> Seen {
    let mut files = BTreeMap::new();
    for root in &roots {
        if root.is_dir() {
            enter(root, &mut files);
        } else if let Ok(found) = root.metadata() {
            files.insert(root.clone(), (found.len(), found.modified().ok()));
        }
    }
    Seen { roots, files }
}

fn enter(folder: &Path, files: &mut BTreeMap<PathBuf, (u64, Option<SystemTime>)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let is_made = MADE.contains(&name.as_ref()) || name.starts_with('.') || name.ends_with(".wasm");
        // Links are not followed: one may lead back.
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !is_made => enter(&path, files),
            Ok(kind) if kind.is_file() && !is_made => {
                if let Ok(found) = entry.metadata() {
                    files.insert(path, (found.len(), found.modified().ok()));
                }
            }
            _ => {}
        }
    }
}
