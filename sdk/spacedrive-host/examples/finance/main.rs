//! A Spacedrive core in small, with the operations that extensions ask for: reads the receipts of a folder with Tesseract, has the
//! finance extension make a ledger of them, and prints it. What the extension asked for is printed as it comes.
//!
//! ```sh
//! cargo run --package casemate-spacedrive --example finance -- plugins receipts data
//! ```
//! `plugins/finance` has the extension with its manifest, `receipts` the images, and `data` is where the host keeps what is its own:
//! secrets, sealed, and sidecars. Tesseract is Debian's `tesseract-ocr`.
#![expect(clippy::print_stdout, reason = "an example: it talks on the terminal")]

mod credentials;
mod reading;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use casemate_spacedrive::{Core, Library, PluginManager, Report};
use credentials::Credentials;
use serde_json::{Value, json};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The library whose receipts these are.
const LIBRARY: &str = "5f3a1c52-7d1e-4b0a-9c1f-2f6d9f0b7e11";
const JOB: &str = "00000000-0000-0000-0000-000000000001";

/// The host's operations.
struct Operations {
    credentials: Credentials,
    sidecars: PathBuf,
}

impl Core for Operations {
    async fn execute(
        &self,
        method: &str,
        library: Option<&Library>,
        payload: Value,
    ) -> Result<Value, String> {
        println!("{method}");
        let text = |name: &str| {
            payload.get(name).and_then(Value::as_str).ok_or_else(|| format!("{method} takes a text {name:?}"))
        };
        match method {
            "query:ai.ocr" => {
                let image = STANDARD.decode(text("data")?).map_err(|error| error.to_string())?;
                let language = payload.pointer("/options/language").and_then(Value::as_str).unwrap_or("eng");
                Ok(json!({ "text": reading::read(&image, language).await? }))
            }
            "query:ai.classify_text" => {
                let labels = payload.get("labels").and_then(Value::as_array).into_iter().flatten();
                let labels: Vec<&str> = labels.filter_map(Value::as_str).collect();
                let (label, confidence) = reading::classify(text("text")?, &labels);
                Ok(json!({ "label": label, "confidence": confidence }))
            }
            "action:credentials.store" => {
                self.credentials.store(text("name")?, text("secret")?).map_err(|error| error.to_string())?;
                Ok(json!({}))
            }
            "query:credentials.get" => {
                let secret = self.credentials.get(text("name")?).map_err(|error| error.to_string())?;
                Ok(json!({ "secret": secret }))
            }
            "action:vdfs.write_sidecar" => {
                let library = library.ok_or("a sidecar belongs to a library")?;
                let (file, name) = (plain(text("file")?)?, plain(text("name")?)?);
                let folder = self.sidecars.join(library.as_str()).join(file);
                let content = payload.get("content").unwrap_or(&Value::Null).to_string();
                std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
                std::fs::write(folder.join(name), content).map_err(|error| error.to_string())?;
                Ok(json!({}))
            }
            _ => Err(format!("there is no operation {method}")),
        }
    }

    fn report(&self, report: Report<'_>) {
        let of = |name: &str| report.said.get(name).cloned().unwrap_or_default();
        match report.kind {
            "progress" => println!("{}: {} of 1, {}", report.extension, of("progress"), of("message")),
            "warning" => println!("{}: {}", report.extension, of("message")),
            // Here a host would write the state down, to go on there.
            _ => {}
        }
    }
}

/// What names one file of ours and no folder of anybody's.
fn plain(name: &str) -> Result<&str, String> {
    let is_plain = !name.is_empty()
        && !name.starts_with('.')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if is_plain {
        Ok(name)
    } else {
        Err(format!("{name:?} is no name of a file: letters, digits, . - _ alone"))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut folder =
        |otherwise: &str| PathBuf::from(arguments.next().unwrap_or_else(|| otherwise.to_owned()));
    let (plugins, receipts, data) = (folder("plugins"), folder("receipts"), folder("data"));
    let sidecars = data.join("sidecars");
    let core = Arc::new(Operations { credentials: Credentials::open(&data)?, sidecars: sidecars.clone() });
    let mut manager = PluginManager::new(core, plugins)?;
    let finance = manager.load_plugin("finance").await?;
    println!("finance, behind: {}", finance.plugin().certificate().holding());

    let secret =
        json!({"job_id": JOB, "library_id": LIBRARY, "state": {"secret": "the password of the mailbox"}});
    finance.run("secret", secret).await?;
    let state = json!({ "receipts": images(&receipts)? });
    let order = json!({"job_id": JOB, "library_id": LIBRARY, "state": state});
    let ended = finance.run("scan_receipts", order).await?;
    println!("scan_receipts: {}", ended.get("status").and_then(Value::as_str).unwrap_or_default());
    manager.unload_plugin("finance").await?;
    manager.shutdown().await;

    let ledger = std::fs::read(sidecars.join(LIBRARY).join("receipts/ledger.json"))?;
    let ledger: Value = serde_json::from_slice(&ledger)?;
    for row in ledger.get("rows").and_then(Value::as_array).into_iter().flatten() {
        let of = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
        let total = row.get("total").and_then(Value::as_f64).unwrap_or_default();
        println!("{:22} {:16} {:10} {total:8.2}", of("file"), of("vendor"), of("label"));
    }
    println!("{:50} {:8.2}", "together", ledger.get("total").and_then(Value::as_f64).unwrap_or_default());
    Ok(())
}

/// The images of a folder in the order of their names, as the extension takes them.
fn images(folder: &Path) -> Result<Vec<Value>, Box<dyn Error>> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|ending| ending == "png"));
    files.sort();
    let mut images = Vec::new();
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        images.push(json!({"file": name, "data": STANDARD.encode(std::fs::read(&path)?)}));
    }
    Ok(images)
}
