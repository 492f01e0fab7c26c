//! `poll_oneoff`, of our own: WASI's would look at files on a thread of its own, and sleep where no deadline reaches it.
//!
//! Files and the two ends of a program's streams are always ready: what a read then waits for, it waits for as any host
//! call does. So only clocks are ever waited for.

use crate::abi::memory_of;
use crate::abi::{Block, read, write};
use crate::guest::State;
use std::time::{Duration, Instant, SystemTime};
use wasmtime::{Caller, Linker};
use wasmtime_wasi::HostMonotonicClock;

const SUBSCRIPTION_BYTES: u32 = 48;
const EVENT_BYTES: u32 = 32;
const CLOCK: u8 = 0;
const REALTIME: u32 = 0;
const ABSOLUTE: u16 = 1;
/// `inval`.
const INVALID: i32 = 28;
/// More subscriptions than descriptors there can be are none of a program's.
const SUBSCRIPTIONS_MAX: i32 = 4096;

/// The guest's monotonic time: since its world was made.
#[derive(Clone, Copy)]
pub(super) struct Monotonic(Instant);

impl Monotonic {
    #[expect(clippy::disallowed_methods, reason = "the guest's clock starts here")]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }
}

impl HostMonotonicClock for Monotonic {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// What a program waits for.
struct Subscription {
    userdata: [u8; 8],
    tag: u8,
    /// From now on, if it is a time.
    due: Duration,
}

/// Puts it in the place of WASI's own, which the linker must allow.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap_async(
        "wasi_snapshot_preview1",
        "poll_oneoff",
        |mut caller: Caller<'_, State>, (subscriptions, events, count, told): (i32, i32, i32, i32)| {
            Box::new(async move { poll(&mut caller, subscriptions, events, count, told).await })
        },
    )?;
    Ok(())
}

async fn poll(
    caller: &mut Caller<'_, State>,
    subscriptions: i32,
    events: i32,
    count: i32,
    told: i32,
) -> wasmtime::Result<i32> {
    if !(1..=SUBSCRIPTIONS_MAX).contains(&count) {
        return Ok(INVALID);
    }
    let memory = memory_of(caller)?;
    let clock = caller.data().around.clock();
    let length = SUBSCRIPTION_BYTES * count.cast_unsigned();
    let block = Block { address: subscriptions.cast_unsigned(), length };
    let wanted: Vec<Subscription> = read(memory, &*caller, block, "what it polls for")?
        .as_chunks::<{ SUBSCRIPTION_BYTES as usize }>()
        .0
        .iter()
        .filter_map(|bytes| subscription(bytes, clock))
        .collect();
    let first = wanted.iter().map(|one| one.due).min().unwrap_or_default();
    if !first.is_zero() {
        tokio::time::sleep(first).await;
    }
    let mut bytes = Vec::new();
    for one in wanted.iter().filter(|one| one.due <= first) {
        bytes.extend_from_slice(&event(one));
    }
    let happened = u32::try_from(bytes.len()).unwrap_or(0);
    let block = Block { address: events.cast_unsigned(), length: happened };
    write(memory, caller, block, &[&bytes], "the events of its poll")?;
    let block = Block { address: told.cast_unsigned(), length: 4 };
    write(memory, caller, block, &[&(happened / EVENT_BYTES).to_le_bytes()], "the number of its events")?;
    Ok(0)
}

fn subscription(bytes: &[u8; SUBSCRIPTION_BYTES as usize], clock: Monotonic) -> Option<Subscription> {
    let (userdata, rest) = bytes.split_first_chunk::<8>()?;
    let tag = *rest.first()?;
    let number = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk::<8>()?));
    let due = if tag == CLOCK {
        let id = u32::from_le_bytes(*bytes.get(16..)?.first_chunk::<4>()?);
        let flags = u16::from_le_bytes(*bytes.get(40..)?.first_chunk::<2>()?);
        let timeout = number(24)?;
        let now = match (flags & ABSOLUTE, id) {
            (0, _) => 0,
            (_, REALTIME) => since_1970(),
            _ => clock.now(),
        };
        Duration::from_nanos(timeout.saturating_sub(now))
    } else {
        Duration::ZERO
    };
    Some(Subscription { userdata: *userdata, tag, due })
}

#[expect(clippy::disallowed_methods, reason = "the guest says a time of the day")]
fn since_1970() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// `userdata, u16 error, u8 type, …, u64 bytes, u16 flags`.
fn event(of: &Subscription) -> [u8; EVENT_BYTES as usize] {
    let mut bytes = [0; EVENT_BYTES as usize];
    let ready = u8::from(of.tag != CLOCK);
    let fields = of.userdata.into_iter().chain([0, 0, of.tag, 0, 0, 0, 0, 0, ready]);
    bytes.iter_mut().zip(fields).for_each(|(place, byte)| *place = byte);
    bytes
}
