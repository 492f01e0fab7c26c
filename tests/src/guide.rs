//! The plugin authors' guide: its commands, run as they are written.

use crate::command;
use crate::scratch::Scratch;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const GUIDE: &str = include_str!("../../docs/plugin-authors.md");

/// The block of a language with its commands, and the one with what they say.
#[derive(Debug, PartialEq, Eq)]
pub struct Lesson {
    /// Shell commands, a line each.
    pub commands: String,
    /// Lines of standard output, in this order; there may be others between.
    pub says: Vec<String>,
}

/// What the guide has under a heading.
pub fn lesson(heading: &str) -> Lesson {
    let start = format!("\n## {heading}\n");
    let (_, rest) = GUIDE.split_once(&start).unwrap_or_else(|| panic!("the guide has no heading {heading}"));
    let section = rest.split("\n## ").next().unwrap_or_default();
    let block = |kind: &str| {
        let (_, rest) = section.split_once(&format!("```{kind}\n"))?;
        rest.split_once("```").map(|(block, _)| block.to_owned())
    };
    Lesson {
        commands: block("sh").unwrap_or_else(|| panic!("no commands under {heading}")),
        says: block("text").unwrap_or_default().lines().map(str::to_owned).collect(),
    }
}

/// Every heading with commands.
pub fn headings() -> Vec<&'static str> {
    let sections = GUIDE.split("\n## ").skip(1);
    let with_commands = sections.filter(|section| section.contains("```sh\n"));
    with_commands.filter_map(|section| section.lines().next()).collect()
}

/// Runs a lesson in an empty folder, with these folders of programs before all others, and wants it to say what it says.
pub fn follow(heading: &str, tools: &[PathBuf]) {
    let lesson = lesson(heading);
    let folder = Scratch::new();
    let casemate = command::program().parent().map(Path::to_owned).unwrap_or_default();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(
        [casemate].into_iter().chain(tools.iter().cloned()).chain(std::env::split_paths(&path)),
    );
    let output = Command::new("sh")
        .args(["-e", "-c", &lesson.commands])
        .current_dir(&*folder)
        .env("PATH", path.expect("a search path"))
        .stdin(Stdio::null())
        .output()
        .expect("there is a shell");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{heading}: {}\n{out}\n{err}", output.status);
    let mut said = out.lines();
    for line in &lesson.says {
        assert!(
            said.any(|said| said == line),
            "{heading}: it does not say {line:?} (in this order):\n{out}\n{err}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_has_a_lesson_for_every_language() {
        let wanted = ["Rust", "C", "C++", "AssemblyScript", "Go", "JavaScript", "Python"];
        assert_eq!(headings(), wanted);
        for heading in wanted {
            let lesson = lesson(heading);
            assert!(lesson.commands.starts_with("casemate new hello --lang "), "{lesson:?}");
            assert!(lesson.says.contains(&"hello: 2 passed, 0 failed".to_owned()), "{lesson:?}");
        }
    }
}
