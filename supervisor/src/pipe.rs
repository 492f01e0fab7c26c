//! A bounded stream of bytes between a call and whoever reads or writes with it. One end waits while it is full, the other
//! while it is empty; a third may watch, and is told of both.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The other end will not read any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody reads this stream any more")]
pub struct Closed;

/// A stream of bytes with one writer and one reader.
#[derive(Debug)]
pub struct Pipe {
    state: Mutex<State>,
    has_bytes: Notify,
    has_room: Notify,
    bytes_max: usize,
    watcher: Option<Arc<Notify>>,
}

#[derive(Debug, Default)]
struct State {
    bytes: VecDeque<u8>,
    is_ended: bool,
    is_closed: bool,
    /// Bytes that were read since this was last asked.
    taken: usize,
}

impl Pipe {
    /// An empty one that holds so many bytes.
    pub fn new(bytes_max: usize) -> Self {
        let (has_bytes, has_room) = (Notify::new(), Notify::new());
        Self { state: Mutex::default(), has_bytes, has_room, bytes_max, watcher: None }
    }

    /// As [`Pipe::new`]; the watcher is told whenever something is written, read or over.
    pub fn watched(bytes_max: usize, watcher: Arc<Notify>) -> Self {
        Self { watcher: Some(watcher), ..Self::new(bytes_max) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.has_bytes.notify_one();
        self.has_room.notify_one();
        if let Some(watcher) = &self.watcher {
            watcher.notify_one();
        }
    }

    /// Waits for bytes and takes at most so many; none at the end.
    ///
    /// Cancel safety: dropping the future loses nothing.
    pub async fn read(&self, bytes_max: usize) -> Vec<u8> {
        loop {
            let bytes = self.take(bytes_max);
            if !bytes.is_empty() || self.is_over() {
                return bytes;
            }
            self.has_bytes.notified().await;
        }
    }

    /// Takes what is here, at most so many bytes.
    pub fn take(&self, bytes_max: usize) -> Vec<u8> {
        let mut state = self.lock();
        let count = state.bytes.len().min(bytes_max);
        let bytes: Vec<u8> = state.bytes.drain(..count).collect();
        state.taken += count;
        drop(state);
        if count > 0 {
            self.tell();
        }
        bytes
    }

    /// How much was read since this was last asked.
    pub fn taken(&self) -> usize {
        std::mem::take(&mut self.lock().taken)
    }

    /// Whether everything has been written and read.
    pub fn is_over(&self) -> bool {
        let state = self.lock();
        state.is_closed || (state.is_ended && state.bytes.is_empty())
    }

    /// Writes all of it, waiting for room.
    ///
    /// Cancel safety: after dropping the future an unknown part of it has been written.
    pub async fn write(&self, mut bytes: &[u8]) -> Result<(), Closed> {
        while !bytes.is_empty() {
            let count = {
                let mut state = self.lock();
                if state.is_closed || state.is_ended {
                    return Err(Closed);
                }
                let count = self.bytes_max.saturating_sub(state.bytes.len()).min(bytes.len());
                let (now, later) = bytes.split_at(count);
                state.bytes.extend(now);
                bytes = later;
                count
            };
            if count > 0 {
                self.tell();
            } else {
                self.has_room.notified().await;
            }
        }
        Ok(())
    }

    /// Writes without waiting: whoever calls this has made sure of the room in another way.
    pub fn push(&self, bytes: &[u8]) {
        let mut state = self.lock();
        if !state.is_closed && !state.is_ended {
            state.bytes.extend(bytes);
        }
        drop(state);
        self.tell();
    }

    /// Nothing more will be written.
    pub fn end(&self) {
        self.lock().is_ended = true;
        self.tell();
    }

    /// Nothing more will be read: what is in it is gone.
    pub fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.bytes = VecDeque::new();
        drop(state);
        self.tell();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    #[test]
    fn a_writer_waits_for_its_reader() {
        block_on(async {
            let pipe = Arc::new(Pipe::new(4));
            let writing = {
                let pipe = Arc::clone(&pipe);
                tokio::spawn(async move {
                    pipe.write(b"abcdefghij").await.unwrap();
                    pipe.end();
                })
            };
            tokio::task::yield_now().await;
            assert!(!writing.is_finished(), "ten bytes do not fit into four");
            let mut seen = Vec::new();
            loop {
                let bytes = pipe.read(3).await;
                if bytes.is_empty() {
                    break;
                }
                assert!(bytes.len() <= 3);
                seen.extend(bytes);
            }
            assert_eq!((seen.as_slice(), pipe.taken()), (&b"abcdefghij"[..], 10));
            writing.await.unwrap();
        });
    }

    #[test]
    fn a_closed_stream_ends_its_writer() {
        block_on(async {
            let pipe = Arc::new(Pipe::new(1));
            let writing = {
                let pipe = Arc::clone(&pipe);
                tokio::spawn(async move { pipe.write(b"ab").await })
            };
            tokio::task::yield_now().await;
            pipe.close();
            assert_eq!(writing.await.unwrap(), Err(Closed));
            assert!(pipe.read(1).await.is_empty());
        });
    }
}
