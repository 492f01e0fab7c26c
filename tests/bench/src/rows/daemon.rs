//! Calls through `casemate serve`: one at a time, and many at once over one connection.

use crate::Outcome;
use crate::baseline::{PAYLOAD_BYTES, PingPong};
use crate::machine::OneCore;
use crate::plugin::guest;
use crate::request::Plan;
use crate::row::{Baseline, Row, Samples, Target, Unit};
use casemate::{Casemate, Plugin, Policy};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: u32 = 300;
/// Calls in a row before it is the baseline's turn again.
const BLOCK: usize = 64;
/// How long the daemon may take to listen.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn measure(plan: &Plan) -> Outcome<Vec<Row>> {
    let _one_core = OneCore::take()?;
    let daemon = Daemon::start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let plugin = runtime.block_on(daemon.plugin())?;
    let mut ping_pong = PingPong::start()?;
    let (mut alone, mut together) = (Vec::new(), Vec::new());
    let (mut beside_alone, mut beside_together) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds(ROUNDS) {
        for _ in 0..BLOCK {
            beside_alone.push(ping_pong.once()?);
        }
        for _ in 0..BLOCK {
            let start = Instant::now();
            runtime.block_on(echo(&plugin))?;
            alone.push(start.elapsed().as_secs_f64() * 1e6);
        }
        let start = Instant::now();
        for _ in 0..BLOCK {
            ping_pong.once()?;
        }
        beside_together.push(each(start));
        let start = Instant::now();
        runtime.block_on(async {
            let calls: Vec<_> = (0..BLOCK).map(|_| tokio::spawn(owned(plugin.clone()))).collect();
            for call in calls {
                call.await??;
            }
            Outcome::Ok(())
        })?;
        together.push(each(start));
    }
    let row = |what, samples: Vec<f64>, baseline: Vec<f64>, most, note: &str| Row {
        what,
        unit: Unit::Micros,
        samples: Samples::from_iter(samples),
        baseline: Some(Baseline {
            what: "socketpair ping-pong of two processes",
            samples: Samples::from_iter(baseline),
        }),
        target: Target::Ratio(most),
        certificate: plugin.certificate(),
        note: note.to_owned(),
    };
    Ok(vec![
        row(
            "64-byte call through the daemon, one core",
            alone,
            beside_alone,
            4.0,
            "three processes take part",
        ),
        row(
            "the same, 64 in flight on one connection, each",
            together,
            beside_together,
            2.0,
            "time of all 64 over 64; 2 is half the round trips a second",
        ),
    ])
}

/// Of a block's time, one's share; microseconds.
fn each(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e6 / f64::from(u32::try_from(BLOCK).unwrap_or(u32::MAX))
}

async fn echo(plugin: &Plugin) -> Outcome<()> {
    let body = [7; PAYLOAD_BYTES];
    match plugin.call_raw("echo", &body).await? == body {
        true => Ok(()),
        false => Err("the guest answered something else".into()),
    }
}

/// As [`echo`], with an error that can go from task to task.
async fn owned(plugin: Plugin) -> Result<(), String> {
    echo(&plugin).await.map_err(|error| error.to_string())
}

/// `casemate serve`, without a configuration, in a folder of its own.
#[derive(Debug)]
struct Daemon {
    child: Child,
    folder: PathBuf,
}

impl Daemon {
    fn start() -> Outcome<Self> {
        let program = std::env::current_exe()?.with_file_name("casemate");
        let folder = std::env::temp_dir().join(format!("casemate-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let configuration = folder.join("casemate.toml");
        std::fs::write(&configuration, "version = 1\n")?;
        let child = Command::new(&program)
            .arg("serve")
            .arg("--config")
            .arg(&configuration)
            .arg("--socket")
            .arg(folder.join("socket"))
            .arg("--state-dir")
            .arg(folder.join("state"))
            .arg("--cache-dir")
            .arg(folder.join("cache"))
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}; `cargo xtask bench` builds it", program.display()))?;
        Ok(Self { child, folder })
    }

    async fn plugin(&self) -> Outcome<Plugin> {
        let start = Instant::now();
        let casemate = loop {
            match Casemate::connect(self.folder.join("socket")).await {
                Ok(casemate) => break casemate,
                Err(failure) if start.elapsed() > PATIENCE => return Err(failure.into()),
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        Ok(casemate.load(guest()?, Policy::default()).await?)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Its plugins end with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
