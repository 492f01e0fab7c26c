//! Calls that read and write while they are under way: any length, in bounded memory, and both ends wait for one another.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use casemate::{Casemate, Cause, Failure, Plugin, PolicySpec};
use casemate_tests::{block_on, casemate, guests, policy, processes};
use serde_json::Value;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const LENGTH: u64 = 256 << 20;

/// What all processes of a stream may have in memory together, whatever its length.
const MEMORY_BYTES: u64 = 64 << 20;

/// The letter at a place of the text that goes through.
fn letter(at: u64) -> u8 {
    b'a' + u8::try_from((at * 7 + at / 4096) % 26).unwrap()
}

/// So many letters, and then the end, an error or nothing for ever.
struct Source {
    at: Arc<AtomicU64>,
    length: u64,
    then: Then,
}

#[derive(Clone, Copy)]
enum Then {
    End,
    Fail,
    Wait,
}

impl Source {
    fn new(length: u64, then: Then) -> Self {
        Self { at: Arc::default(), length, then }
    }
}

impl AsyncRead for Source {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let at = self.at.load(Ordering::Relaxed);
        let count = (self.length - at).min(to.remaining() as u64);
        if count == 0 {
            return match self.then {
                Then::End => Poll::Ready(Ok(())),
                Then::Fail => Poll::Ready(Err(io::Error::other("the disk is gone"))),
                Then::Wait => Poll::Pending,
            };
        }
        let piece: Vec<u8> = (at..at + count).map(letter).collect();
        to.put_slice(&piece);
        self.at.store(at + count, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

/// Takes so many bytes, looks at each, and then takes no more, or fails.
struct Sink {
    at: Arc<AtomicU64>,
    length: u64,
    then: Then,
}

impl Sink {
    fn new(length: u64, then: Then) -> Self {
        Self { at: Arc::default(), length, then }
    }
}

impl AsyncWrite for Sink {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let at = self.at.load(Ordering::Relaxed);
        let count = (self.length - at).min(bytes.len() as u64);
        if count == 0 {
            return match self.then {
                Then::Wait => Poll::Pending,
                _ => Poll::Ready(Err(io::Error::other("the pipe is broken"))),
            };
        }
        for (offset, byte) in (0..count).zip(bytes) {
            assert_eq!(*byte, letter(at + offset).to_ascii_uppercase(), "byte {}", at + offset);
        }
        self.at.store(at + count, Ordering::Relaxed);
        Poll::Ready(Ok(usize::try_from(count).unwrap()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What this process and all that it has started for plugins have in memory, in bytes.
fn memory() -> u64 {
    processes::family().into_iter().map(processes::resident).sum()
}

async fn herald(change: impl FnOnce(&mut PolicySpec)) -> (Casemate, Plugin) {
    let casemate = casemate();
    let plugin = casemate.load(guests::rust("herald"), policy(change)).await.unwrap();
    (casemate, plugin)
}

fn message(failure: &Failure) -> &str {
    match &failure.cause {
        Cause::Input { message } => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_hundred_and_fifty_six_mebibytes_go_through_in_little_memory() {
    block_on(async {
        // Neither side is held to these; the guest has room for a hundredth of it.
        let (_casemate, plugin) = herald(|spec| {
            spec.limits.input_bytes = 1;
            spec.limits.memory_bytes = 4 << 20;
            spec.limits.call_timeout = Duration::from_secs(600);
        })
        .await;
        let (source, sink) = (Source::new(LENGTH, Then::End), Sink::new(u64::MAX, Then::Wait));
        let at = Arc::clone(&sink.at);
        let over = Arc::new(AtomicBool::new(false));
        let samples = std::thread::spawn({
            let over = Arc::clone(&over);
            move || {
                let mut samples = vec![memory()];
                while !over.load(Ordering::Relaxed) {
                    samples.push(memory());
                    std::thread::sleep(Duration::from_millis(5));
                }
                samples
            }
        });
        let answer = plugin.stream("upper", source, sink).await.unwrap();
        over.store(true, Ordering::Relaxed);
        assert_eq!(answer, (LENGTH.to_string().into_bytes(), true));
        assert_eq!(at.load(Ordering::Relaxed), LENGTH);
        let samples = samples.join().unwrap();
        let most = samples.iter().max().unwrap();
        println!(
            "{} samples, the most {} KiB, the first {} KiB",
            samples.len(),
            most >> 10,
            samples[0] >> 10
        );
        assert!(samples.len() > 100, "{} samples tell nothing", samples.len());
        assert!(*most <= MEMORY_BYTES, "{most} bytes were in memory on the way");
    });
}

#[test]
fn a_reader_that_stalls_stops_the_writer() {
    block_on(async {
        let (_casemate, plugin) = herald(|spec| spec.limits.call_timeout = Duration::from_secs(5)).await;
        let (source, sink) = (Source::new(LENGTH, Then::End), Sink::new(100_000, Then::Wait));
        let (read, written) = (Arc::clone(&source.at), Arc::clone(&sink.at));
        let failure = plugin.stream("upper", source, sink).await.unwrap_err();
        // It waited for its reader until its time was over.
        assert_eq!(failure.code(), "timeout.soft", "{failure}");
        assert_eq!(written.load(Ordering::Relaxed), 100_000);
        // A piece and a pipe of 64 KiB on either side, and what the guest has in hand; with a daemon two windows more.
        let most = if std::env::var_os("CASEMATE_AGAINST").is_none() { 5 << 16 } else { 16 << 16 };
        let under_way = read.load(Ordering::Relaxed) - 100_000;
        assert!(under_way <= most, "{under_way} bytes were under way");
    });
}

#[test]
fn a_plugin_waits_for_input_no_longer_than_its_call_may_run() {
    block_on(async {
        let (_casemate, plugin) = herald(|spec| spec.limits.call_timeout = Duration::from_secs(5)).await;
        let sink = Sink::new(u64::MAX, Then::Wait);
        let written = Arc::clone(&sink.at);
        let failure = plugin.stream("upper", Source::new(10, Then::Wait), sink).await.unwrap_err();
        assert_eq!(failure.code(), "timeout.soft", "{failure}");
        assert_eq!(written.load(Ordering::Relaxed), 10, "what is here is not held back");
    });
}

#[test]
fn an_end_that_breaks_is_told() {
    block_on(async {
        let (_casemate, plugin) = herald(|_| ()).await;
        let broken = Sink::new(1000, Then::Fail);
        let failure = plugin.stream("upper", Source::new(LENGTH, Then::End), broken).await.unwrap_err();
        assert_eq!(message(&failure), "a stream of this end failed: the pipe is broken");
        let sink = Sink::new(u64::MAX, Then::Wait);
        let failure = plugin.stream("upper", Source::new(1000, Then::Fail), sink).await.unwrap_err();
        assert_eq!(message(&failure), "a stream of this end failed: the disk is gone");
        // The plugin that ignores its reader's end hears of it.
        let failure = plugin.stream("pour", Source::new(0, Then::Wait), Sink::new(0, Then::Fail)).await;
        assert_eq!(message(&failure.unwrap_err()), "a stream of this end failed: the pipe is broken");
        assert_eq!(plugin.status().crashes, 0);
    });
}

#[test]
fn what_a_plugin_does_not_read_is_left() {
    block_on(async {
        let (_casemate, plugin) = herald(|spec| spec.limits.call_timeout = Duration::from_secs(60)).await;
        let sink = Sink::new(0, Then::Fail);
        let (answer, _) = plugin.stream("context", Source::new(10, Then::Wait), sink).await.unwrap();
        let context: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(context["streams"], true);
        let context: Value = plugin.call("context", &()).await.unwrap();
        assert_eq!((&context["streams"], &context["traceparent"]), (&false.into(), &"".into()));
        assert!(context["remaining_ms"].as_u64().unwrap() <= 60_000, "{context}");
    });
}

#[test]
fn a_call_that_is_no_stream_has_none() {
    block_on(async {
        let (_casemate, plugin) = herald(|_| ()).await;
        for method in ["upper", "pour"] {
            let answer = plugin.call::<_, Value>(method, &()).await;
            let told = answer.map_or_else(|failure| failure.to_string(), |answer| answer.to_string());
            assert!(told.contains("no_stream"), "{method}: {told}");
        }
    });
}

#[test]
fn a_stream_that_is_dropped_ends_its_worker() {
    if !casemate_tests::is_embedded("a_stream_that_is_dropped_ends_its_worker") {
        return;
    }
    block_on(async {
        let (casemate, plugin) = herald(|spec| spec.limits.call_timeout = Duration::from_secs(3600)).await;
        let sink = Sink::new(u64::MAX, Then::Wait);
        let written = Arc::clone(&sink.at);
        let calling =
            tokio::spawn(async move { plugin.stream("upper", Source::new(10, Then::Wait), sink).await });
        let end = Instant::now() + Duration::from_secs(60);
        let until = async |holds: &dyn Fn() -> bool| {
            while !holds() {
                assert!(Instant::now() < end, "not within 60 s");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        until(&|| written.load(Ordering::Relaxed) == 10).await;
        calling.abort();
        until(&|| processes::with_marker(&casemate.marker()).is_empty()).await;
    });
}
