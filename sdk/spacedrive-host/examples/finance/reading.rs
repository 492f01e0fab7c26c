//! What the host reads and understands: texts of images by Tesseract, and what they are about by the words in them.

use std::process::Stdio;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Words that say what a text is about.
const WORDS: [(&str, &[&str]); 3] = [
    ("groceries", &["bread", "milk", "coffee", "market", "cheese", "fruit"]),
    ("travel", &["berth", "ferry", "fuel", "marina", "ticket", "hotel"]),
    ("office", &["paper", "toner", "pencil", "stamp", "printer"]),
];

/// The text of an image, by Tesseract: as one block, so that amounts stay in their lines.
pub(crate) async fn read(image: &[u8], language: &str) -> Result<String, String> {
    if !language.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '+') {
        return Err(format!("{language:?} is no language: eng, or deu+eng"));
    }
    let failed = |error: std::io::Error| {
        format!("tesseract cannot be run ({error}): install tesseract-ocr (Debian, Ubuntu)")
    };
    let mut tesseract = Command::new("tesseract")
        .args(["stdin", "stdout", "--psm", "6", "-l", language])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    if let Some(mut input) = tesseract.stdin.take() {
        input.write_all(image).await.map_err(failed)?;
    }
    let read = tesseract.wait_with_output().await.map_err(failed)?;
    if !read.status.success() {
        return Err(format!("tesseract: {}", String::from_utf8_lossy(&read.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&read.stdout).into_owned())
}

/// The label with the most words in a text, and its part of all that were found; the last one where there is none.
pub(crate) fn classify<'a>(text: &str, labels: &[&'a str]) -> (&'a str, f64) {
    let text = text.to_lowercase();
    let found = |label: &str| {
        let words = WORDS.iter().find(|(name, _)| *name == label).map_or(&[][..], |(_, words)| words);
        u32::try_from(words.iter().filter(|word| text.contains(*word)).count()).unwrap_or(u32::MAX)
    };
    let counts: Vec<(u32, &str)> = labels.iter().map(|label| (found(label), *label)).collect();
    let all: u32 = counts.iter().map(|(count, _)| *count).sum();
    match counts.into_iter().max_by_key(|(count, _)| *count) {
        Some((count, label)) if count > 0 => (label, f64::from(count) / f64::from(all)),
        _ => (labels.last().copied().unwrap_or("other"), 0.0),
    }
}
