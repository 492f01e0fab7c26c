//! Daemons: the `casemate serve` command as people start it, and one inside this process for suites that are about
//! something else.

use crate::command::{self, Ran, casemate};
use crate::scratch::Scratch;
use casemate::Casemate;
use casemate::daemon::{Config, Daemon, Listen};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Grants all that a suite's policies may ask for: what a plugin gets is what it asks for then.
pub const GENEROUS: &str = r#"
[defaults.limits]
memory = "2GiB"
tables = 10000000
stack = "1MiB"
call_timeout = "10min"
grace = "20s"
input = "64MiB"
output = "64MiB"
queue = 10000
log = "100MiB/s"
[defaults.permissions]
host = ["*"]
publish = ["**"]
subscribe = ["**"]
[defaults.restart]
within = "1ms"
"#;

/// How long a daemon may take to start or to end, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// `casemate serve`, in a process of its own.
#[derive(Debug)]
pub struct Served {
    child: Child,
    folder: Scratch,
    socket: PathBuf,
    log: Arc<Mutex<Vec<String>>>,
}

impl Served {
    /// Starts one with this configuration; its socket is in a folder of its own.
    pub fn start(configuration: &str) -> Self {
        let folder = Scratch::new();
        let socket = folder.join("casemate.sock");
        Self::start_in(folder, configuration, &socket)
    }

    /// One at this socket.
    pub fn start_at(configuration: &str, socket: &Path) -> Self {
        Self::start_in(Scratch::new(), configuration, socket)
    }

    fn start_in(folder: Scratch, configuration: &str, socket: &Path) -> Self {
        std::fs::write(folder.join("casemate.toml"), configuration).unwrap();
        let (child, log) = spawn(&folder, socket);
        let mut served = Self { child, folder, socket: socket.to_owned(), log };
        served.await_log("listening");
        served
    }

    /// The command, with its socket and its state.
    pub fn command(&self, arguments: &[&str]) -> Ran {
        let state = self.state();
        let there = ["--socket", self.socket.to_str().unwrap(), "--state-dir", state.to_str().unwrap()];
        casemate(&[&there, arguments].concat())
    }

    /// Ends it and starts another in the same place.
    pub fn again(&mut self) {
        self.signal(Signal::TERM);
        self.wait();
        (self.child, self.log) = spawn(&self.folder, &self.socket);
        self.await_log("listening");
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.socket.clone()
    }

    /// Its configuration.
    pub fn configuration(&self) -> PathBuf {
        self.folder.join("casemate.toml")
    }

    /// Its state directory.
    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Its process.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// Waits until it has logged a line with this text.
    pub fn await_log(&mut self, text: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.log().contains(text) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "the daemon ended with {ended:?}: {}", self.log());
            assert!(Instant::now() < end, "nothing of {text:?} in: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid()).unwrap(), signal).unwrap();
    }

    /// Waits until it has ended.
    pub fn wait(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "the daemon does not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A client of it.
    pub async fn connect(&self) -> Casemate {
        Casemate::connect(self.socket()).await.unwrap()
    }
}

/// The command, and the lines of its log as they come.
fn spawn(folder: &Path, socket: &Path) -> (Child, Arc<Mutex<Vec<String>>>) {
    let mut child = Command::new(command::program())
        .arg("serve")
        .args([Path::new("--config"), &folder.join("casemate.toml")])
        .args([Path::new("--socket"), socket])
        .args([Path::new("--state-dir"), &folder.join("state")])
        .args([Path::new("--cache-dir"), &folder.join("cache")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = Arc::new(Mutex::new(Vec::new()));
    let (lines, seen) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&log));
    std::thread::spawn(move || {
        for line in lines.lines().map_while(Result::ok) {
            seen.lock().unwrap().push(line);
        }
    });
    (child, log)
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client of a daemon inside this process, over a real socket. The daemon ends with the runtime.
pub async fn within(configuration: &str) -> Casemate {
    within_at(configuration).await.0
}

/// As [`within`], with its socket.
pub async fn within_at(configuration: &str) -> (Casemate, PathBuf) {
    within_of(configuration, |_| ()).await
}

/// As [`within_at`], set up further.
pub async fn within_of(configuration: &str, change: impl FnOnce(&mut Config)) -> (Casemate, PathBuf) {
    let folder = Scratch::new();
    let file = folder.join("casemate.toml");
    std::fs::write(&file, configuration).unwrap();
    let mut config = Config::default();
    config.configuration = casemate::Configuration::read(&file).unwrap();
    change(&mut config);
    let socket = folder.join("casemate.sock");
    let daemon = Daemon::new(config, Listen::At(socket.clone()), None).unwrap();
    tokio::spawn(async move {
        let _folder = folder;
        daemon.serve(PATIENCE).await;
    });
    (Casemate::connect(&socket).await.unwrap(), socket)
}
