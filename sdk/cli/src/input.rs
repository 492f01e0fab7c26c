//! What a method is called with.

use crate::problem::Problem;
use casemate::outcome::escape;
use serde_json::value::RawValue;
use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;

/// Bytes of input that are read at all: the most that any policy allows a call, and one to see that there are more.
const INPUT_BYTES_MAX: u64 = 256 << 20;

/// Characters of a text that an error shows.
const SHOWN_BYTES_MAX: usize = 60;

/// The body of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Input {
    /// JSON text, checked.
    Json(Vec<u8>),
    /// Bytes that nobody looked at.
    Raw(Vec<u8>),
}

/// Resolves `--input`: a file if one of that name exists, `-` for `stdin`, otherwise JSON itself; without it `null`.
pub(crate) fn resolve(text: Option<&OsStr>, raw: bool, stdin: impl Read) -> Result<Input, Problem> {
    let Some(text) = text else {
        return Ok(if raw { Input::Raw(Vec::new()) } else { Input::Json(b"null".to_vec()) });
    };
    if text == "-" {
        let unreadable = |error| Problem::not_found(format!("standard input cannot be read: {error}"));
        return checked(read(stdin).map_err(unreadable)?, raw, "standard input");
    }
    let path = Path::new(text);
    let shown = escape(&path.display().to_string(), SHOWN_BYTES_MAX);
    if path.exists() {
        let unreadable = |error| Problem::not_found(format!("--input {shown} cannot be read: {error}"));
        let file = std::fs::File::open(path).map_err(unreadable)?;
        return checked(read(file).map_err(unreadable)?, raw, &shown);
    }
    let absent = || Problem::not_found(format!("--input {shown} is not there: name a file, - or JSON"));
    let Some(json) = text.to_str().filter(|_| !raw) else { return Err(absent()) };
    match is_json(json.as_bytes()) {
        Ok(()) => Ok(Input::Json(json.as_bytes().to_vec())),
        Err(_) if looks_like_a_path(json) => Err(absent()),
        Err(error) => Err(Problem::input(format!(
            "--input {shown} is no file of that name and no JSON: {error}: name a file, - or JSON"
        ))),
    }
}

fn read(source: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn checked(bytes: Vec<u8>, raw: bool, from: &str) -> Result<Input, Problem> {
    if u64::try_from(bytes.len()).is_ok_and(|bytes| bytes > INPUT_BYTES_MAX) {
        return Err(Problem::input(format!(
            "{from} has more than {INPUT_BYTES_MAX} bytes, the most a call takes"
        )));
    }
    if raw {
        return Ok(Input::Raw(bytes));
    }
    match is_json(&bytes) {
        Ok(()) => Ok(Input::Json(bytes)),
        Err(error) => Err(Problem::input(format!(
            "{from} is not JSON: {error}: correct it, or send it as it is with --raw"
        ))),
    }
}

/// Reads the text without building its value. The error says line and column.
fn is_json(bytes: &[u8]) -> Result<(), serde_json::Error> {
    serde_json::from_slice::<&RawValue>(bytes).map(|_| ())
}

/// No JSON begins so, and a name does: letters, a dot or a slash, and an ending or a folder somewhere.
fn looks_like_a_path(text: &str) -> bool {
    let begins_like_json = text.trim_start().starts_with(['{', '[', '"', '\'']);
    let one_word = !text.contains(char::is_whitespace);
    let number = text.parse::<f64>().is_ok();
    !begins_like_json && !number && one_word && (text.contains('/') || text.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn json(text: &str) -> Result<Input, Problem> {
        resolve(Some(text.as_ref()), false, std::io::empty())
    }

    fn line(result: Result<Input, Problem>, exit: Exit) -> String {
        let problem = result.unwrap_err();
        assert_eq!(problem.exit(), exit, "{problem}");
        problem.to_string()
    }

    #[test]
    fn json_itself() {
        for text in ["{}", "[1, 2]", "-1.5", "\"text\"", "null", " true "] {
            assert_eq!(json(text).unwrap(), Input::Json(text.into()), "{text}");
        }
    }

    #[test]
    fn nothing_is_null() {
        assert_eq!(resolve(None, false, std::io::empty()).unwrap(), Input::Json(b"null".to_vec()));
        assert_eq!(resolve(None, true, std::io::empty()).unwrap(), Input::Raw(Vec::new()));
    }

    #[test]
    fn standard_input() {
        let dash = Some(OsStr::new("-"));
        assert_eq!(resolve(dash, false, &b"{\"a\": 1}"[..]).unwrap(), Input::Json(b"{\"a\": 1}".to_vec()));
        assert_eq!(resolve(dash, true, &b"\xff"[..]).unwrap(), Input::Raw(vec![0xff]));
        assert!(line(resolve(dash, false, &b"{"[..]), Exit::Usage).contains("line 1 column 1"));
    }

    #[test]
    fn a_file_goes_before_json() {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let problem = line(json(manifest), Exit::Usage);
        assert!(problem.contains("Cargo.toml") && problem.contains("line 1"), "{problem}");
        let raw = resolve(Some(manifest.as_ref()), true, std::io::empty()).unwrap();
        assert_eq!(raw, Input::Raw(std::fs::read(manifest).unwrap()));
    }

    #[test]
    fn a_file_that_is_not_there_is_not_called_bad_json() {
        for name in ["numbers.json", "./numbers", "/no/such/file"] {
            assert!(line(json(name), Exit::NotFound).contains(name));
        }
        assert!(line(resolve(Some("{}".as_ref()), true, std::io::empty()), Exit::NotFound).contains("{}"));
    }

    #[test]
    fn bad_json_says_where() {
        let problem = line(json("{\"numbers\": [1, 2}"), Exit::Usage);
        assert!(problem.contains("line 1 column 18"), "{problem}");
        assert!(line(json("hello"), Exit::Usage).contains("line 1 column 1"));
        assert!(line(json(""), Exit::Usage).contains("EOF"));
    }
}
