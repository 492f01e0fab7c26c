//! The audit log: what happened that a security team wants to know, each line chained to the one before by its hash.
//!
//! One JSON object a line, in `STATE/audit.jsonl`, which only the daemon's user may read: `n` (from 1), `time_ms` (since 1970),
//! `event`, what belongs to it, `prev` (the hash of the line before; of the first, 64 zeros) and last `hash`: SHA-256, in
//! hexadecimal digits, over the line's text up to the comma before `"hash"`. Whoever changes, takes out or puts in a line breaks
//! the chain from there on. Cutting off the end breaks nothing: compare the last hash with one that was kept elsewhere.
//!
//! ```text
//! {"n":2,"time_ms":1790000000000,"event":"client.refused","uid":1001,"prev":"9f…","hash":"4c…"}
//! ```
//! It must never hold bodies of calls. Texts of others are escaped and bounded before they come here.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Its name in the state directory.
pub const FILE: &str = "audit.jsonl";

/// Bytes of one line; none of ours is nearly as long.
const LINE_BYTES_MAX: u64 = 64 * 1024;

const NONE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// An audit log that is being written.
#[derive(Debug)]
pub struct Audit {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    head: Head,
}

/// The end of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// How many lines.
    pub lines: u64,
    /// The hash of the last one.
    pub hash: String,
}

impl Default for Head {
    fn default() -> Self {
        Self { lines: 0, hash: NONE.to_owned() }
    }
}

