//! `new`: the project of a plugin, in a folder of its own.

use super::templates::{Words, files, template};
use crate::args::{Language, New};
use crate::exit::Exit;
use crate::problem::Problem;
use crate::screen::{Screen, Tone};
use serde_json::json;
use std::path::{Path, PathBuf};

pub(crate) fn perform(order: &New, screen: &mut Screen) -> Result<Exit, Problem> {
    let name = name(&order.folder)?;
    let sdk = order.sdk.as_deref().map(sdk).transpose()?;
    let shown = order.folder.display();
    if order.folder.exists() {
        return Err(Problem::usage(format!("{shown} is there already: name a folder that is not")));
    }
    let sdk_word = sdk.as_ref().map_or_else(|| "sdk".to_owned(), |sdk| sdk.display().to_string());
    let words = Words { name: &name, sdk: &sdk_word };
    // With a checkout at hand there is nothing to copy.
    let files = files(&template(order), &words);
    let wanted = files.iter().filter(|file| sdk.is_none() || !file.path.starts_with("sdk"));
    let mut written = Vec::new();
    for file in wanted {
        write(&order.folder.join(&file.path), &file.text)?;
        written.push(file.path.display().to_string());
    }
    // Cargo finds a package's workspace by its path; everybody else is content with a link.
    let is_rust = matches!(order.lang, None | Some(Language::Rust));
    if let (Some(sdk), false) = (&sdk, is_rust) {
        let link = order.folder.join("sdk");
        std::os::unix::fs::symlink(sdk, &link).map_err(|error| unwritable(&link, &error))?;
    }
    if screen.json() {
        let value = json!({"ok": true, "name": name, "folder": shown.to_string(), "files": written});
        screen.value(&value)?;
        return Ok(Exit::Done);
    }
    for file in written.iter().filter(|file| !file.starts_with("sdk/")) {
        screen.line(screen.paint(Tone::Dim, format!("  {shown}/{file}")))?;
    }
    screen.line(format!("{name} is there. Next: casemate test {shown}"))?;
    Ok(Exit::Done)
}

/// What its last part is, if a plugin and a package of every language can be called so.
fn name(folder: &Path) -> Result<String, Problem> {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_');
    if starts && plain && name.len() <= 64 {
        return Ok(name);
    }
    Err(Problem::usage(format!(
        "{name:?} is no name for a plugin: small letters first, then also digits, - and _, 64 in all"
    )))
}

/// The folder of SDKs of a checkout.
fn sdk(checkout: &Path) -> Result<PathBuf, Problem> {
    let folder = checkout.join("sdk");
    let missing = || Problem::not_found(format!("--sdk {}: it has no sdk/plugin", checkout.display()));
    if !folder.join("plugin/Cargo.toml").is_file() {
        return Err(missing());
    }
    folder.canonicalize().ok().ok_or_else(missing)
}

fn write(path: &Path, text: &str) -> Result<(), Problem> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    }
    std::fs::write(path, text).map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::output(format!("{} cannot be written: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_for_every_language() {
        assert_eq!(name(Path::new("some/where/word-count2")).ok().as_deref(), Some("word-count2"));
        for bad in ["", "..", "Word", "2fast", "a b", "ä", "-a", "a.b", &"a".repeat(65)] {
            assert!(name(Path::new(bad)).is_err(), "{bad}");
        }
    }
}
