//! The machine's clock is set by an hour, forward and back, while deadlines, pauses and rates run. They run on.

use super::is_here;
use casemate::policy::{MethodLimits, Rate};
use casemate::{Cause, Plugin, PolicySpec, State};
use casemate_tests::processes::{self, Found};
use casemate_tests::{block_on, casemate, guests, is_root, policy, skip};
use rustix::process::Signal;
use rustix::time::{ClockId, clock_gettime, clock_settime};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

const HOUR_SECONDS: i64 = 3600;
const HALF_AN_HOUR: Duration = Duration::from_secs(1800);
/// Only a limit for tests that hang: the machine is emulated.
const PATIENCE: Duration = Duration::from_secs(300);
/// The longest that there is.
const GRACE: Duration = Duration::from_secs(60);

/// The machine's clock, which is right again when this is dropped: the machine has other suites to run.
struct Clock {
    off_by_hours: AtomicI64,
}

impl Clock {
    /// `None`, said by name, where it is not ours to set.
    fn take(test: &str) -> Option<Arc<Self>> {
        if !is_here(test) {
            return None;
        }
        if !is_root() {
            skip(test, "it takes root to set the clock");
            return None;
        }
        Some(Arc::new(Self { off_by_hours: AtomicI64::new(0) }))
    }

    fn jump(&self, hours: i64) {
        self.off_by_hours.fetch_add(hours, Ordering::Relaxed);
        set(hours);
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        set(-self.off_by_hours.load(Ordering::Relaxed));
    }
}

