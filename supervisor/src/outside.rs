//! What a worker with WASI is given of the host: folders, opened here, and the values of its variables.

use crate::memfd;
use crate::process::control::broken;
use crate::process::stub::off_the_standard_descriptors;
use crate::store::{Store, give_to};
use casemate_protocol::ids::PluginName;
use casemate_protocol::outcome::{Cause, Failure, escape};
use casemate_protocol::policy::{Policy, Storage, Variable};
use casemate_protocol::spawn::{Folder, Identity, WasiOrder, WasiSpec, encode_file};
use rustix::fs::{CWD, Mode, OFlags, openat};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// A plugin's world, on its way to its zygote.
#[derive(Debug)]
pub(crate) struct Outside {
    pub(crate) order: WasiOrder,
    spec: OwnedFd,
    folders: Vec<OwnedFd>,
    /// Whether the first of them is the plugin's own.
    has_vfs: bool,
}

impl Outside {
    /// Opens what a policy grants. Folders are opened without a right to anything in them: whether their files may be read is
    /// between the kernel and the plugin's own user.
    pub(crate) fn open(name: &PluginName, policy: &Policy, store: Option<&Store>) -> Result<Self, Failure> {
        let failed = |error| broken("passing on what a plugin sees of the host", error);
        let mut spec = WasiSpec {
            // As a program finds it anywhere: the name of its file.
            args: std::iter::once(format!("{name}.wasm")).chain(policy.args().iter().cloned()).collect(),
            env: policy.env().iter().filter_map(value_of).collect(),
            folders: Vec::new(),
        };
        let mut folders = Vec::new();
        let has_vfs = policy.storage() == Storage::Vfs;
        if has_vfs {
            let Some(store) = store else {
                let message = "storage = \"vfs\" needs a state directory, and this supervisor was given none"
                    .to_owned();
                return Err(Failure::not_started(Cause::Configuration { message }));
            };
            folders.push(store.vfs().map_err(|error| error.not_loaded())?);
            spec.folders.push(Folder { guest: "/".to_owned(), write: true, own: true });
        }
        for folder in policy.filesystem() {
            folders.push(open_folder(&folder.host)?);
            let (guest, write) = (folder.guest.clone(), folder.write);
            spec.folders.push(Folder { guest, write, own: false });
        }
        let bytes = encode_file(&spec).map_err(failed)?;
        let order = WasiOrder {
            spec_bytes: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            folders: u32::try_from(folders.len()).unwrap_or(u32::MAX),
        };
        let spec = memfd::sealed("casemate-outside", &bytes)
            .map_err(|error| broken("passing on what a plugin sees of the host", error))?;
        Ok(Self { order, spec, folders, has_vfs })
    }

    /// Gives a plugin's own files to the user that it runs as.
    pub(crate) fn give_to(&self, identity: Option<Identity>) -> Result<(), Failure> {
        match (self.folders.first().filter(|_| self.has_vfs), identity) {
            (Some(vfs), Some(identity)) => {
                give_to(vfs.as_fd(), identity).map_err(|error| broken("giving a plugin its own files", error))
            }
            _ => Ok(()),
        }
    }

    /// Behind the module, in the order's packet.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        std::iter::once(self.spec.as_fd()).chain(self.folders.iter().map(AsFd::as_fd))
    }
}

fn open_folder(path: &Path) -> Result<OwnedFd, Failure> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = openat(CWD, path, flags, Mode::empty()).map_err(std::io::Error::from);
    opened.and_then(off_the_standard_descriptors).map_err(|error| {
        let path = escape(&path.display().to_string(), 512);
        let message = format!("permissions.filesystem names it, and it is no folder to be opened: {error}");
        Failure::not_started(Cause::File { path, message })
    })
}

/// A variable with its value; the host's own where the policy says none.
#[expect(
    clippy::disallowed_methods,
    reason = "this is where the host's environment is read, for what a policy names"
)]
pub(crate) fn value_of(variable: &Variable) -> Option<(String, String)> {
    let value = variable.value.clone().or_else(|| std::env::var(&variable.name).ok())?;
    Some((variable.name.clone(), value))
}
