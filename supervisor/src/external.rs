//! A native program in place of a module: which file, which folder of its own, and what of the host its root directory has.
//!
//! ```text
//! /usr /bin /lib … /etc/ld.so.cache    what programs are made of         read, execute
//! /plugin                              the program's own folder           read, execute
//! /dev/null /dev/zero /dev/urandom     devices
//! /data /config /tmp                   its files, with storage = "vfs"    read, write
//! as permissions.filesystem says       folders                            read, or write
//! ```
//! Nothing else of the host is there: no /proc, no /home, no socket. Nothing that can be written to can be executed. Without walls
//! (`sandbox = "none"`) it has the host's own root instead, as its user sees that.

use crate::memfd;
use crate::outside::value_of;
use crate::process::control::broken;
use crate::store::{Store, give_to};
use casemate_protocol::outcome::{Cause, Failure, escape};
use casemate_protocol::policy::{Policy, Sandbox, Storage};
use casemate_protocol::spawn::{Identity, MOUNTS_MAX, Mount, MountKind, ProgramSpec, encode_file};
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Reading and entering a folder, for those who are neither its owner nor of its group.
const OTHERS_ENTER: u32 = 0o005;

/// Passing through a folder, for the same.
const OTHERS_PASS: u32 = 0o001;

/// Where a program's own folder is in its root.
const OWN_FOLDER: &str = "/plugin";
/// Where programs without a slash in their names are looked for.
const PATH: [&str; 6] = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"];
/// Folders of programs and libraries: links on hosts with a merged /usr.
const SYSTEM: [&str; 7] = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"];
/// What libraries and programs read of /etc to be found at all.
const SETTINGS: [(&str, MountKind); 3] = [
    ("/etc/ld.so.cache", MountKind::File),
    ("/etc/localtime", MountKind::File),
    ("/etc/alternatives", MountKind::Folder),
];
const DEVICES: [&str; 3] = ["/dev/null", "/dev/zero", "/dev/urandom"];
/// Beside an interpreter's folder of programs, where it is none of the system's.
const SIBLINGS: [&str; 5] = ["lib", "lib64", "libexec", "share", "include"];

/// A native program, as it is written: its words, and the folder that they are relative to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct External {
    words: Vec<String>,
    base: PathBuf,
}

/// A program's order, on its way to its zygote.
#[derive(Debug)]
pub(crate) struct Native {
    file: OwnedFd,
    unwalled: bool,
    writable: Vec<String>,
    /// Its own files, if it has any.
    vfs: Option<OwnedFd>,
}

impl External {
    /// A program and its arguments. The program is a path with a slash, or a name that is looked for in the system's folders;
    /// a path is relative to `base`, and so is an argument that names a file there.
    pub fn new(words: Vec<String>, base: impl Into<PathBuf>) -> Self {
        Self { words, base: base.into() }
    }

    /// Its words, the first of them the program.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// The file that it is named after: its first argument that is a file (a script), else the program.
    pub fn file(&self) -> PathBuf {
        let script = self.words.iter().skip(1).map(|word| self.base.join(word)).find(|path| path.is_file());
        script.or_else(|| self.words.first().map(|word| self.base.join(word))).unwrap_or_default()
    }

    /// Whether the program is there and may be executed. One of its own base need not be there yet: only names are looked up.
    pub fn check_name(&self) -> Result<(), Failure> {
        match self.words.first() {
            Some(word) if word.contains('/') => Ok(()),
            _ => self.program().map(drop),
        }
    }

    /// What a zygote is told of it.
    pub(crate) fn native(&self, policy: &Policy, store: Option<&Store>) -> Result<Native, Failure> {
        let (spec, vfs) = match policy.sandbox() {
            Sandbox::Walled => self.spec(policy, store)?,
            Sandbox::None => (self.unwalled_spec(policy)?, None),
        };
        let bytes = encode_file(&spec).map_err(|error| broken("passing on a program's order", error))?;
        let writable = |mount: &Mount| (mount.kind == MountKind::WritableFolder).then(|| mount.guest.clone());
        Ok(Native {
            file: memfd::sealed("casemate-program", &bytes)
                .map_err(|error| broken("passing on a program's order", error))?,
            unwalled: spec.unwalled,
            writable: spec.mounts.iter().filter_map(writable).collect(),
            vfs,
        })
    }