/// Why an audit log is not what was written, or cannot be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The system refused something.
    #[error("the audit log {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// The chain is broken.
    #[error("line {line} of the audit log {path} is not what was written: {why}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl Audit {
    /// Goes on with the log of a state directory, which has to be whole, or begins one.
    pub fn open(state_dir: &Path) -> Result<Self, AuditError> {
        let path = state_dir.join(FILE);
        let io = |source| AuditError::Io { path: path.clone(), source };
        std::fs::create_dir_all(state_dir).map_err(io)?;
        let head = match path.symlink_metadata() {
            Ok(_) => verify(&path)?,
            Err(_) => Head::default(),
        };
        let file = no_link().append(true).create(true).mode(0o600).open(&path).map_err(io)?;
        Ok(Self { path, state: Mutex::new(State { file, head }) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes an event down. One that cannot be is told to `tracing`, and the next one is tried again.
    #[expect(clippy::disallowed_methods, reason = "the time of an event is that of its line")]
    pub(crate) fn record(&self, event: &str, details: Map<String, Value>) {
        let time_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = state.head.lines.saturating_add(1);
        let mut object = Map::new();
        object.insert("n".to_owned(), lines.into());
        object.insert("time_ms".to_owned(), u64::try_from(time_ms).unwrap_or(u64::MAX).into());
        object.insert("event".to_owned(), event.into());
        object.extend(details);
        object.insert("prev".to_owned(), state.head.hash.clone().into());
        let text = Value::Object(object).to_string();
        let text = text.strip_suffix('}').unwrap_or(&text);
        let hash = hash(text);
        // One write: a line is there as a whole or not at all, unless the disk is full, which ends the chain visibly.
        let line = format!("{text},\"hash\":\"{hash}\"}}\n");
        match state.file.write_all(line.as_bytes()) {
            Ok(()) => state.head = Head { lines, hash },
            Err(error) => tracing::error!("{event} could not be written to {}: {error}", self.path.display()),
        }
    }
}

/// Opens no symbolic link: whoever puts one there does not choose what is written to.
fn no_link() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.custom_flags(i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default());
    options
}

fn hash(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a log, and says where its chain ends.
pub fn verify(path: &Path) -> Result<Head, AuditError> {
    let mut head = Head::default();
    for line in lines(path)? {
        head = line?.0;
    }
    Ok(head)
}

/// Every line of a log, checked: the chain up to it, and its object.
pub fn lines(path: &Path) -> Result<impl Iterator<Item = Result<(Head, Value), AuditError>>, AuditError> {
    let io = |source| AuditError::Io { path: path.to_owned(), source };
    let file = no_link().read(true).open(path).map_err(io)?;
    let mut reader = BufReader::new(file);
    let (path, mut head, mut is_over) = (path.to_owned(), Head::default(), false);
    Ok(std::iter::from_fn(move || {
        if is_over {
            return None;
        }
        let mut bytes = Vec::new();
        let read = std::io::Read::take(&mut reader, LINE_BYTES_MAX).read_until(b'\n', &mut bytes);
        let number = head.lines.saturating_add(1);
        let checked = match read {
            Err(source) => Err(AuditError::Io { path: path.clone(), source }),
            Ok(0) => return None,
            Ok(_) => check(&bytes, number, &head.hash).map_err(|why| AuditError::Broken {
                path: path.clone(),
                line: number,
                why,
            }),
        };
        is_over = checked.is_err();
        Some(checked.map(|(hash, value)| {
            head = Head { lines: number, hash };
            (head.clone(), value)
        }))
    }))
}

fn check(bytes: &[u8], number: u64, prev: &str) -> Result<(String, Value), &'static str> {
    let text = std::str::from_utf8(bytes).or(Err("it is no text"))?;
    let text = text.strip_suffix('\n').ok_or("it is cut off")?;
    let (chained, rest) = text.rsplit_once(",\"hash\":\"").ok_or("it has no hash")?;
    let found = rest.strip_suffix("\"}").ok_or("something follows its hash")?;
    let value: Value = serde_json::from_str(text).or(Err("it is no JSON"))?;
    if value.get("n").and_then(Value::as_u64) != Some(number) {
        return Err("its number is not the next one: lines were taken out or put in");
    }
    if value.get("prev").and_then(Value::as_str) != Some(prev) {
        return Err("it does not follow the line before it");
    }
    if hash(chained) != found {
        return Err("its text is not what its hash is of");
    }
    Ok((found.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A folder of a test's own.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("casemate-audit-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            std::fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn details(uid: u64) -> Map<String, Value> {
        Map::from_iter([("uid".to_owned(), json!(uid))])
    }

    #[test]
    fn a_log_goes_on_where_it_ended() {
        let folder = Folder::new("goes-on");
        for round in 0..3 {
            let audit = Audit::open(&folder.0).unwrap();
            audit.record("client.refused", details(round));
        }
        let path = folder.0.join(FILE);
        assert_eq!(verify(&path).unwrap().lines, 3);
        let uids: Vec<u64> =
            lines(&path).unwrap().map(|line| line.unwrap().1["uid"].as_u64().unwrap()).collect();
        assert_eq!(uids, [0, 1, 2]);
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn every_changed_byte_and_every_missing_line_is_found() {
        let folder = Folder::new("changed");
        let audit = Audit::open(&folder.0).unwrap();
        for number in 0..4 {
            audit.record("plugin.loaded", details(number));
        }
        let (path, whole) = (folder.0.join(FILE), std::fs::read(folder.0.join(FILE)).unwrap());
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            std::fs::write(&path, bytes).unwrap();
            assert!(matches!(verify(&path), Err(AuditError::Broken { .. })), "byte {at}");
        }
        let text = String::from_utf8(whole).unwrap();
        let all: Vec<&str> = text.lines().collect();
        for out in 0..3 {
            let mut left = all.clone();
            left.remove(out);
            std::fs::write(&path, left.join("\n") + "\n").unwrap();
            let AuditError::Broken { line, .. } = verify(&path).unwrap_err() else {
                panic!("an error of its own")
            };
            assert_eq!(line, u64::try_from(out).unwrap() + 1);
        }
        // Nobody goes on with a log that is not whole.
        assert!(Audit::open(&folder.0).is_err());
    }
}
