//! A folder with the program of the tests in it, and a supervisor to start it.

use casemate::{Casemate, Failure, Plugin, Policy, PolicySpec};
use casemate_tests::scratch::Scratch;
use casemate_tests::skip;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

pub(crate) struct Ground {
    pub(crate) folder: Scratch,
    pub(crate) casemate: Casemate,
    /// What is granted is nowhere near the program's own folder.
    pub(crate) grants: Scratch,
}

impl Ground {
    /// With the program in Python; `None`, and the test skipped by name, where there is no Python.
    pub(crate) fn of(test: &str) -> Option<Self> {
        if !["/usr/local/bin", "/usr/bin", "/bin"]
            .iter()
            .any(|folder| Path::new(folder).join("python3").exists())
        {
            skip(test, "there is no python3: install it");
            return None;
        }
        Some(Self::with(Casemate::embedded().unwrap()))
    }

    /// With a supervisor of one's own.
    pub(crate) fn with(casemate: Casemate) -> Self {
        let folder = Scratch::new();
        // A supervisor that is root gives its programs another user, who must be able to reach them.
        fs::set_permissions(&*folder, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.join("library.py"), include_str!("../../guests-external/library.py")).unwrap();
        fs::set_permissions(folder.join("library.py"), fs::Permissions::from_mode(0o644)).unwrap();
        let grants = Scratch::new();
        fs::set_permissions(&*grants, fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder, casemate, grants }
    }

    /// Loads the program under a policy.
    pub(crate) async fn load(&self, change: impl FnOnce(&mut PolicySpec)) -> Result<Plugin, Failure> {
        let policy = casemate_tests::policy(|spec| {
            // What a call leaves behind is seen by the next.
            spec.isolation = casemate::policy::Isolation::Plugin;
            change(spec);
        });
        self.load_words(&["python3", "library.py"], policy).await
    }

    pub(crate) async fn load_words(&self, words: &[&str], policy: Policy) -> Result<Plugin, Failure> {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        self.casemate.load_external("library", words, &*self.folder, policy).await
    }

    /// A folder to grant, which the program's user may reach, and change if it is to.
    pub(crate) fn granted(&self, name: &str, mode: u32) -> PathBuf {
        let path = self.grants.join(name);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

/// Calls a function of the library.
pub(crate) async fn call(plugin: &Plugin, function: &str, args: Value) -> Result<Value, Failure> {
    plugin.call("library.call", &json!({"function": function, "args": args, "workspace": "/"})).await
}
