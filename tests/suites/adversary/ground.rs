//! A hostile worker with WASI that has a folder to read and one to write to, and a folder beside them that it has not.
//!
//! Every file is the worker's own user's, so that no ordinary permission stands before the walls.

use casemate::Casemate;
use casemate::attack::{Attacker, End};
use casemate_tests::scratch::Scratch;
use casemate_tests::{guests, is_root, policy, processes};
use rustix::fs::OFlags;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A hostile worker with a folder to read and one to write to, and a folder beside them.
pub(crate) struct Ground {
    pub(crate) here: Scratch,
    pub(crate) attacker: Attacker,
    /// Whose everything is.
    pub(crate) user: u32,
}

/// A file as it is seen from outside: what, mode, names, seconds of its last change, content.
pub(crate) type Seen = (PathBuf, u32, u64, i64, Vec<u8>);

impl Ground {
    pub(crate) async fn open() -> Self {
        Self::on(Casemate::builder().configure(|config| config.use_adversary("obey")).build().unwrap()).await
    }

    /// Without some walls, which the supervisor lets pass.
    pub(crate) async fn without(walls: &str) -> Self {
        let casemate = Casemate::builder().configure(|config| {
            config.use_adversary_unjudged(&format!("minus-{walls}"), Arc::new(|_| {}));
        });
        Self::on(casemate.build().unwrap()).await
    }

    async fn on(casemate: Casemate) -> Self {
        let here = Scratch::new();
        fs::set_permissions(&*here, Permissions::from_mode(0o777)).unwrap();
        for name in ["ro", "rw", "outside"] {
            fs::create_dir(here.join(name)).unwrap();
        }
        let granted = policy(|spec| {
            spec.limits.call_timeout = Duration::from_secs(30);
            spec.filesystem = ["read:ro=/ro", "write:rw=/rw"]
                .map(|grant| grant.replace(':', &format!(":{}/", here.display())))
                .to_vec();
        });
        let module = fs::read(guests::wasi("reactor")).unwrap();
        let attacker = Attacker::start_in(casemate, &module, granted).await.unwrap();
        assert_ne!(attacker.site(), 0, "it does not take orders");
        let worker = processes::youngest_worker(&attacker.marker()).unwrap();
        let user = processes::user(worker.pid);
        let ground = Self { here, attacker, user };
        ground.renew();
        ground
    }

    /// Makes everything anew in the same three folders.
    pub(crate) fn renew(&self) {
        let at = |name: &str| self.here.join(name);
        let folders = ["ro", "rw", "outside"].map(at);
        for path in all_below(&self.here).filter(|path| !folders.contains(path)).collect::<Vec<_>>() {
            let is_folder = path.symlink_metadata().is_ok_and(|about| about.is_dir());
            let _ = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        }
        for name in ["ro/b", "rw/sub", "outside/empty"] {
            fs::create_dir(at(name)).unwrap();
        }
        for (name, text) in
            [("ro/a.txt", "alpha beta"), ("rw/seed.txt", "seed"), ("outside/secret.txt", "secret")]
        {
            fs::write(at(name), text).unwrap();
        }
        let secret = at("outside/secret.txt");
        symlink("a.txt", at("ro/link.txt")).unwrap();
        symlink("secret.txt", at("outside/link")).unwrap();
        for granted in ["ro", "rw"] {
            symlink("../outside", at(granted).join("out")).unwrap();
            symlink("../outside/secret.txt", at(granted).join("out.txt")).unwrap();
            symlink(&secret, at(granted).join("absolute.txt")).unwrap();
        }
        for path in all_below(&self.here) {
            if is_root() {
                lchown(&path, Some(self.user), Some(self.user)).unwrap();
            }
            let is_link = path.symlink_metadata().unwrap().is_symlink();
            let mode = if path.is_dir() { 0o777 } else { 0o666 };
            if !is_link {
                fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            }
        }
    }

    /// Everything but the folder that may be written to, of which only names.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let look = |path: PathBuf| {
            let about = path.symlink_metadata().unwrap();
            let content = if about.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
            (path, about.mode(), about.nlink(), about.mtime(), content)
        };
        let outside = all_below(&self.here).filter(|path| !path.starts_with(self.here.join("rw")));
        let mut seen: Vec<Seen> = outside.map(look).collect();
        seen.sort();
        seen
    }

    /// Takes every step; how the last one ended.
    pub(crate) async fn take(&self, steps: &[&str]) -> End {
        let mut fd = String::new();
        let (last, before) = steps.split_last().unwrap();
        for step in before {
            let end = self.order(step, &fd).await;
            let End::Answered(said) = &end else { panic!("{steps:?}: {step}: {end:?}") };
            let Some(result) = said.strip_prefix("result ") else { panic!("{steps:?}: {step}: {said}") };
            fd = result.to_owned();
        }
        self.order(last, &fd).await
    }

    async fn order(&self, step: &str, fd: &str) -> End {
        let (read, new) =
            (format!("@hex:{}", "00".repeat(24)), format!("@hex:4100000000000000b601{}", "00".repeat(14)));
        let folder = OFlags::DIRECTORY.bits();
        let order = step
            .replace("{fd}", fd)
            .replace("{here}", &self.here.display().to_string())
            .replace("{how-read}", &read)
            .replace("{how-new}", &new)
            .replace("{folder}", &folder.to_string())
            .replace("{unnamed}", &(OFlags::TMPFILE.bits() | 2).to_string());
        self.attacker.order(&format!("syscall {order}")).await
    }
}

fn all_below(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let mut left: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    std::iter::from_fn(move || {
        let path = left.pop()?;
        if path.symlink_metadata().unwrap().is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        Some(path)
    })
}

/// The kernel did it.
pub(crate) fn went_through(end: &End) -> bool {
    matches!(end, End::Answered(said) if said.starts_with("result "))
}
