//! Packages as one file: `.tar.gz` and `.zip`, from anybody. Everything is unpacked in memory, under limits, and nothing of it
//! touches a disk before all of it was looked at.

use super::{PackageError, Unpacked, is_plain};
use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, Read, Write as _};
use tar::EntryType;
use zip::ZipArchive;

/// Bytes of an archive: a plugin with a whole language in it has half.
pub const ARCHIVE_BYTES_MAX: u64 = 64 << 20;

/// Bytes of all that is in it.
const UNPACKED_BYTES_MAX: u64 = 256 << 20;

/// Files and folders in it.
const ENTRIES_MAX: usize = 2000;

/// How much smaller an archive may be than what is in it: WebAssembly comes to five, and a bomb to a thousand.
const RATIO_MAX: u64 = 100;

/// Below this nobody counts.
const SMALL_BYTES: u64 = 1 << 20;

/// Unpacks an archive. If all of it lies in one folder, that is the package's.
pub fn unpack(bytes: &[u8]) -> Result<Unpacked, PackageError> {
    if bytes.len() as u64 > ARCHIVE_BYTES_MAX {
        return Err(whole(format!("it has {} bytes, and {ARCHIVE_BYTES_MAX} are the most", bytes.len())));
    }
    let mut packing = Packing { room: room(bytes.len()), ..Packing::default() };
    match bytes {
        [0x1f, 0x8b, ..] => packing.tar(bytes)?,
        [b'P', b'K', 3 | 5, 4 | 6, ..] => packing.zip(bytes)?,
        _ => return Err(whole("it is neither a .tar.gz nor a .zip".to_owned())),
    }
    Ok(Unpacked { files: lifted(packing.files) })
}

fn room(archive_bytes: usize) -> u64 {
    (archive_bytes as u64).saturating_mul(RATIO_MAX).clamp(SMALL_BYTES, UNPACKED_BYTES_MAX)
}

#[derive(Default)]
struct Packing {
    files: BTreeMap<String, Vec<u8>>,
    folders: BTreeSet<String>,
    entries: usize,
    /// Bytes that may still come out.
    room: u64,
}

