//! What the host reads and understands.

use crate::{Error, Uuid, call};
use serde::{Deserialize, Serialize};

/// A text that was read from an image.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Ocr {
    /// The text.
    pub text: String,
    /// How sure the reader is, from 0 to 1.
    #[serde(default)]
    pub confidence: f64,
}

#[derive(Serialize)]
struct OcrInput<'a> {
    data: &'a str,
    options: OcrOptions<'a>,
}

#[derive(Serialize)]
struct OcrOptions<'a> {
    language: &'a str,
}

/// `query:ai.ocr`: reads a document, given as base64.
pub fn ocr(library: Option<&Uuid>, data: &str, language: &str) -> Result<Ocr, Error> {
    call("query:ai.ocr", library, &OcrInput { data, options: OcrOptions { language } })
}

/// What a text is about.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Classified {
    /// The one of the wanted words.
    pub label: String,
    /// How sure that is, from 0 to 1.
    #[serde(default)]
    pub confidence: f64,
}

#[derive(Serialize)]
struct Text<'a> {
    text: &'a str,
    labels: &'a [&'a str],
}

/// `query:ai.classify_text`: which of these words a text is about.
pub fn classify_text(library: Option<&Uuid>, text: &str, labels: &[&str]) -> Result<Classified, Error> {
    call("query:ai.classify_text", library, &Text { text, labels })
}
