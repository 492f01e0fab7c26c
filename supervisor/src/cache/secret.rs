//! What MACs are made with: 32 random bytes that only we can read, made once, also when two supervisors begin at once.

use super::Steps;
use super::error::{CacheError, SecretFlaw};
use crate::directory::{Directory, is_file, ours};
use hmac::{Hmac, KeyInit as _};
use rustix::fs::fstat;
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::io::{self, Read as _, Write as _};

/// Its file.
const NAME: &str = "cache-key";
const BYTES: usize = 32;
/// Digits of its id.
const ID_DIGITS: usize = 16;

/// The secret of one user on one machine.
pub(super) struct Secret([u8; BYTES]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Secret").field(&self.id()).finish()
    }
}

impl Secret {
    /// Reads the secret of a state directory, and makes it if there is none.
    pub(super) fn open(state: &Directory, steps: Steps<'_>) -> Result<Self, CacheError> {
        match Self::read(state)? {
            Some(secret) => Ok(secret),
            None => {
                let failed = |source| CacheError::Io {
                    path: state.path().join(NAME),
                    doing: "making the secret",
                    source,
                };
                make(state, steps).map_err(failed)?;
                let gone = || failed(io::Error::other("it was removed as soon as it was made"));
                Self::read(state)?.ok_or_else(gone)
            }
        }
    }

    fn read(state: &Directory) -> Result<Option<Self>, CacheError> {
        let path = state.path().join(NAME);
        let failed = |source| CacheError::Io { path: path.clone(), doing: "reading the secret", source };
        let flaw = |why| CacheError::Secret { path: path.clone(), why };
        let mut file = match state.open_file(NAME) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP | Errno::NXIO) => return Err(flaw(SecretFlaw::NotAFile)),
            Err(errno) => return Err(failed(errno.into())),
        };
        let stat = fstat(&file).map_err(|errno| failed(errno.into()))?;
        if !is_file(&stat) {
            return Err(flaw(SecretFlaw::NotAFile));
        }
        ours(&stat, &path)?;
        let mode = stat.st_mode & 0o7777;
        if mode & 0o077 != 0 {
            return Err(flaw(SecretFlaw::Mode { mode }));
        }
        let bytes = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
        if u64::try_from(BYTES).ok() != Some(bytes) {
            return Err(flaw(SecretFlaw::Length { bytes }));
        }
        let mut secret = [0; BYTES];
        file.read_exact(&mut secret).map_err(failed)?;
        Ok(Some(Self(secret)))
    }

    /// One that is no secret, for the oracle.
    pub(super) fn known() -> Self {
        Self([7; BYTES])
    }

    /// Part of the path of what it vouches for: entries of another secret are never touched.
    pub(super) fn id(&self) -> String {
        let mut digits =
            hex(&Sha256::new_with_prefix(b"casemate cache key id").chain_update(self.0).finalize());
        digits.truncate(ID_DIGITS);
        digits
    }

    /// Whether a name is that of some secret's directory.
    pub(super) fn is_id(name: &str) -> bool {
        name.len() == ID_DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit())
    }

    /// A MAC to be fed.
    pub(super) fn mac(&self) -> Hmac<Sha256> {
        // HMAC fills a short key up with zeros to its block, so this is the same as with the 32 bytes.
        let mut block = [0; 64];
        block.iter_mut().zip(self.0).for_each(|(to, from)| *to = from);
        Hmac::<Sha256>::new(&block.into())
    }
}

/// Whoever links first wins, and everyone reads what is there then.
fn make(state: &Directory, steps: Steps<'_>) -> io::Result<()> {
    let mut secret = [0; BYTES];
    getrandom::fill(&mut secret).map_err(io::Error::other)?;
    let temporary = state.temporary()?;
    let mut file = &temporary.file;
    file.write_all(&secret)?;
    file.sync_all()?;
    steps("secret written");
    match temporary.publish_first(NAME) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno.into()),
    }
    steps("secret named");
    drop(temporary);
    state.sync()
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
