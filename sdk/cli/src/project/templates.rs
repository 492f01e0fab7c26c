//! The files of a new project, which the command carries.

use crate::args::{Language, New, Template};
use clap::ValueEnum;
use std::path::{Path, PathBuf};

/// Language or system, path in the project, text.
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

/// The template that an order means.
pub(super) fn template(order: &New) -> String {
    let of_language = order.lang.as_ref().and_then(Language::to_possible_value);
    let value = of_language.or_else(|| order.template.as_ref().and_then(Template::to_possible_value));
    value.map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// All files of a template; those in `sdk` are the SDK's own.
pub(super) fn files(template: &str, words: &Words<'_>) -> Vec<File> {
    let of_template = FILES.iter().filter(|(of, ..)| *of == template);
    of_template
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
        let names = |values: Vec<Option<clap::builder::PossibleValue>>| {
            values.into_iter().flatten().map(|value| value.get_name().to_owned()).collect::<Vec<_>>()
        };
        let languages = names(Language::value_variants().iter().map(ValueEnum::to_possible_value).collect());
        let systems = names(Template::value_variants().iter().map(ValueEnum::to_possible_value).collect());
        for language in languages.into_iter().chain(systems) {
            let files = files(&language, &words);
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
