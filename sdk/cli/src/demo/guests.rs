//! The guests: those the command carries, and real ones from a folder.

use super::acts::{Act, Expected, Setting};
use crate::problem::Problem;
use casemate::outcome::escape;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::path::Path;

/// Answers what it is sent.
pub(crate) const ECHO: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/echo.wasm"));
/// Does the harm that its method names.
pub(super) const HOSTILE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/hostile.wasm"));
/// Has an allocator that lies.
pub(super) const LIAR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/liar.wasm"));
/// Is deaf to interrupts most of the time.
pub(super) const STUCK: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/stuck.wasm"));
/// Imports what nobody has.
pub(super) const STRANGER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/stranger.wasm"));

/// What a text is counted of where the folder has none.
const TEXT: &str = "A plugin runs in a cell of its own. What it may not do it cannot do.";

/// Input and text files that are read at all.
const FILE_BYTES_MAX: u64 = 900_000;

/// The real guests of a folder on its real data.
pub(super) fn from_folder(folder: &Path) -> Result<Vec<Act>, Problem> {
    let statistics = required(&folder.join("statistics.wasm"))?;
    let wordcount = required(&folder.join("wordcount.wasm"))?;
    let data = folder.join("data");
    let numbers = match optional(&data.join("numbers.json"))? {
        Some(bytes) => bytes,
        None => json!({"numbers": [4.5, 8, 15, 16, 23, 42]}).to_string().into_bytes(),
    };
    let (text, is_file) = match first_text(&data)? {
        Some(text) => (text, true),
        None => (TEXT.to_owned(), false),
    };
    let text = json!({"text": text, "top": 3}).to_string().into_bytes();
    let good = |tried, guest: Vec<u8>, method, input| Act {
        tried,
        stopped_by: "",
        guest: Cow::Owned(guest),
        setting: Setting::Good,
        method,
        input,
        expected: Expected::Answer,
    };
    Ok(vec![
        good("statistics of a series of numbers", statistics, "stats", numbers),
        good(if is_file { "the words of a book" } else { "the words of a text" }, wordcount, "count", text),
    ])
}

fn required(path: &Path) -> Result<Vec<u8>, Problem> {
    let unreadable = |error| {
        let path = escape(&path.display().to_string(), 512);
        Problem::not_found(format!("{path} cannot be read: {error}; `cargo xtask demo` builds the guests"))
    };
    std::fs::read(path).map_err(unreadable)
}

fn optional(path: &Path) -> Result<Option<Vec<u8>>, Problem> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() && metadata.len() <= FILE_BYTES_MAX => required(path).map(Some),
        _ => Ok(None),
    }
}

/// The first text of the folder, by name.
fn first_text(folder: &Path) -> Result<Option<String>, Problem> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(None) };
    let mut texts: Vec<_> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "txt"))
        .collect();
    texts.sort();
    match texts.first() {
        Some(path) => Ok(optional(path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())),
        None => Ok(None),
    }
}

/// An answer in a few words: members with short values, longer ones cut.
pub(super) fn in_short(body: &[u8]) -> String {
    const SHOWN_BYTES_MAX: usize = 64;
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => escape(&value.to_string(), SHOWN_BYTES_MAX),
        Err(_) => escape(&String::from_utf8_lossy(body), SHOWN_BYTES_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn the_guests_are_wasm() {
        for guest in [ECHO, HOSTILE, LIAR, STUCK, STRANGER] {
            assert!(guest.starts_with(b"\0asm\x01\0\0\0"));
        }
    }

    #[test]
    fn a_folder_without_guests_names_the_file_that_is_missing() {
        let problem = from_folder(Path::new("/no/such/folder")).unwrap_err();
        assert_eq!(problem.exit(), Exit::NotFound);
        assert!(problem.to_string().contains("/no/such/folder/statistics.wasm"), "{problem}");
    }

    #[test]
    fn answers_are_cut_and_escaped() {
        assert_eq!(in_short(b"{ \"a\": 1 }"), "{\"a\":1}");
        assert_eq!(in_short(b"\x1b[2J"), "\\u{1b}[2J");
        assert!(in_short(&[b'x'; 500]).len() < 70);
    }
}
