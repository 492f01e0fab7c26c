//! The project's own build, run as its author runs it: with the author's rights, outside of every wall.

use super::Project;
use crate::problem::Problem;
use crate::screen::Screen;
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;

impl Project {
    /// Makes the module, if the manifest says how. What the build says goes to standard error if it fails, or with `-v`.
    pub(super) async fn make(&self, screen: &Screen) -> Result<(), Problem> {
        if let (true, [program, arguments @ ..]) = (self.is_folder, self.manifest.build.command.as_slice()) {
            run(program, arguments, &self.folder, screen).await?;
        }
        if self.module.is_file() {
            return Ok(());
        }
        Err(Problem::not_found(format!("{} is not there after the build", self.module.display())))
    }
}

async fn run(program: &str, arguments: &[String], folder: &Path, screen: &Screen) -> Result<(), Problem> {
    let shown = [&[program.to_owned()], arguments].concat().join(" ");
    let working = screen.working(&format!("building: {shown}"));
    // Given up with this future, so that no build outlives the command.
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    drop(working);
    let output = output.map_err(|error| {
        Problem::build(format!("build.command does not start: {program}: {error}; is it installed?"))
    })?;
    if screen.verbose() > 0 || !output.status.success() {
        for said in [&output.stdout, &output.stderr] {
            let said = String::from_utf8_lossy(said);
            if !said.trim().is_empty() {
                screen.aside(said.trim_end());
            }
        }
    }
    if output.status.success() {
        return Ok(());
    }
    Err(Problem::build(format!("`{shown}` in {} ended with {}", folder.display(), output.status)))
}
