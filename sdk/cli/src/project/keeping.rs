//! Where the host keeps what a plugin under test puts away with `kv.set`: a folder that goes with the command.

use crate::args::Cli;
use crate::problem::Problem;
use casemate::Builder;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

/// The folder; dropping it removes it.
#[derive(Debug)]
pub(super) struct Keeping {
    folder: Option<PathBuf>,
}

impl Keeping {
    /// None of our own where `--state-dir` says which.
    pub(super) fn new(cli: &Cli) -> Result<Self, Problem> {
        if cli.places.state_dir.is_some() {
            return Ok(Self { folder: None });
        }
        let folder = std::env::temp_dir().join(format!("casemate-state-{}", std::process::id()));
        // A killed command of this number may have left one.
        let _removed = std::fs::remove_dir_all(&folder).is_ok();
        DirBuilder::new().mode(0o700).create(&folder).map_err(|error| {
            Problem::not_found(format!("{} cannot be made, for kv: {error}", folder.display()))
        })?;
        Ok(Self { folder: Some(folder) })
    }

    /// Has a supervisor keep it there.
    pub(super) fn of(&self, builder: Builder) -> Builder {
        match &self.folder {
            Some(folder) => builder.state_dir(folder),
            None => builder,
        }
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            // It lies among temporary files, and there is nobody to tell.
            let _removed = std::fs::remove_dir_all(folder).is_ok();
        }
    }
}
