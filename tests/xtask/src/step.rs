//! One command, shown before it runs.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::problem::Problem;

/// A program, its arguments and what its environment adds to ours.
#[derive(Debug)]
pub(crate) struct Step {
    program: OsString,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    folder: PathBuf,
    stdin: bool,
}

impl Step {
    pub(crate) fn new(program: impl AsRef<OsStr>, folder: &Path) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            variables: Vec::new(),
            folder: folder.to_owned(),
            stdin: false,
        }
    }

    /// Cargo of the pinned toolchain, in the project's root.
    pub(crate) fn cargo(root: &Path) -> Self {
        Self::new("cargo", root)
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    pub(crate) fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Lets the program read our standard input; otherwise it has none.
    pub(crate) fn with_stdin(mut self) -> Self {
        self.stdin = true;
        self
    }

    /// Shows the command, runs it with its output on the terminal, and wants success.
    pub(crate) fn run(self) -> Result<(), Problem> {
        self.show();
        let status = self.command().status().map_err(|error| self.not_started(&error))?;
        if status.success() { Ok(()) } else { Err(Problem::new(format!("`{self}` ended with {status}"))) }
    }

    /// As [`Step::run`], with each line of standard output given to `reader`, which says whether to show it too.
    /// The answer is whether the program succeeded.
    pub(crate) fn run_reading(self, mut reader: impl FnMut(&str) -> bool) -> Result<bool, Problem> {
        self.show();
        let mut child =
            self.command().stdout(Stdio::piped()).spawn().map_err(|error| self.not_started(&error))?;
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line);
                if reader(&line) {
                    println!("{line}");
                }
            }
        }
        Ok(child.wait().map_err(|error| self.not_started(&error))?.success())
    }

    /// A question to a tool: not shown, and standard output is the answer.
    pub(crate) fn answer(self) -> Result<String, Problem> {
        let output =
            self.command().stderr(Stdio::piped()).output().map_err(|error| self.not_started(&error))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Problem::new(format!("`{self}` ended with {}: {}", output.status, said.trim())))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(&self.folder);
        // `cargo run` told us about our own package; an inner cargo's build scripts must not see that as a change.
        for (name, _) in std::env::vars_os() {
            let lossy = name.to_string_lossy();
            if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|own| lossy.starts_with(own)) {
                command.env_remove(&name);
            }
        }
        command.env_remove("CARGO");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        if !self.stdin {
            command.stdin(Stdio::null());
        }
        command
    }

    fn show(&self) {
        println!("$ {self}");
        // The program's own output must not overtake the line that announces it.
        let _ = std::io::stdout().flush();
    }

    fn not_started(&self, error: &std::io::Error) -> Problem {
        Problem::new(format!("cannot run `{}`: {error}", self.program.to_string_lossy()))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.variables {
            write!(out, "{}={} ", name.to_string_lossy(), quoted(value))?;
        }
        write!(out, "{}", quoted(&self.program))?;
        self.arguments.iter().try_for_each(|argument| write!(out, " {}", quoted(argument)))
    }
}

/// The word as a shell would need it, so that a shown command can be pasted.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain =
        |letter: char| letter.is_ascii_alphanumeric() || "-_./=:+,@%".contains(letter) || !letter.is_ascii();
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The first program of this name on PATH or among the system's own, which an ordinary PATH leaves out.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_command_can_be_pasted() {
        let step =
            Step::new("cargo", Path::new("/")).args(["doc", "it's"]).env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(step.to_string(), r"RUSTDOCFLAGS='-D warnings' cargo doc 'it'\''s'");
    }
}