impl Packing {
    fn tar(&mut self, bytes: &[u8]) -> Result<(), PackageError> {
        // Also what is in no file of it is unpacked: names, padding.
        let stream = Bounded { stream: GzDecoder::new(bytes), left: self.room.saturating_add(SMALL_BYTES) };
        let mut archive = tar::Archive::new(stream);
        let broken = |error: io::Error| whole(one_line(&error));
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            let name = String::from_utf8(entry.path_bytes().into_owned());
            let name = name.map_err(|error| refused(&error.to_string(), "its name is not UTF-8"))?;
            match entry.header().entry_type() {
                EntryType::XGlobalHeader => continue,
                EntryType::Directory => self.folder(&name)?,
                EntryType::Regular | EntryType::Continuous => {
                    let size = entry.size();
                    self.file(&name, size, &mut entry)?;
                }
                EntryType::Symlink => return Err(refused(&name, "a package has no symbolic links")),
                EntryType::Link => return Err(refused(&name, "a package has no hard links")),
                EntryType::Char | EntryType::Block | EntryType::Fifo => {
                    return Err(refused(&name, "a package has no devices and no pipes"));
                }
                _ => return Err(refused(&name, "a package has files and folders only")),
            }
        }
        Ok(())
    }

    fn zip(&mut self, bytes: &[u8]) -> Result<(), PackageError> {
        // Before anything is made for each of them.
        let listed = bytes.windows(4).filter(|window| *window == b"PK\x01\x02").count();
        if listed > 10 * ENTRIES_MAX {
            return Err(too_many());
        }
        let broken = |error: zip::result::ZipError| whole(one_line(&error));
        let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
        for number in 0..archive.len() {
            let mut entry = archive.by_index(number).map_err(broken)?;
            let name = entry.name().map_err(broken)?.into_owned();
            let kind = entry.unix_mode().map_or(0, |mode| mode & 0o170_000);
            match kind {
                0o120_000 => return Err(refused(&name, "a package has no symbolic links")),
                0 | 0o040_000 | 0o100_000 => {}
                _ => return Err(refused(&name, "a package has no devices and no pipes")),
            }
            if entry.is_dir() {
                self.folder(&name)?;
                continue;
            }
            let size = entry.size();
            self.file(&name, size, &mut entry)?;
        }
        Ok(())
    }

    /// A name, where nothing else has it; the folders above it are folders.
    fn name<'a>(&mut self, name: &'a str) -> Result<&'a str, PackageError> {
        self.entries += 1;
        if self.entries > ENTRIES_MAX {
            return Err(too_many());
        }
        if name.starts_with('/') {
            return Err(refused(name, "its name is absolute, and a package's are from its folder"));
        }
        if name.split('/').any(|part| part == "..") {
            return Err(refused(name, "its name leads out of the package's folder"));
        }
        Ok(name.strip_prefix("./").unwrap_or(name).trim_end_matches('/'))
    }

    fn folder(&mut self, name: &str) -> Result<(), PackageError> {
        let path = self.name(name)?;
        if path.is_empty() || path == "." {
            return Ok(());
        }
        if !is_plain(path) {
            return Err(refused(name, NOT_PLAIN));
        }
        self.above(&format!("{path}/"), name)
    }

    fn file(&mut self, name: &str, size: u64, content: &mut dyn Read) -> Result<(), PackageError> {
        let path = self.name(name)?.to_owned();
        if !is_plain(&path) {
            return Err(refused(name, NOT_PLAIN));
        }
        if self.files.contains_key(&path) || self.folders.contains(&path) {
            return Err(refused(name, "it is there twice"));
        }
        self.above(&path, name)?;
        let bomb = || {
            refused(
                name,
                &format!(
                    "what is in the archive is more than {UNPACKED_BYTES_MAX} bytes, or more than {RATIO_MAX} times the archive"
                ),
            )
        };
        if size > self.room {
            return Err(bomb());
        }
        let mut bytes = Vec::new();
        let read = content.take(self.room.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|error| refused(name, &one_line(&error)))?;
        let length = bytes.len() as u64;
        self.room = self.room.checked_sub(length).ok_or_else(bomb)?;
        if length != size {
            return Err(refused(name, &format!("it says {size} bytes and has {length}")));
        }
        self.files.insert(path, bytes);
        Ok(())
    }

    /// Notes the folders above a path.
    fn above(&mut self, path: &str, name: &str) -> Result<(), PackageError> {
        for (end, _) in path.match_indices('/') {
            let Some(folder) = path.get(..end) else { continue };
            if self.files.contains_key(folder) {
                return Err(refused(name, "it lies in what is a file"));
            }
            self.folders.insert(folder.to_owned());
        }
        Ok(())
    }
}

const NOT_PLAIN: &str = "its name is none that a package has: parts of up to 255 bytes with / between, without control characters and \\";

/// Without the one folder that everything lies in.
fn lifted(files: BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    let first =
        files.keys().next().and_then(|path| path.split_once('/')).map(|(folder, _)| format!("{folder}/"));
    let Some(prefix) = first.filter(|prefix| files.keys().all(|path| path.starts_with(prefix))) else {
        return files;
    };
    files
        .into_iter()
        .map(|(path, bytes)| (path.strip_prefix(&prefix).unwrap_or(&path).to_owned(), bytes))
        .collect()
}

/// A stream that ends with an error where it must not go on.
struct Bounded<R> {
    stream: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            io::Error::other(format!(
                "what is in it is more than {UNPACKED_BYTES_MAX} bytes, or more than {RATIO_MAX} times the archive"
            ))
        })?;
        Ok(count)
    }
}

/// A `.tar.gz` of files, the same to the last byte whoever makes it and when.
pub fn pack(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, PackageError> {
    let broken = |error: io::Error| whole(one_line(&error));
    let gz = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::best());
    let mut archive = tar::Builder::new(gz);
    archive.mode(tar::HeaderMode::Deterministic);
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_entry_type(EntryType::Regular);
        archive.append_data(&mut header, path, bytes.as_slice()).map_err(broken)?;
    }
    let mut gz = archive.into_inner().map_err(broken)?;
    gz.flush().map_err(broken)?;
    gz.finish().map_err(broken)
}

fn too_many() -> PackageError {
    whole(format!("it has more than {ENTRIES_MAX} files and folders, which is the most"))
}

fn whole(why: String) -> PackageError {
    PackageError::Archive { entry: String::new(), why }
}

fn refused(name: &str, why: &str) -> PackageError {
    PackageError::Archive { entry: name.chars().take(80).collect(), why: why.to_owned() }
}

fn one_line(error: &dyn std::fmt::Display) -> String {
    casemate_protocol::outcome::escape(&error.to_string(), 400)
}
