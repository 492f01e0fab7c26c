//! Calls whose bodies are read and written while they are under way.

use crate::plugin::{Inner, Plugin};
#[cfg(feature = "embedded")]
use casemate_protocol::link::CONTENT_RAW;
use casemate_protocol::outcome::{Cause, Failure};
#[cfg(feature = "embedded")]
use casemate_supervisor::{Bodies, Pipe, Scope};
use std::io;
#[cfg(feature = "embedded")]
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
#[cfg(feature = "embedded")]
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tracing::Instrument;

/// Bytes that wait on either side. Then the plugin waits for its reader, or the input for the plugin.
#[cfg(feature = "embedded")]
const PIPE_BYTES: usize = 64 << 10;

impl Plugin {
    /// Calls a method that reads its input and writes its output by itself (`stream::read` and `stream::write` of a Rust
    /// plugin), while both are under way. Neither is held to `limits.input` or `limits.output`, and little of them waits in
    /// between: 64 KiB of each, with a daemon what its connection lets be on the way (256 KiB). Returns what the method
    /// answered in the end, once its output has been written and flushed. Input that it did not read is left, but for what
    /// had been taken already.
    ///
    /// The limits of a call hold: `limits.call_timeout` counts the waiting for either side too. After a failure what was
    /// written before may have reached `output`.
    ///
    /// Cancel safety: dropping the future kills the worker that runs the call; nothing else is lost.
    pub async fn stream<R, W>(&self, method: &str, input: R, output: W) -> Result<Vec<u8>, Failure>
    where
        R: AsyncRead + Unpin + Send,
        W: AsyncWrite + Unpin + Send,
    {
        let span = tracing::info_span!("casemate.call", plugin = self.name(), method);
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(plugin) => {
                stream(plugin, self.scope(), method, input, output).instrument(span).await
            }
            #[cfg(feature = "connected")]
            Inner::Connected(remote) => {
                let answer = remote.stream(method, &self.around, input, output).instrument(span).await?;
                Ok(answer.1)
            }
        }
    }
}

#[cfg(feature = "embedded")]
async fn stream(
    plugin: &casemate_supervisor::Plugin,
    scope: Scope,
    method: &str,
    input: impl AsyncRead + Unpin + Send,
    output: impl AsyncWrite + Unpin + Send,
) -> Result<Vec<u8>, Failure> {
    let pipe = || Arc::new(Pipe::new(PIPE_BYTES));
    let bodies = Bodies { input: pipe(), output: pipe() };
    let scope = Scope { bodies: Some(bodies.clone()), ..scope };
    let call = plugin.call_in(&scope, method, CONTENT_RAW, &[]);
    let (reading, writing) = (fill(input, &bodies.input), empty(&bodies.output, output));
    tokio::pin!(call, reading, writing);
    let (mut answer, mut is_read, mut written) = (None, false, None);
    loop {
        tokio::select! {
            biased;
            outcome = &mut call, if answer.is_none() => {
                answer = Some(outcome.map_err(|failure| failed(failure, &written))?);
                bodies.output.end();
            }
            result = &mut reading, if !is_read && answer.is_none() => {
                result.map_err(|error| broken("reading the input", &error))?;
                is_read = true;
            }
            result = &mut writing, if written.is_none() => {
                // The plugin is told so by its next write.
                bodies.output.close();
                written = Some(result);
            }
        }
        match (answer.take(), &written) {
            (Some(answer), Some(Ok(()))) => return Ok(answer.body),
            (Some(_), Some(Err(error))) => return Err(broken("writing the output", error)),
            (unfinished, _) => answer = unfinished,
        }
    }
}

/// A call that failed because nobody took its output failed of that.
#[cfg(feature = "embedded")]
fn failed(failure: Failure, written: &Option<io::Result<()>>) -> Failure {
    match written {
        Some(Err(error)) => broken("writing the output", error),
        _ => failure,
    }
}

/// An end of a stream of this process's failed.
pub(crate) fn broken(what: &str, error: &io::Error) -> Failure {
    Failure::maybe_ran(Cause::Input { message: format!("{what} of a stream failed: {error}") })
}

#[cfg(feature = "embedded")]
async fn fill(mut input: impl AsyncRead + Unpin, pipe: &Pipe) -> io::Result<()> {
    let mut piece = vec![0; PIPE_BYTES];
    loop {
        match input.read(&mut piece).await? {
            0 => {
                pipe.end();
                return Ok(());
            }
            bytes => {
                if pipe.write(piece.get(..bytes).unwrap_or_default()).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
}

#[cfg(feature = "embedded")]
async fn empty(pipe: &Pipe, mut output: impl AsyncWrite + Unpin) -> io::Result<()> {
    loop {
        let piece = pipe.read(PIPE_BYTES).await;
        if piece.is_empty() {
            return output.flush().await;
        }
        output.write_all(&piece).await?;
    }
}
