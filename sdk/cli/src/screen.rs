//! Standard output and error: plain or coloured, text or JSON, and progress on a terminal.

use crate::args::Color;
use crate::exit::Exit;
use crate::json;
use crate::problem::Problem;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

/// A colour with a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// It is as it should be.
    Good,
    /// It is not.
    Bad,
    /// Less is there than could be.
    Warn,
    /// Beside the point.
    Dim,
    /// A heading.
    Bold,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Bad => "31",
            Self::Warn => "33",
            Self::Dim => "2",
            Self::Bold => "1",
        }
    }
}

/// Where the command writes.
#[derive(Debug)]
pub(crate) struct Screen {
    json: bool,
    verbose: u8,
    colored: bool,
    out_is_terminal: bool,
    progress_is_shown: bool,
}

impl Screen {
    pub(crate) fn new(json: bool, verbose: u8, color: Color) -> Self {
        let out_is_terminal = io::stdout().is_terminal();
        let colored = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => out_is_terminal && !no_color(),
        };
        let progress_is_shown = !json && io::stderr().is_terminal();
        Self { json, verbose, colored, out_is_terminal, progress_is_shown }
    }

    /// Whether answers are JSON.
    pub(crate) fn json(&self) -> bool {
        self.json
    }

    /// How much of the plugin's log is shown: 0 none, 1 what matters, 2 all.
    pub(crate) fn verbose(&self) -> u8 {
        self.verbose
    }

    /// Whether a person reads it.
    pub(crate) fn out_is_terminal(&self) -> bool {
        self.out_is_terminal
    }

    /// A text in a colour, if there are colours. Pad it before: escapes have no width.
    pub(crate) fn paint(&self, tone: Tone, text: impl Display) -> String {
        if self.colored && !self.json {
            format!("\u{1b}[{}m{text}\u{1b}[0m", tone.code())
        } else {
            text.to_string()
        }
    }

    /// A line on standard output.
    pub(crate) fn line(&mut self, text: impl Display) -> Result<(), Problem> {
        let mut out = io::stdout().lock();
        written(writeln!(out, "{text}").and_then(|()| out.flush()))
    }

    /// Rows with their columns under each other; a terminal is told what they are.
    pub(crate) fn table<const N: usize>(
        &mut self,
        head: [&str; N],
        rows: &[[(Option<Tone>, String); N]],
    ) -> Result<(), Problem> {
        let head = head.map(|title| (Some(Tone::Bold), title.to_owned()));
        let shown: Vec<_> = self.out_is_terminal.then_some(&head).into_iter().chain(rows).collect();
        let mut widths = [0; N];
        for row in &shown {
            for (width, (_, text)) in widths.iter_mut().zip(row.iter()) {
                *width = text.chars().count().max(*width);
            }
        }
        for row in shown {
            let cells = row.iter().zip(widths).map(|((tone, text), width)| {
                let padded = format!("{text:width$}");
                tone.map_or(padded.clone(), |tone| self.paint(tone, padded))
            });
            let line = cells.collect::<Vec<_>>().join("  ");
            self.line(line.trim_end())?;
        }
        Ok(())
    }

    /// A line on standard error.
    pub(crate) fn aside(&self, text: impl Display) {
        // What is said beside the answer is no reason to fail.
        let _written = writeln!(io::stderr(), "{text}").is_ok();
    }

    /// Bytes on standard output, as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        let mut out = io::stdout().lock();
        written(out.write_all(bytes).and_then(|()| out.flush()))
    }

    /// A JSON value on standard output: in one line, or laid out for a terminal.
    pub(crate) fn value(&mut self, value: &Value) -> Result<(), Problem> {
        self.json_text(&value.to_string())
    }

    /// JSON text on standard output: as it is, or laid out for a terminal.
    pub(crate) fn json_text(&mut self, text: &str) -> Result<(), Problem> {
        if self.out_is_terminal { self.line(json::layout(text)) } else { self.line(text) }
    }

    /// A spinner for what may take over a second; it goes away when it is dropped.
    pub(crate) fn working(&self, what: &str) -> Working {
        if !self.progress_is_shown {
            return Working { bar: None };
        }
        let bar = ProgressBar::new_spinner().with_message(what.to_owned());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Working { bar: Some(bar) }
    }

    /// A problem that ends nothing.
    pub(crate) fn told(&mut self, problem: &Problem) -> Result<(), Problem> {
        if self.json {
            return self.value(&problem.to_json());
        }
        self.aside(format!("casemate: {problem}"));
        Ok(())
    }

    /// The last word of a command.
    pub(crate) fn finish(&mut self, ended: Result<Exit, Problem>) -> Exit {
        let problem = match ended {
            Ok(exit) => return exit,
            Err(problem) => problem,
        };
        // Nobody is left to tell where these fail; the exit code still says it.
        let _told = if self.json {
            self.value(&problem.to_json()).is_ok()
        } else {
            writeln!(io::stderr(), "casemate: {problem}").is_ok()
        };
        problem.exit()
    }
}

/// A reader that has seen enough, as `head` has, is no mistake of anybody's.
pub(crate) fn written(result: io::Result<()>) -> Result<(), Problem> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Problem::output(format!("standard output cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// Something under way.
#[derive(Debug)]
pub(crate) struct Working {
    bar: Option<ProgressBar>,
}

impl Drop for Working {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the edge: the environment is read here and passed inward")]
fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_never_in_json() {
        assert_eq!(Screen::new(false, 0, Color::Always).paint(Tone::Good, "on"), "\u{1b}[32mon\u{1b}[0m");
        assert_eq!(Screen::new(true, 0, Color::Always).paint(Tone::Good, "on"), "on");
        assert_eq!(Screen::new(false, 0, Color::Never).paint(Tone::Good, "on"), "on");
    }
}
