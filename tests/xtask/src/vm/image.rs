//! The files of the machine, as an initramfs: an archive of cpio's "newc" format, which the kernel unpacks into memory.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::problem::Problem;

const FOLDER: u32 = 0o040_755;
const FILE: u32 = 0o100_755;

/// An archive in the making.
#[derive(Debug)]
pub(super) struct Image {
    bytes: Vec<u8>,
    folders: BTreeSet<String>,
    entries: u32,
}

impl Image {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new(), folders: BTreeSet::new(), entries: 0 }
    }

    /// Adds a copy of a file at an absolute path.
    pub(super) fn file(&mut self, path: &str, from: &Path) -> Result<(), Problem> {
        let bytes = fs::read(from).map_err(|error| Problem::file("read", from, &error))?;
        self.text(path, &bytes);
        Ok(())
    }

    /// Adds a file with this content. Every file may be executed.
    pub(super) fn text(&mut self, path: &str, content: &[u8]) {
        self.folders_above(path);
        self.entry(path, FILE, content);
    }

    /// Adds an empty folder.
    pub(super) fn folder(&mut self, path: &str) {
        self.folders_above(&format!("{path}/"));
    }

    /// Ends the archive and writes it.
    pub(super) fn save(mut self, file: &Path) -> Result<(), Problem> {
        self.entry("/TRAILER!!!", 0, &[]);
        let folder = file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(|error| Problem::file("make", folder, &error))?;
        fs::write(file, &self.bytes).map_err(|error| Problem::file("write", file, &error))
    }

    fn folders_above(&mut self, path: &str) {
        for (at, _) in path.match_indices('/').skip(1) {
            let folder = path.split_at(at).0;
            if self.folders.insert(folder.to_owned()) {
                self.entry(folder, FOLDER, &[]);
            }
        }
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) {
        let name = path.trim_start_matches('/');
        self.entries += 1;
        let size = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let name_size = size(name.len() + 1);
        // Inode, mode, owner, group, links, time, size, two devices of two numbers each, size of the name, no checksum.
        let fields = [self.entries, mode, 0, 0, 1, 0, size(content.len()), 0, 0, 0, 0, name_size, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_laid_out_as_the_format_says() {
        let mut image = Image::new();
        image.text("/a", b"hello");
        let (header, rest) = image.bytes.split_at(110);
        let header = std::str::from_utf8(header).unwrap();
        assert!(header.starts_with("07070100000001000081ed"), "{header}");
        assert_eq!(header.get(54..62), Some("00000005"), "the size");
        assert_eq!(header.get(94..102), Some("00000002"), "the name with its end");
        assert_eq!(rest, b"a\0hello\0\0\0");
    }

    #[test]
    fn folders_come_once_and_before_what_is_in_them() {
        let mut image = Image::new();
        image.text("/b/c/d", b"");
        image.text("/b/c/e", b"");
        image.folder("/b/f");
        let text = String::from_utf8_lossy(&image.bytes).into_owned();
        let names: Vec<&str> = ["b\0", "b/c\0", "b/c/d\0", "b/c/e\0", "b/f\0"].to_vec();
        let at: Vec<usize> = names.iter().map(|name| text.find(name).unwrap()).collect();
        assert!(at.is_sorted(), "{at:?}");
        assert_eq!(image.entries, 5);
    }
}
