//! Reads the configuration anew when its file changes.

use crate::problem::Problem;
use casemate::daemon::Steward;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Editors write a file in several steps; what comes within this time is one change.
const SETTLE: Duration = Duration::from_millis(200);

/// Dropping it ends the watch.
#[derive(Debug)]
pub(super) struct Watching {
    _watcher: RecommendedWatcher,
    reloading: JoinHandle<()>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.reloading.abort();
    }
}

pub(super) fn start(file: &Path, steward: Steward) -> Result<Watching, Problem> {
    let failed = |error: notify::Error| Problem::ours(format!("watching {} failed: {error}", file.display()));
    let changed = Arc::new(Notify::new());
    let (told, name) = (Arc::clone(&changed), file.file_name().map(ToOwned::to_owned));
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        let is_read = matches!(event.kind, notify::EventKind::Access(_));
        if !is_read && event.paths.iter().any(|path| path.file_name() == name.as_deref()) {
            told.notify_one();
        }
    })
    .map_err(failed)?;
    // The folder, not the file: a file that is replaced is another one.
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    watcher.watch(folder, RecursiveMode::NonRecursive).map_err(failed)?;
    let reloading = tokio::spawn(async move {
        loop {
            changed.notified().await;
            tokio::time::sleep(SETTLE).await;
            super::reload(&steward).await;
        }
    });
    Ok(Watching { _watcher: watcher, reloading })
}
