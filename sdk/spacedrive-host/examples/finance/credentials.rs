//! Secrets that are kept for extensions: each sealed with XChaCha20-Poly1305, bound to its name, under a key that is made at first. A
//! real host has the key in its user's key ring; here it is a file of its own, so that a copy of the secrets alone says nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// The secrets of a folder.
pub(crate) struct Credentials {
    cipher: XChaCha20Poly1305,
    file: PathBuf,
    /// One at a time reads and writes the file.
    turn: Mutex<()>,
}

impl Credentials {
    /// Opens them, and makes the key if there is none.
    pub(crate) fn open(folder: &Path) -> Result<Self, Box<dyn Error>> {
        fs::create_dir_all(folder)?;
        let key = key(&folder.join("credentials.key"))?;
        let cipher = XChaCha20Poly1305::new(&Key::from(key));
        Ok(Self { cipher, file: folder.join("credentials.json"), turn: Mutex::default() })
    }

    /// Keeps a secret under a name.
    pub(crate) fn store(&self, name: &str, secret: &str) -> Result<(), Box<dyn Error>> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce)?;
        let payload = Payload { msg: secret.as_bytes(), aad: name.as_bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_opaque| "the secret cannot be sealed")?;
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = self.all()?;
        all.insert(name.to_owned(), STANDARD.encode([&nonce[..], &sealed].concat()).into());
        let beside = self.file.with_extension("new");
        write(&beside, serde_json::to_string(&all)?.as_bytes())?;
        Ok(fs::rename(beside, &self.file)?)
    }

    /// The secret of a name.
    pub(crate) fn get(&self, name: &str) -> Result<Option<String>, Box<dyn Error>> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let all = self.all()?;
        let Some(sealed) = all.get(name).and_then(Value::as_str) else { return Ok(None) };
        let sealed = STANDARD.decode(sealed)?;
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or("a secret is cut short")?;
        let payload = Payload { msg: sealed, aad: name.as_bytes() };
        let opened = self.cipher.decrypt(&XNonce::from(*nonce), payload);
        let opened = opened.map_err(|_opaque| "a secret does not open with this key, or is another's")?;
        Ok(Some(String::from_utf8(opened)?))
    }

    fn all(&self) -> Result<BTreeMap<String, Value>, Box<dyn Error>> {
        match fs::read(&self.file) {
            Ok(text) => Ok(serde_json::from_slice(&text)?),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(error.into()),
        }
    }
}

fn key(file: &Path) -> Result<[u8; KEY_BYTES], Box<dyn Error>> {
    match fs::read(file) {
        Ok(key) => <[u8; KEY_BYTES]>::try_from(key).map_err(|_other| "the key is not one of ours".into()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let mut key = [0; KEY_BYTES];
            getrandom::fill(&mut key)?;
            write(file, &key)?;
            Ok(key)
        }
        Err(error) => Err(error.into()),
    }
}

/// For its owner's eyes alone.
fn write(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
    file.write_all(bytes)?;
    file.sync_all()
}
