//! Where the acts are performed: one supervisor, each guest loaded once a policy.

use super::acts::{Act, Expected, GRANTED, SECRET, Setting};
use super::guests::{ECHO, in_short};
use super::table::Row;
use crate::log;
use crate::problem::Problem;
use casemate::{Casemate, Cause, Certificate, Failure, Plugin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// Bytes of log that may get through of a flood: the first second's share, and as much again for the time it takes.
const LOG_BYTES_MAX: u64 = 256 << 10;

/// The stage.
#[derive(Debug)]
pub(super) struct Stage {
    casemate: Casemate,
    seen: Arc<Seen>,
    loaded: Vec<Loaded>,
}

/// What the host saw of its guests.
#[derive(Debug, Default)]
struct Seen {
    log_bytes: AtomicU64,
    secret_told: AtomicBool,
}

#[derive(Debug)]
struct Loaded {
    guest: Vec<u8>,
    setting: Setting,
    plugin: Plugin,
}

impl Stage {
    pub(super) fn new() -> Result<Self, Problem> {
        let seen = Arc::new(Seen::default());
        let logged = Arc::clone(&seen);
        let casemate = Casemate::builder()
            .on_log(move |record| {
                logged.log_bytes.fetch_add(log::bytes(&record), Ordering::Relaxed);
            })
            .build()?;
        casemate.on(GRANTED, |name: String| async move { Ok(format!("hello, {name}")) });
        let told = Arc::clone(&seen);
        casemate.on(SECRET, move |(): ()| {
            told.secret_told.store(true, Ordering::Relaxed);
            async { Ok("the secret") }
        });
        Ok(Self { casemate, seen, loaded: Vec::new() })
    }

    /// Starts the first guest, and says what stands around its worker.
    pub(super) async fn open(&mut self) -> Result<Certificate, Problem> {
        let plugin = self.plugin(ECHO, Setting::Good).await?;
        plugin.call_json_text("echo", b"null").await?;
        Ok(plugin.certificate())
    }

    /// Performs an act, and says what it came to.
    pub(super) async fn perform(&mut self, act: Act) -> Row {
        let load_started = now();
        let plugin = match self.plugin(&act.guest, act.setting).await {
            Ok(plugin) => plugin,
            Err(failure) => return self.row(&act, Err(failure), load_started),
        };
        let call_started = now();
        let called = plugin.call_json_text(act.method, &act.input).await;
        self.row(&act, called.map(|(body, _)| body), call_started)
    }

    pub(super) async fn close(self) {
        self.casemate.shutdown().await;
    }

    async fn plugin(&mut self, guest: &[u8], setting: Setting) -> Result<Plugin, Failure> {
        let known = self.loaded.iter().find(|loaded| loaded.guest == guest && loaded.setting == setting);
        if let Some(loaded) = known {
            return Ok(loaded.plugin.clone());
        }
        let policy = setting
            .policy()
            .map_err(|error| Failure::not_started(Cause::Input { message: error.to_string() }))?;
        let plugin = self.casemate.load(guest, policy).await?;
        self.loaded.push(Loaded { guest: guest.to_vec(), setting, plugin: plugin.clone() });
        Ok(plugin)
    }

    fn row(&self, act: &Act, ended: Result<Vec<u8>, Failure>, started: Instant) -> Row {
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let log_bytes = self.seen.log_bytes.swap(0, Ordering::Relaxed);
        let secret_told = self.seen.secret_told.load(Ordering::Relaxed);
        let as_expected = match (act.expected, &ended) {
            (Expected::Answer, ended) => ended.is_ok(),
            (Expected::LogCapped, ended) => ended.is_ok() && log_bytes > 0 && log_bytes <= LOG_BYTES_MAX,
            (Expected::Code(codes), Err(failure)) => codes.contains(&failure.code().as_str()),
            (Expected::Denied, Err(failure)) => {
                matches!(&failure.cause, Cause::GuestError { code, .. } if code == "denied") && !secret_told
            }
            (Expected::Code(_) | Expected::Denied, Ok(_)) => false,
        };
        let (outcome, detail) = match ended {
            Ok(_) if act.expected == Expected::LogCapped => {
                ("ok".to_owned(), format!("{log_bytes} bytes were kept"))
            }
            Ok(body) => ("ok".to_owned(), in_short(&body)),
            Err(failure) => (failure.code(), casemate::outcome::escape(&failure.cause.to_string(), 400)),
        };
        Row { tried: act.tried, stopped_by: act.stopped_by, outcome, detail, ms, as_expected }
    }
}

#[expect(clippy::disallowed_methods, reason = "the edge: a person is shown how long each act took")]
pub(super) fn now() -> Instant {
    Instant::now()
}
