//! A plugin's life: installed by its own manifest, granted by an operator, killed in the middle of a call, and back.

use casemate::{Casemate, Cause, Configuration, Failure, Plugin};
use casemate_tests::command::{self, Ran};
use casemate_tests::scratch::Scratch;
use casemate_tests::{guests, processes};
use rustix::process::Signal;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A home of its own for the command and for a host that embeds the library.
pub(crate) struct Ground {
    folder: Scratch,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let folder = Scratch::new();
        std::fs::create_dir(folder.join("home")).unwrap();
        Self { folder, lines: Arc::default() }
    }

    /// Puts files of a package together.
    pub(crate) fn package(&self, name: &str, files: &[(&str, &[u8])]) -> PathBuf {
        let folder = self.folder.join(name);
        for (path, bytes) in files {
            let whole = folder.join(path);
            std::fs::create_dir_all(whole.parent().unwrap()).unwrap();
            std::fs::write(whole, bytes).unwrap();
        }
        folder
    }

    /// The command, as a user who has nothing else calls it.
    pub(crate) fn ran(&self, arguments: &[&str]) -> Ran {
        let output = Command::new(command::program())
            .env_clear()
            .env("HOME", self.folder.join("home"))
            .env("XDG_RUNTIME_DIR", self.folder.join("home"))
            .args(["--state-dir".as_ref(), self.folder.join("state").as_os_str()])
            .args(["--cache-dir".as_ref(), self.folder.join("cache").as_os_str()])
            .args(arguments)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
    }

    pub(crate) fn done(&self, arguments: &[&str]) -> Ran {
        let ran = self.ran(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        ran
    }

    /// The folder in which everything of it is.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A host, and what its operator grants.
    pub(crate) fn host(&self, granted: &str) -> Casemate {
        let configuration =
            Configuration::parse(&format!("version = 1\n{granted}"), "casemate.toml").unwrap();
        let lines = Arc::clone(&self.lines);
        Casemate::builder()
            .state_dir(self.folder.join("state"))
            .configuration(configuration)
            .on_log(move |record| lines.lock().unwrap().push(record.message.to_string()))
            .build()
            .unwrap()
    }

    /// What the plugins of its hosts have logged.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// A guest with a manifest of its system's: installed, and found by the name that it has then.
    pub(crate) async fn installed(
        &self,
        casemate: &Casemate,
        manifest: (&str, &str),
        module: &str,
        guest: &str,
        name: &str,
    ) -> Plugin {
        self.installed_file(casemate, manifest, module, &guests::rust(guest), name).await
    }

    /// The same of a module that was made just now.
    pub(crate) async fn installed_file(
        &self,
        casemate: &Casemate,
        manifest: (&str, &str),
        module: &str,
        wasm: &Path,
        name: &str,
    ) -> Plugin {
        let wasm = std::fs::read(wasm).unwrap();
        let folder = self.package(name, &[(manifest.0, manifest.1.as_bytes()), (module, &wasm)]);
        let ran = self.done(&["plugins", "install", folder.to_str().unwrap()]);
        assert!(ran.out.starts_with(&format!("{name} ")), "{ran:?}");
        casemate.load_named(name).await.unwrap()
    }
}

/// Kills the worker in the middle of a call. The caller is told; the next call is answered.
pub(crate) async fn dies_and_comes_back(casemate: &Casemate, plugin: &Plugin, method: &str, input: &Value) {
    dies_in(casemate, async || plugin.call::<_, Value>(method, input).await).await;
}

/// The same, however it is called.
pub(crate) async fn dies_in(casemate: &Casemate, call: impl AsyncFn() -> Result<Value, Failure>) {
    let before = call().await.unwrap();
    let mut died = false;
    // One that is polled may be in the middle of that instead: then it is another's turn that ends, and the call has a new worker.
    for _ in 0..5 {
        let worker = processes::youngest_worker(&casemate.marker()).unwrap();
        worker.signal(Signal::STOP);
        let killing = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            worker.signal(Signal::KILL);
        };
        let (outcome, ()) = tokio::join!(call(), killing);
        if let Err(failure) = outcome {
            assert!(matches!(failure.cause, Cause::WorkerLost { .. }), "{failure}");
            died = true;
            break;
        }
    }
    assert!(died, "no call was killed in five attempts");
    let after = call().await.unwrap();
    assert_eq!(after, before);
}

/// Ends it, and nothing of it is left.
pub(crate) async fn ends(ground: &Ground, casemate: &Casemate, plugin: &Plugin) {
    let (marker, name) = (casemate.marker(), plugin.name().to_owned());
    casemate.shutdown().await;
    processes::await_none(&marker, Duration::from_secs(10));
    ground.done(&["plugins", "remove", &name]);
    assert_eq!(ground.ran(&["plugins", "info", &name]).code, 8);
}
