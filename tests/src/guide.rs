//! The plugin authors' guide: its commands, run as they are written.

use crate::command;
use crate::scratch::Scratch;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const GUIDE: &str = include_str!("../../docs/plugin-authors.md");

/// The blocks of a language with its commands, and those with what they say.
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
    let blocks = |kind: &str| -> String {
        let fence = format!("```{kind}\n");
        let begun = section.split(&fence).skip(1);
        begun.filter_map(|rest| rest.split_once("```")).map(|(block, _)| block).collect()
    };
    let commands = blocks("sh");
    assert!(!commands.is_empty(), "no commands under {heading}");
    Lesson { commands, says: blocks("text").lines().map(str::to_owned).collect() }
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
    run(heading, &lesson, &Scratch::new(), tools);
}

/// Does what a page says from its beginning to its end, in one empty folder: a block that names a file (`toml lib/x.toml`) is written
/// there, `sh` is run, and the `text` behind it is what that says.
pub fn walk(page: &str, tools: &[PathBuf]) {
    let folder = Scratch::new();
    // A supervisor that is root gives native programs another user, who must be able to read them.
    std::fs::set_permissions(&*folder, Permissions::from_mode(0o755)).expect("it is ours");
    let mut commands = None;
    let take =
        |lesson: Option<Lesson>| lesson.into_iter().for_each(|one| run("the page", &one, &folder, tools));
    for (kind, block) in blocks(page) {
        match kind.split_once(' ') {
            Some((_, file)) => {
                take(commands.take());
                let file = folder.join(file);
                let above = file.parent().expect("it is below the folder");
                std::fs::create_dir_all(above).expect("a folder can be made");
                std::fs::write(file, block).expect("a file can be written");
            }
            None if kind == "sh" => {
                take(commands.replace(Lesson { commands: block.to_owned(), says: Vec::new() }));
            }
            None if kind == "text" => {
                let lesson = commands.as_mut().expect("a text says what commands before it say");
                lesson.says = block.lines().map(str::to_owned).collect();
            }
            None => {}
        }
    }
    take(commands);
}

/// The fenced blocks of a page: what stands behind the fence, and what is in it.
fn blocks(page: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut parts = page.split("```").skip(1);
    std::iter::from_fn(move || {
        let block = parts.next()?.split_once('\n');
        let _between = parts.next();
        block
    })
}

fn run(heading: &str, lesson: &Lesson, folder: &Path, tools: &[PathBuf]) {
    let casemate = command::program().parent().map(Path::to_owned).unwrap_or_default();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(
        [casemate].into_iter().chain(tools.iter().cloned()).chain(std::env::split_paths(&path)),
    );
    let output = Command::new("sh")
        .args(["-e", "-c", &lesson.commands])
        .current_dir(folder)
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
        let wanted = ["Rust", "C", "C++", "AssemblyScript", "Go", "JavaScript", "TypeScript", "Python"];
        assert_eq!(headings(), wanted);
        for heading in wanted {
            let lesson = lesson(heading);
            assert!(lesson.commands.starts_with("casemate new hello --lang "), "{lesson:?}");
            assert!(lesson.says.contains(&"hello: 2 passed, 0 failed".to_owned()), "{lesson:?}");
        }
    }
}
