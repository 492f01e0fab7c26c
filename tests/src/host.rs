//! Host processes: a suite's own executable, started again to be a host that may be killed or set up badly.
//!
//! A suite has one test named `scenario` that calls [`run`] with its table. It passes at once unless the environment
//! names a scenario, which [`Host::start`] does.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

const SCENARIO: &str = "CASEMATE_SCENARIO";
const ARGUMENT: &str = "CASEMATE_SCENARIO_ARGUMENT";
/// What a host says to its test begins so; everything else on its output is the test runner's.
const MARK: &str = "@@";

/// How long a host may take for one line on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A scenario by name; the text is its argument.
pub type Scenario = (&'static str, fn(&str));

/// Runs the scenario that the environment names, if it names one.
pub fn run(scenarios: &[Scenario]) {
    let Ok(name) = std::env::var(SCENARIO) else { return };
    let argument = std::env::var(ARGUMENT).unwrap_or_default();
    let (_, scenario) = scenarios.iter().find(|(known, _)| *known == name).expect("a scenario of this suite");
    scenario(&argument);
}

/// Says a line to the test.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "\n{MARK}{line}");
    let _ = out.flush();
}

/// Blocks until the test says go on, or is gone.
pub fn await_word() {
    let _ = std::io::stdin().read_line(&mut String::new());
}

/// A host process of our own.
#[derive(Debug)]
pub struct Host {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Host {
    /// Starts this executable as a host that runs a scenario.
    pub fn start(scenario: &str, argument: &str) -> Self {
        let executable = std::env::current_exe().unwrap();
        Self::start_by(Command::new(executable), scenario, argument)
    }

    /// Starts it through a shell line, in which `"$0" "$@"` is the host: `ulimit -n 64; exec "$0" "$@"`.
    pub fn start_in_shell(line: &str, scenario: &str, argument: &str) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(line).arg(std::env::current_exe().unwrap());
        Self::start_by(shell, scenario, argument)
    }

    fn start_by(mut command: Command, scenario: &str, argument: &str) -> Self {
        let mut child = command
            .args(["scenario", "--exact", "--nocapture", "--test-threads=1"])
            .env(SCENARIO, scenario)
            .env(ARGUMENT, argument)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if let Some(said) = line.strip_prefix(MARK) {
                    let _ = sender.send(said.to_owned());
                }
            }
        });
        let stdin = child.stdin.take();
        Self { child, stdin, lines }
    }

    /// The next line it says.
    pub fn line(&mut self) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("the host said nothing for {PATIENCE:?}"),
            Err(RecvTimeoutError::Disconnected) => {
                panic!("the host ended without a word: {:?}", self.child.wait())
            }
        }
    }

    /// Tells it to go on.
    pub fn go_on(&mut self) {
        let stdin = self.stdin.as_mut().expect("a host is told to go on before its stdin is closed");
        let _ = stdin.write_all(b"\n");
    }

    /// Kills it with SIGKILL and waits.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end and says whether all was well.
    pub fn finish(mut self) {
        drop(self.stdin.take());
        let status = self.child.wait().unwrap();
        assert!(status.success(), "the host failed: {:?}, signal {:?}", status.code(), status.signal());
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}
