//! An entry's bytes.
//!
//! ```text
//! [16]  "casemate-entry-1"
//! [48]  key: SHA-256 of the module, digest of the build
//! u32   bytes of the report
//! u64   bytes of the code
//!       report, code
//! [32]  HMAC-SHA-256 over all before it
//! ```
//! Numbers are little endian.

use super::error::BadEntry;
use super::key::Key;
use super::secret::Secret;
use crate::directory::is_file;
use crate::memfd;
use casemate_protocol::module::{CWASM_BYTES_MAX, REPORT_BYTES_MAX};
use hmac::Mac as _;
use rustix::fs::fstat;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

const MAGIC: &[u8; 16] = b"casemate-entry-1";
const KEY_BYTES: usize = 48;
const HEAD_BYTES: usize = MAGIC.len() + KEY_BYTES + 4 + 8;
const MAC_BYTES: usize = 32;

/// Why an entry could not be read.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The entry is at fault.
    Bad(BadEntry),
    /// The machine is: nothing is known about the entry.
    Io(io::Error),
}

/// What an entry takes on disk.
pub(super) fn bytes(report: &[u8], code_bytes: u64) -> u64 {
    let fixed = u64::try_from(HEAD_BYTES + MAC_BYTES + report.len()).unwrap_or(u64::MAX);
    code_bytes.saturating_add(fixed)
}

/// Writes an entry.
pub(super) fn write(
    out: &mut impl Write,
    secret: &Secret,
    key: &Key,
    report: &[u8],
    code: &OwnedFd,
    code_bytes: u64,
) -> io::Result<()> {
    let mut head = Vec::with_capacity(HEAD_BYTES + report.len());
    head.extend_from_slice(MAGIC);
    head.extend_from_slice(&key.bytes());
    head.extend_from_slice(&u32::try_from(report.len()).map_err(io::Error::other)?.to_le_bytes());
    head.extend_from_slice(&code_bytes.to_le_bytes());
    head.extend_from_slice(report);
    let mut mac = secret.mac();
    mac.update(&head);
    out.write_all(&head)?;
    memfd::pieces(code, |piece| {
        mac.update(piece);
        out.write_all(piece)
    })?;
    out.write_all(&mac.finalize().into_bytes())
}

/// Reads the entry of a key: its report, and its code in a sealed memory file. The code is verified where it will be used
/// from, after nobody can change it any more.
pub(super) fn read(mut file: &File, secret: &Secret, key: &Key) -> Result<(Vec<u8>, OwnedFd), ReadError> {
    let stat = fstat(file).map_err(|errno| ReadError::Io(errno.into()))?;
    if !is_file(&stat) {
        return Err(ReadError::Bad(BadEntry::NotAFile));
    }
    let bytes = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
    let cut_off = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => ReadError::Bad(BadEntry::Length { bytes }),
        _ => ReadError::Io(error),
    };
    let mut head = vec![0; HEAD_BYTES];
    file.read_exact(&mut head).map_err(cut_off)?;
    let (report_bytes, code_bytes) = lengths(&head, key, bytes).map_err(ReadError::Bad)?;

    head.resize(HEAD_BYTES + report_bytes, 0);
    let report = head.get_mut(HEAD_BYTES..).unwrap_or_default();
    file.read_exact(report).map_err(cut_off)?;
    let code = memfd::sealed_copy("casemate-code", &mut file, code_bytes).map_err(cut_off)?;
    let mut tag = [0; MAC_BYTES];
    file.read_exact(&mut tag).map_err(cut_off)?;

    let mut mac = secret.mac();
    mac.update(&head);
    memfd::pieces(&code, |piece| {
        mac.update(piece);
        Ok(())
    })
    .map_err(ReadError::Io)?;
    // In constant time: how much of a guess was right is nobody's business.
    mac.verify_slice(&tag).or(Err(ReadError::Bad(BadEntry::Mac)))?;
    Ok((head.split_off(HEAD_BYTES), code))
}

/// What a head says about the rest, if it can be the head of this key's entry of so many bytes.
fn lengths(head: &[u8], key: &Key, bytes: u64) -> Result<(usize, u64), BadEntry> {
    let parts = head
        .split_first_chunk::<{ MAGIC.len() }>()
        .and_then(|(magic, rest)| Some((magic, rest.split_first_chunk::<KEY_BYTES>()?)))
        .and_then(|(magic, (found, rest))| Some((magic, found, rest.split_first_chunk::<4>()?)))
        .and_then(|(magic, found, (report, rest))| Some((magic, found, report, rest.first_chunk::<8>()?)));
    let Some((magic, found, report, code)) = parts else { return Err(BadEntry::Format) };
    if magic != MAGIC {
        return Err(BadEntry::Format);
    }
    if *found != key.bytes() {
        return Err(BadEntry::OtherKey);
    }
    let report_bytes = usize::try_from(u32::from_le_bytes(*report)).unwrap_or(usize::MAX);
    let code_bytes = u64::from_le_bytes(*code);
    let within = report_bytes <= REPORT_BYTES_MAX && code_bytes <= CWASM_BYTES_MAX;
    let rest = u64::try_from(HEAD_BYTES + MAC_BYTES).ok().zip(u64::try_from(report_bytes).ok());
    let announced = rest.map(|(fixed, report)| fixed.saturating_add(report).saturating_add(code_bytes));
    if !within || announced != Some(bytes) {
        return Err(BadEntry::Length { bytes });
    }
    Ok((report_bytes, code_bytes))
}

/// What the fuzz target checks, of bytes as they are and of the same under our MAC: nothing is taken that we would not
/// have written.
pub(super) fn oracle(data: &[u8]) {
    let (secret, key) = (Secret::known(), Key::known());
    let signed = [data, &secret.mac().chain_update(data).finalize().into_bytes()].concat();
    for bytes in [data, &signed] {
        let Ok(file) = memfd::sealed("casemate-oracle", bytes) else { continue };
        let Ok((report, code)) = read(&File::from(file), &secret, &key) else { continue };
        let mut again = Vec::new();
        let code_bytes = memfd::size(&code).unwrap_or_default();
        let written = write(&mut again, &secret, &key, &report, &code, code_bytes);
        assert!(written.is_ok() && again == bytes, "an entry was taken that we would not have written");
    }
}
