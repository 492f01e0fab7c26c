//! What a test of packages stands on: a home of its own, and archives as anybody could make them.

use casemate_tests::command::{self, Ran};
use casemate_tests::scratch::Scratch;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) const NUMBERS: [f64; 3] = [1.0, 2.0, 3.0];

pub(crate) struct Ground {
    folder: Scratch,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let folder = Scratch::new();
        for name in ["home", "run"] {
            std::fs::create_dir(folder.join(name)).unwrap();
        }
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        // As the command names it.
        self.folder.canonicalize().unwrap().join(name).display().to_string()
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> String {
        std::fs::write(self.folder.join(name), bytes).unwrap();
        self.path(name)
    }

    pub(crate) fn folder(&self, name: &str, files: &[(&str, &[u8])]) -> String {
        for (path, bytes) in files {
            let whole = self.folder.join(name).join(path);
            std::fs::create_dir_all(whole.parent().unwrap()).unwrap();
            std::fs::write(whole, bytes).unwrap();
        }
        self.path(name)
    }

    /// A configuration of the user that the command is started as.
    pub(crate) fn configure(&self, text: &str) {
        let folder = self.folder.join("home/.config/casemate");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("casemate.toml"), text).unwrap();
    }

    /// The command, which finds nothing of the machine's user.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(command::program());
        command
            .env_clear()
            .env("HOME", self.folder.join("home"))
            .env("XDG_RUNTIME_DIR", self.folder.join("run"))
            .args([Path::new("--state-dir"), &self.state()])
            .args([Path::new("--cache-dir"), &self.folder.join("cache")])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn ran(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
    }

    pub(crate) fn done(&self, arguments: &[&str]) -> Ran {
        let ran = self.ran(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        ran
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        self.done(&[&["--json"], arguments].concat()).json()
    }

    /// What lies in an installed package.
    pub(crate) fn package(&self, name: &str) -> BTreeMap<String, Vec<u8>> {
        let folder = self.state().join("plugins").join(name).join("package");
        let mut files = BTreeMap::new();
        gather(&folder, &folder, &mut files);
        files
    }

    /// Whether nothing of any plugin is left, nor of its installation.
    pub(crate) fn is_clean(&self) -> bool {
        let empty = |name: &str| {
            std::fs::read_dir(self.state().join(name)).map_or(true, |mut entries| entries.next().is_none())
        };
        empty("plugins") && empty("staging")
    }
}

fn gather(top: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => gather(top, &path, files),
            false => {
                let name = path.strip_prefix(top).unwrap().display().to_string();
                files.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
}

/// One of ours.
pub(crate) fn manifest(id: &str, version: &str, more: &str) -> String {
    let (first, rest) = id.split_at_checked(1).unwrap();
    let name = format!("{}{rest}", first.to_uppercase());
    format!("id = \"{id}\"\nname = \"{name}\"\nversion = \"{version}\"\n{more}")
}

pub(crate) fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn tar_gz(files: &[(&str, &[u8])]) -> Vec<u8> {
    let entries: Vec<_> =
        files.iter().map(|(path, bytes)| (*path, tar::EntryType::Regular, *bytes)).collect();
    gzipped(&tarred(&entries))
}

/// With names and kinds that no honest packer would write.
pub(crate) fn tarred(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (path, kind, content) in entries {
        let mut header = tar::Header::new_ustar();
        let is_link = matches!(kind, tar::EntryType::Symlink | tar::EntryType::Link);
        let name = &mut header.as_old_mut().name;
        name[..path.len()].copy_from_slice(path.as_bytes());
        if is_link {
            header.as_old_mut().linkname[..content.len()].copy_from_slice(content);
        }
        let content = if is_link { &[][..] } else { content };
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(1);
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

pub(crate) fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let entries: Vec<_> = files.iter().map(|(path, bytes)| (*path, 0o100_644, *bytes)).collect();
    zipped_as(&entries)
}

/// With kinds that no honest packer would write: the mode is the file's in Unix.
pub(crate) fn zipped_as(entries: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (path, mode, content) in entries {
        let options =
            zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        match mode & 0o170_000 {
            0o120_000 => writer.add_symlink(*path, String::from_utf8_lossy(content), options).unwrap(),
            _ => {
                writer.start_file(*path, options.unix_permissions(mode & 0o777)).unwrap();
                writer.write_all(content).unwrap();
            }
        }
    }
    writer.finish().unwrap().into_inner()
}