fn set(hours: i64) {
    let mut time = clock_gettime(ClockId::Realtime);
    let before = time.tv_sec;
    time.tv_sec += hours * HOUR_SECONDS;
    clock_settime(ClockId::Realtime, time).unwrap();
    let moved = clock_gettime(ClockId::Realtime).tv_sec - before;
    assert!((moved - hours * HOUR_SECONDS).abs() < HOUR_SECONDS / 2, "the clock has not jumped: {moved} s");
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn patient(spec: &mut PolicySpec) {
    spec.limits.call_timeout = PATIENCE;
    spec.limits.grace = GRACE;
}

async fn kill_zygote(marker: &str) {
    let [_, zygotes, _] = processes::by_kind(marker);
    let [Found { pid, .. }] = zygotes.as_slice() else { panic!("{zygotes:?}") };
    zygotes[0].signal(Signal::KILL);
    let folder = format!("/proc/{pid}");
    until("the zygote goes", || !std::path::Path::new(&folder).exists()).await;
}

/// A call that never ends by itself, while the clock jumps.
async fn spin(plugin: &Plugin, meanwhile: impl FnOnce()) -> casemate::Failure {
    let spinning = plugin.clone();
    let call = tokio::spawn(async move { spinning.call::<_, u64>("spin", &json!({})).await });
    until("it spins", || plugin.status().busy == 1).await;
    meanwhile();
    call.await.unwrap().unwrap_err()
}

#[test]
fn deadlines_come_neither_early_nor_late() {
    let Some(clock) = Clock::take("clocks::deadlines_come_neither_early_nor_late") else { return };
    block_on(async {
        let casemate = casemate();
        let sets = Arc::clone(&clock);
        casemate.on("jump", move |hours: i64| {
            sets.jump(hours);
            async move { Ok(hours) }
        });
        let policy = policy(|spec| {
            patient(spec);
            spec.host = vec!["jump".into()];
            let soon = MethodLimits { call_timeout: Some(Duration::from_secs(1)), ..MethodLimits::default() };
            spec.methods.insert("spin".into(), soon);
        });
        let plugin = casemate.load(guests::rust("probe"), policy).await.unwrap();
        // Much time is left, however late it seems to be.
        for hours in [1, -2, 1] {
            let asked = json!({"method": "jump", "payload": hours});
            assert_eq!(plugin.call::<_, Value>("host", &asked).await.unwrap(), json!(hours));
        }
        for hours in [-1, 1] {
            let failure = spin(&plugin, || clock.jump(hours)).await;
            let Cause::SoftTimeout { limit_ms: 1000, observed_ms } = failure.cause else {
                panic!("{failure}")
            };
            assert!((1000..1_800_000).contains(&observed_ms), "{observed_ms}");
        }
    });
}

#[test]
fn a_stopped_worker_is_killed_whatever_the_clock_says() {
    let Some(clock) = Clock::take("clocks::a_stopped_worker_is_killed_whatever_the_clock_says") else {
        return;
    };
    block_on(async {
        let casemate = casemate();
        let policy = policy(|spec| {
            spec.limits.call_timeout = Duration::from_secs(10);
            spec.limits.grace = Duration::from_secs(1);
        });
        let plugin = casemate.load(guests::rust("probe"), policy).await.unwrap();
        for hours in [-1, 1] {
            let failure = spin(&plugin, || {
                for worker in &processes::by_kind(&casemate.marker())[2] {
                    worker.signal(Signal::STOP);
                }
                clock.jump(hours);
            })
            .await;
            assert_eq!(failure.code(), "timeout.hard", "{failure}");
        }
    });
}

#[test]
fn pauses_and_crashes_are_as_old_as_they_are() {
    let Some(clock) = Clock::take("clocks::pauses_and_crashes_are_as_old_as_they_are") else { return };
    block_on(async {
        let (long, short) = (casemate(), casemate());
        let pausing = policy(|spec| {
            patient(spec);
            (spec.restart.first, spec.restart.max) = (HALF_AN_HOUR, HALF_AN_HOUR);
            spec.restart.within = HALF_AN_HOUR;
        });
        let plugin = long.load(guests::wat("minimal"), pausing).await.unwrap();
        kill_zygote(&long.marker()).await;
        until("it pauses", || plugin.status().state == State::Backoff).await;
        let waiting = plugin.clone();
        let call = tokio::spawn(async move { waiting.call_raw("m", b"x").await });
        until("a call waits", || plugin.status().waiting == 1).await;
        clock.jump(1);

        // A pause that seems to begin in the future ends all the same. Meanwhile the other one could end, if it did.
        let starting = policy(|spec| {
            patient(spec);
            spec.restart.first = Duration::from_millis(500);
        });
        let other = short.load(guests::wat("minimal"), starting).await.unwrap();
        kill_zygote(&short.marker()).await;
        until("the other one notices", || other.status().last_crash.is_some()).await;
        clock.jump(-2);
        assert_eq!(other.call_raw("m", b"y").await.unwrap(), b"y");

        let status = plugin.status();
        assert_eq!((status.state, status.waiting, status.crashes), (State::Backoff, 1, 1), "{status:?}");
        assert!(
            status.retry_in.is_some_and(|left| left > Duration::ZERO && left < 2 * HALF_AN_HOUR),
            "{status:?}"
        );
        plugin.reset().await.unwrap();
        assert_eq!(call.await.unwrap().unwrap(), b"x");
    });
}

#[test]
fn rates_count_within_their_windows() {
    let Some(clock) = Clock::take("clocks::rates_count_within_their_windows") else { return };
    block_on(async {
        let casemate = casemate();
        casemate.on("hello", |_: Value| async { Ok(1) });
        let rate = |count, window| {
            policy(|spec| {
                patient(spec);
                spec.host = vec!["hello".into()];
                spec.limits.host_calls = Some(Rate { count, window });
            })
        };
        let answered = async |plugin: &Plugin, calls: u64| {
            let asked = json!({"method": "hello", "n": calls});
            plugin.call::<_, Value>("host_loop", &asked).await.unwrap()["answered"].as_u64().unwrap()
        };
        let long = casemate.load(guests::rust("probe"), rate(2, HALF_AN_HOUR)).await.unwrap();
        assert_eq!(answered(&long, 3).await, 2);
        clock.jump(1);
        assert_eq!(answered(&long, 1).await, 0, "the window has not passed");

        let short = casemate.load(guests::rust("probe"), rate(1, Duration::from_millis(500))).await.unwrap();
        assert_eq!(answered(&short, 1).await, 1);
        clock.jump(-1);
        let end = Instant::now() + PATIENCE;
        while answered(&short, 1).await == 0 {
            assert!(Instant::now() < end, "the window never passes");
        }
    });
}