    /// Where it finds everything where the host has it.
    fn unwalled_spec(&self, policy: &Policy) -> Result<ProgramSpec, Failure> {
        let no_place = |key: &str| {
            wrong(
                key,
                "sandbox = \"none\" gives a program the host's own folders, and none else: leave one of the two out",
            )
        };
        if !policy.filesystem().is_empty() {
            return Err(no_place("permissions.filesystem"));
        }
        if policy.storage() != Storage::None {
            return Err(no_place("storage"));
        }
        let program = self.program()?;
        let own = self.own_folder(&program, is_systems(&program))?;
        own.as_deref().map_or(Ok(()), can_be_reached)?;
        let place = own.as_ref().map_or_else(String::new, |own| own.display().to_string());
        let file = program.display().to_string();
        let args = self.args(&file, own.as_deref(), &place, policy);
        let env = policy.env().iter().filter_map(value_of).collect();
        let folder = if own.is_some() { place } else { "/".to_owned() };
        Ok(ProgramSpec { file, args, env, folder, unwalled: true, ..ProgramSpec::default() })
    }

    fn spec(
        &self,
        policy: &Policy,
        store: Option<&Store>,
    ) -> Result<(ProgramSpec, Option<OwnedFd>), Failure> {
        let program = self.program()?;
        let is_systems = is_systems(&program);
        let own = self.own_folder(&program, is_systems)?;
        let (mut mounts, links) = system();
        let own_folder = own.as_deref().map(|folder| mount(folder, OWN_FOLDER, MountKind::Programs));
        mounts.extend(own_folder);
        let mut file = program.display().to_string();
        if !is_systems {
            match own.as_deref().and_then(|own| program.strip_prefix(own).ok()) {
                Some(below) => file = format!("{OWN_FOLDER}/{}", below.display()),
                None => mounts.extend(around(&program)?),
            }
        }
        let vfs = storage(policy, store, &mut mounts)?;
        for folder in policy.filesystem() {
            let kind = if folder.write { MountKind::WritableFolder } else { MountKind::Folder };
            mounts.push(mount(&folder.host, &folder.guest, kind));
        }
        check(&mounts, &links)?;
        check_apart(&mounts)?;
        let spec = ProgramSpec {
            args: self.args(&file, own.as_deref(), OWN_FOLDER, policy),
            env: policy.env().iter().filter_map(value_of).collect(),
            folder: if own.is_some() { OWN_FOLDER.to_owned() } else { "/".to_owned() },
            file,
            mounts,
            links,
            unwalled: false,
        };
        Ok((spec, vfs))
    }

    /// Its words, with those of the policy behind them; `place` is where it finds its own folder.
    fn args(&self, file: &str, own: Option<&Path>, place: &str, policy: &Policy) -> Vec<String> {
        let own_words = self.words.iter().skip(1).map(|word| self.inside(word, own, place));
        std::iter::once(file.to_owned()).chain(own_words).chain(policy.args().iter().cloned()).collect()
    }

    /// The file that is executed.
    fn program(&self) -> Result<PathBuf, Failure> {
        let Some(word) = self.words.first() else {
            return Err(wrong("external", "it names no program: write [\"PROGRAM\", \"ARGUMENT\", …]"));
        };
        if word.contains('/') {
            let path = self.base.join(word);
            let found = fs::canonicalize(&path).map_err(|error| wrong_file(&path, &error.to_string()))?;
            // Kept as it is written where it is the system's: what a link is called can matter to what it leads to.
            let found = if is_systems(&path) { path } else { found };
            return if is_executable(&found) {
                Ok(found)
            } else {
                Err(wrong_file(
                    &found,
                    "it is no file that may be executed: chmod +x it, or name its interpreter",
                ))
            };
        }
        let found = PATH.iter().map(|folder| Path::new(folder).join(word)).find(|path| is_executable(path));
        found.ok_or_else(|| {
            let looked = PATH.join(", ");
            wrong_file(Path::new(word), &format!("there is no such program in {looked}: write its path"))
        })
    }

