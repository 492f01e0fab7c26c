//! The finance extension of Spacedrive's design: reads receipts, finds out what they are for, and writes a ledger beside them.
//! It goes on where it was after an interruption or a crash.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use spacedrive_sdk::{Done, Job, ai, credentials, log, vdfs};

const LABELS: &[&str] = &["groceries", "travel", "office", "other"];

#[derive(Serialize, Deserialize)]
struct State {
    receipts: Vec<Receipt>,
    #[serde(default)]
    ledger: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
struct Receipt {
    file: String,
    /// As base64.
    data: String,
}

#[derive(Serialize, Deserialize)]
struct Row {
    file: String,
    vendor: String,
    total: f64,
    label: String,
}

fn scan(job: &mut Job, state: Value) -> Result<Done, String> {
    let mut state: State = serde_json::from_value(state).map_err(|error| format!("the receipts: {error}"))?;
    let all = state.receipts.len();
    while let Some(receipt) = state.receipts.get(state.ledger.len()) {
        if job.is_interrupted() {
            job.checkpoint(&state)?;
            return Ok(Done::Interrupted);
        }
        let read = ai::ocr(job.library(), &receipt.data, "eng")?;
        let label = ai::classify_text(job.library(), &read.text, LABELS)?.label;
        let vendor = read.text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("").to_owned();
        let total = total(&read.text).unwrap_or_else(|| {
            job.warn(&format!("{} has no total", receipt.file));
            0.0
        });
        job.add_bytes(receipt.data.len() as i64);
        job.add_items(1);
        state.ledger.push(Row { file: receipt.file.clone(), vendor, total, label });
        job.checkpoint(&state)?;
        job.progress(state.ledger.len() as f32 / all as f32, "receipts");
    }
    let total: f64 = state.ledger.iter().map(|row| row.total).sum();
    let ledger = json!({ "rows": state.ledger, "total": total });
    vdfs::write_sidecar(job.library(), "receipts", "ledger.json", &ledger)?;
    Ok(Done::Completed)
}

/// The last amount of a line that speaks of a total.
fn total(text: &str) -> Option<f64> {
    let line = text.lines().rfind(|line| line.to_lowercase().contains("total"))?;
    line.split_whitespace()
        .rev()
        .find_map(|word| word.trim_matches(|c: char| !c.is_ascii_digit()).replace(',', ".").parse().ok())
}

/// Asks for one operation, whichever the state says, and puts what comes of it into the log.
fn ask(job: &mut Job, state: Value) -> Result<Done, String> {
    let method = state.get("method").and_then(Value::as_str).unwrap_or("");
    let answer: Value =
        spacedrive_sdk::call(method, job.library(), state.get("payload").unwrap_or(&Value::Null))?;
    log::info(&answer.to_string());
    Ok(Done::Completed)
}

/// Asks for one operation so many times, and says how often it was refused, and why first.
fn ask_often(job: &mut Job, state: Value) -> Result<Done, String> {
    let method = state.get("method").and_then(Value::as_str).unwrap_or("");
    let times = state.get("times").and_then(Value::as_u64).unwrap_or(0);
    let asked = || spacedrive_sdk::call::<Value>(method, job.library(), &Value::Null);
    let refused: Vec<String> = (0..times).filter_map(|_| asked().err()).map(String::from).collect();
    match refused.first() {
        None => Ok(Done::Completed),
        Some(first) => {
            let count = refused.len() as u64;
            Err(format!("{} answered, {count} refused: {first}", times - count))
        }
    }
}

/// Keeps a secret and looks whether it is the same.
fn secret(job: &mut Job, state: Value) -> Result<Done, String> {
    let secret = state.get("secret").and_then(Value::as_str).unwrap_or("");
    credentials::store(job.library(), "imap", secret)?;
    match credentials::get(job.library(), "imap")?.as_deref() {
        Some(found) if found == secret => Ok(Done::Completed),
        other => Err(format!("another secret came back: {other:?}")),
    }
}

spacedrive_sdk::extension! {
    init: || {
        log::info("finance is here");
        Ok(())
    },
    jobs: {
        "scan_receipts" => execute_scan_receipts(scan), resumable: true,
        "ask" => execute_ask(ask), resumable: false,
        "ask_often" => execute_ask_often(ask_often), resumable: false,
        "secret" => execute_secret(secret), resumable: false,
    },
}
