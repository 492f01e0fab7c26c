//! The files of a new project, which the command carries.

use crate::args::Language;
use clap::ValueEnum;
use std::path::{Path, PathBuf};

/// Language, path in the project, text.
const FILES: &[(&str, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// What a template does not know.
#[derive(Debug)]
pub(super) struct Words<'a> {
    pub(super) name: &'a str,
    /// Where the SDK is, from the project or absolute.
    pub(super) sdk: &'a str,
}

/// A file to write.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// All files of a language's project; those in `sdk` are the SDK's own.
pub(super) fn files(language: Language, words: &Words<'_>) -> Vec<File> {
    let name = language.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let of_language = FILES.iter().filter(|(of, ..)| *of == name);
    of_language
        .map(|(_, path, text)| {
            let path = real_name(Path::new(path));
            // The SDK's own files have braces of their own.
            let text = if is_template(&path) { filled(text, words) } else { (*text).to_owned() };
            File { path, text }
        })
        .collect()
}

fn is_template(path: &Path) -> bool {
    !path.starts_with("sdk")
}

/// Names that would mean something where the templates lie end in `.in`.
fn real_name(path: &Path) -> PathBuf {
    match path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".in")) {
        Some("gitignore") => path.with_file_name(".gitignore"),
        Some(name) => path.with_file_name(name),
        None => path.to_owned(),
    }
}

fn filled(text: &str, words: &Words<'_>) -> String {
    // A crate's library has an underscore for a hyphen.
    let crate_name = words.name.replace('-', "_");
    text.replace("{{name}}", words.name).replace("{{crate}}", &crate_name).replace("{{sdk}}", words.sdk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_a_manifest_a_build_and_a_source() {
        let words = Words { name: "a-b", sdk: "sdk" };
        for language in Language::value_variants() {
            let files = files(*language, &words);
            let has = |path: &str| files.iter().any(|file| file.path.starts_with(path));
            for path in ["plugin.toml", "build.sh", "src", "sdk", ".gitignore"] {
                assert!(has(path), "{language:?}: no {path}");
            }
            for file in files.iter().filter(|file| is_template(&file.path)) {
                let left = ["{{name}}", "{{crate}}", "{{sdk}}"].map(|word| file.text.contains(word));
                assert_eq!(left, [false; 3], "{language:?}: {} is not filled", file.path.display());
            }
        }
    }
}