    /// The folder of the first argument that is a file, else that of a program which is none of the system's.
    fn own_folder(&self, program: &Path, is_systems: bool) -> Result<Option<PathBuf>, Failure> {
        let script = self.words.iter().skip(1).map(|word| self.base.join(word)).find(|path| path.is_file());
        let Some(file) = script.or_else(|| (!is_systems).then(|| program.to_owned())) else {
            return Ok(None);
        };
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = fs::canonicalize(folder).map_err(|error| wrong_file(folder, &error.to_string()))?;
        if folder == Path::new("/") {
            return Err(wrong_file(&file, "its folder is the whole host: put it into a folder of its own"));
        }
        // A supervisor that is root gives it another user, to whom nothing here belongs.
        let mode = fs::metadata(&folder)
            .map_err(|error| wrong_file(&folder, &error.to_string()))?
            .permissions()
            .mode();
        if rustix::process::geteuid().is_root() && mode & OTHERS_ENTER != OTHERS_ENTER {
            let why = "the user that it runs as cannot enter its folder: chmod o+rx";
            return Err(wrong_file(&folder, why));
        }
        Ok(Some(folder))
    }

    /// An argument as the program is to read it: what is in its own folder is somewhere else for it, at `place`.
    fn inside(&self, word: &str, own: Option<&Path>, place: &str) -> String {
        let moved = || {
            let path = fs::canonicalize(self.base.join(word)).ok()?;
            let below = path.strip_prefix(own?).ok()?;
            Some(format!("{place}/{}", below.display()))
        };
        moved().unwrap_or_else(|| word.to_owned())
    }
}

impl Native {
    /// What goes with its stub's order.
    pub(crate) fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Whether it is to have no walls.
    pub(crate) fn is_unwalled(&self) -> bool {
        self.unwalled
    }

    /// Where in its root it may write.
    pub(crate) fn writable(&self) -> &[String] {
        &self.writable
    }

    /// Gives its own files to the user that it runs as.
    pub(crate) fn give_to(&self, identity: Identity) -> Result<(), Failure> {
        match &self.vfs {
            Some(vfs) => give_to(vfs.as_fd(), identity)
                .map_err(|error| broken("giving a program its own files", error)),
            None => Ok(()),
        }
    }
}

/// Whether a program that has no root of its own can pass through what is above its folder: with one, nothing is.
fn can_be_reached(folder: &Path) -> Result<(), Failure> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let mut closed = Vec::new();
    for above in folder.ancestors().skip(1) {
        let mode =
            fs::metadata(above).map_err(|error| wrong_file(above, &error.to_string()))?.permissions().mode();
        if mode & OTHERS_PASS != OTHERS_PASS {
            closed.push(above.display().to_string());
        }
    }
    if closed.is_empty() {
        return Ok(());
    }
    let why = format!(
        "the user that it runs as cannot pass through {}, and without walls has no other way: put it where everybody may go, \
         such as below /opt, and name it there (external = [\"PROGRAM\", …])",
        closed.join(", ")
    );
    Err(wrong_file(folder, &why))
}

/// What every program finds: the system's programs and libraries, and three devices.
fn system() -> (Vec<Mount>, Vec<(String, String)>) {
    let (mut mounts, mut links) = (Vec::new(), Vec::new());
    for name in SYSTEM {
        let place = format!("/{name}");
        let path = Path::new(&place);
        match fs::read_link(path) {
            Ok(target) => {
                // Relative to the root, which becomes another one.
                let target = target.display().to_string();
                links.push((place, target.trim_start_matches('/').to_owned()));
            }
            Err(_) if path.is_dir() => mounts.push(mount(path, &place, MountKind::Programs)),
            Err(_) => {}
        }
    }
    let settings = SETTINGS.iter().filter(|(place, _)| Path::new(place).exists());
    mounts.extend(settings.map(|(place, kind)| mount(Path::new(place), place, *kind)));
    mounts.extend(DEVICES.iter().map(|place| mount(Path::new(place), place, MountKind::Device)));
    (mounts, links)
}

