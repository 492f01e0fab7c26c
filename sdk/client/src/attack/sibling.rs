//! A good plugin beside the attackers, called all the while: it must not notice.

use crate::Plugin;
use casemate_protocol::outcome::Failure;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Between two of its calls.
const PAUSE: Duration = Duration::from_millis(2);

/// The calls of a good plugin.
#[derive(Debug)]
pub struct Sibling {
    stop: Arc<AtomicBool>,
    calls: tokio::task::JoinHandle<Result<u64, Failure>>,
}

impl Sibling {
    /// Calls `method`, which answers what it gets, until it is stopped. The deadline is that of the plugin's policy, and
    /// a call that misses it, or gets another answer, is the last one.
    pub fn start(plugin: Plugin, method: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let calls = tokio::spawn(async move {
            let mut done = 0;
            while !stopped.load(Ordering::Relaxed) || done == 0 {
                let body = format!("[{done}]").into_bytes();
                let answer = plugin.call_raw(method, &body).await?;
                if answer != body {
                    break;
                }
                done += 1;
                tokio::time::sleep(PAUSE).await;
            }
            Ok(done)
        });
        Self { stop, calls }
    }

    /// How many of its calls were answered, or why one was not; `None` if an answer was not its own.
    pub async fn finish(self) -> Result<Option<u64>, Failure> {
        let disturbed = self.calls.is_finished();
        self.stop.store(true, Ordering::Relaxed);
        match self.calls.await {
            Ok(Ok(calls)) => Ok((!disturbed).then_some(calls)),
            Ok(Err(failure)) => Err(failure),
            Err(_stopped) => Ok(None),
        }
    }
}
