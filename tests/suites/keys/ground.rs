//! What a row stands on: a folder with a policy file in which its key is set.

use casemate::{Builder, Casemate, Cause, Configuration, Failure, HostError, LoadError, Plugin};
use casemate_tests::scratch::Scratch;
use casemate_tests::{guests, processes};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What a row answers whose machine cannot have what it needs; it has said so by name.
pub(crate) const SKIPPED: &str = "skipped";

/// For what takes milliseconds, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(60);

type Crossing = Pin<Box<dyn Future<Output = String>>>;

/// A key, how it is set, how it is crossed, and what must come of it.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) key: &'static str,
    /// Lines below `[plugins.p]`, or a whole file if they begin with a table or a `version`.
    pub(crate) set: &'static str,
    pub(crate) cross: fn(Ground) -> Crossing,
    pub(crate) outcome: &'static str,
}

pub(crate) struct Ground {
    key: &'static str,
    set: &'static str,
    folder: Scratch,
    /// What plugins have logged.
    pub(crate) logged: Arc<Mutex<Vec<String>>>,
    casemate: Mutex<Option<Casemate>>,
}

impl Ground {
    pub(crate) fn new(row: &Row) -> Self {
        let (folder, logged) = (Scratch::new(), Arc::default());
        Self { key: row.key, set: row.set, folder, logged, casemate: Mutex::new(None) }
    }

    pub(crate) fn key(&self) -> &'static str {
        self.key
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn set(&self) -> &'static str {
        self.set
    }

    /// The file, with a module unless the row names its own.
    pub(crate) fn configuration(&self, module: Option<PathBuf>) -> Result<Configuration, String> {
        let is_whole = self.set.starts_with('[') || self.set.starts_with("version");
        let path = module.map(|module| format!("path = {:?}\n", module.display().to_string()));
        let text = if is_whole {
            self.set.to_owned()
        } else {
            // Long, as everywhere: on a busy machine the soft deadline must be seen to work.
            let grace = "[defaults.limits]\ngrace = \"20s\"\n";
            format!("{grace}[plugins.p]\n{}{}", path.unwrap_or_default(), self.set)
        };
        let file = self.folder.join("casemate.toml");
        std::fs::write(&file, text).unwrap();
        Configuration::read(&file).map_err(|error| self.told(&error.to_string()))
    }

    /// Without the folder, which has another name each time.
    fn told(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.folder.display()), "")
    }

    /// Loads the plugin of the file.
    pub(crate) async fn load(&self, module: PathBuf) -> Result<Plugin, String> {
        self.load_with(Some(module), |builder| builder).await
    }

    pub(crate) async fn load_with(
        &self,
        module: Option<PathBuf>,
        change: impl FnOnce(Builder) -> Builder,
    ) -> Result<Plugin, String> {
        let configuration = self.configuration(module)?;
        let logged = Arc::clone(&self.logged);
        let builder = Casemate::builder()
            .configuration(configuration)
            .on_log(move |record| logged.lock().unwrap().push(record.message));
        let casemate = change(builder).build().unwrap();
        casemate.on("clock", |_: Value| async { Ok::<_, HostError>(json!(12)) });
        *self.casemate.lock().unwrap() = Some(casemate.clone());
        casemate.load_named("p").await.map_err(|error| match error {
            LoadError::Config(error) => self.told(&error.to_string()),
            LoadError::Failure(failure) => self.told(&outcome(&failure)),
        })
    }

    pub(crate) async fn probe(&self) -> Plugin {
        self.load(guests::rust("probe")).await.unwrap_or_else(|error| panic!("{}: {error}", self.key))
    }

    /// Hostile native code in the worker's place.
    pub(crate) async fn hostile(&self, behaviour: &str) -> Plugin {
        let change = |builder: Builder| builder.configure(|config| config.use_adversary(behaviour));
        let loaded = self.load_with(Some(guests::wat("minimal")), change).await;
        loaded.unwrap_or_else(|error| panic!("{}: {error}", self.key))
    }

    pub(crate) fn casemate(&self) -> Casemate {
        self.casemate.lock().unwrap().clone().expect("a row loads its plugin first")
    }

    pub(crate) fn marker(&self) -> String {
        self.casemate().marker()
    }

    /// Kills whatever of the plugin is no stub.
    pub(crate) async fn kill_zygote(&self) {
        for found in processes::with_marker(&self.marker()).iter().filter(|found| found.stage() != "stub") {
            found.signal(rustix::process::Signal::KILL);
            let gone = || !std::path::Path::new(&format!("/proc/{}", found.pid)).exists();
            until("a killed process goes", gone).await;
        }
    }
}

pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Code, configured and observed value; of an observed time only that it was long enough.
pub(crate) fn outcome(failure: &Failure) -> String {
    let code = failure.code();
    let no_less = |observed: u64, configured: u64| {
        assert!(observed >= configured, "{failure}");
        "no less"
    };
    match &failure.cause {
        Cause::Limit { limit, configured, observed } if limit.unit() == "ms" => {
            format!("{code} configured {configured} observed {}", no_less(*observed, *configured))
        }
        Cause::Limit { configured, observed, .. } => {
            format!("{code} configured {configured} observed {observed}")
        }
        Cause::SoftTimeout { limit_ms, observed_ms } => {
            format!("{code} configured {limit_ms} observed {}", no_less(*observed_ms, *limit_ms))
        }
        Cause::HardTimeout { limit_ms, grace_ms, observed_ms } => {
            let observed = no_less(*observed_ms, limit_ms + grace_ms);
            format!("{code} configured {limit_ms} and {grace_ms} observed {observed}")
        }
        Cause::GuestError { code, message, .. } => format!("{code}: {message}"),
        _ => failure.to_string(),
    }
}

pub(crate) fn end<T: std::fmt::Debug>(end: Result<T, Failure>) -> String {
    match end {
        Ok(answer) => format!("{answer:?}"),
        Err(failure) => outcome(&failure),
    }
}

/// What an instance says of itself: which of its calls each was.
pub(crate) async fn counts(plugin: &Plugin, calls: usize) -> Vec<u64> {
    let mut counts = Vec::new();
    for _ in 0..calls {
        counts.push(plugin.call::<_, u64>("counter", &()).await.unwrap());
    }
    counts
}