/// The folders of an interpreter that is none of the system's: where it is, and what is beside `bin`.
fn around(program: &Path) -> Result<Vec<Mount>, Failure> {
    let folder = program.parent().unwrap_or(Path::new("/"));
    let Some(prefix) = folder.parent() else {
        return Err(wrong_file(program, "its folder is the whole host: put it into a folder of its own"));
    };
    let mut folders = vec![folder.to_owned()];
    if folder.file_name().is_some_and(|name| name == "bin") {
        folders.extend(SIBLINGS.iter().map(|name| prefix.join(name)).filter(|path| path.is_dir()));
    }
    Ok(folders.iter().map(|path| mount(path, &path.display().to_string(), MountKind::Programs)).collect())
}

/// Its own files.
fn storage(
    policy: &Policy,
    store: Option<&Store>,
    mounts: &mut Vec<Mount>,
) -> Result<Option<OwnedFd>, Failure> {
    if policy.storage() != Storage::Vfs {
        return Ok(None);
    }
    let Some(store) = store else {
        let why = "it is \"vfs\", which needs a state directory, and this supervisor was given none";
        return Err(wrong("storage", why));
    };
    let vfs = store.vfs().map_err(|error| error.not_loaded())?;
    let place = store.vfs_path();
    for name in ["data", "config", "tmp"] {
        mounts.push(mount(&place.join(name), &format!("/{name}"), MountKind::WritableFolder));
    }
    Ok(Some(vfs))
}

/// Nothing stands below anything else: what is there could be a link by then, and lead somewhere else.
fn check(mounts: &[Mount], links: &[(String, String)]) -> Result<(), Failure> {
    if mounts.len() > MOUNTS_MAX {
        return Err(wrong("permissions.filesystem", "it has too many folders"));
    }
    let places = || mounts.iter().map(|mount| &mount.guest).chain(links.iter().map(|(name, _)| name));
    for (at, place) in places().enumerate() {
        let plain =
            place.starts_with('/') && Path::new(place).components().count() > 1 && !place.contains("//");
        if !plain || place.ends_with('/') {
            let why = format!("{place} is no place in a program's root: write an absolute path other than /");
            return Err(wrong("permissions.filesystem", &why));
        }
        let clash = places().enumerate().find(|(other_at, other)| {
            let below = place.strip_prefix(other.as_str());
            *other_at != at && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        if let Some((_, other)) = clash {
            let why = format!(
                "{place} is where {other} is already in a program's root: name another place, as read:/HOST={place}-2"
            );
            return Err(wrong("permissions.filesystem", &why));
        }
    }
    Ok(())
}

/// What can be written to is nowhere that programs are executed from: the same folder under two names would be both.
fn check_apart(mounts: &[Mount]) -> Result<(), Failure> {
    let of = |kind: MountKind| mounts.iter().filter(move |mount| mount.kind == kind);
    let real = |mount: &Mount| fs::canonicalize(&mount.host).unwrap_or_else(|_| PathBuf::from(&mount.host));
    for written in of(MountKind::WritableFolder) {
        let path = real(written);
        let clash = of(MountKind::Programs).find(|programs| {
            let programs = real(programs);
            path.starts_with(&programs) || programs.starts_with(&path)
        });
        if let Some(programs) = clash {
            let why = format!(
                "{} may be written to, and {} is where its programs lie: what is written could be executed; use a folder \
                 that is not below the other",
                written.host, programs.host
            );
            return Err(wrong("permissions.filesystem", &why));
        }
    }
    Ok(())
}

fn mount(host: &Path, guest: &str, kind: MountKind) -> Mount {
    Mount { host: host.display().to_string(), guest: guest.to_owned(), kind }
}

fn is_systems(path: &Path) -> bool {
    let top = path.strip_prefix("/").ok().and_then(|path| path.components().next());
    top.is_some_and(|top| SYSTEM.iter().any(|name| top.as_os_str() == *name))
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

fn wrong(key: &str, why: &str) -> Failure {
    Failure::not_started(Cause::Configuration { message: escape(&format!("{key}: {why}"), 1000) })
}

fn wrong_file(path: &Path, why: &str) -> Failure {
    Failure::not_started(Cause::File {
        path: escape(&path.display().to_string(), 512),
        message: why.to_owned(),
    })
}
