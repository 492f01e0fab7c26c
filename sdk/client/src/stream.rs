//! Calls whose bodies are still under way.

use crate::plugin::{Inner, Plugin};
use casemate_protocol::link::CONTENT_JSON;
use casemate_protocol::outcome::{Cause, Failure};
#[cfg(feature = "embedded")]
use casemate_supervisor::{Bodies, Pipe, Reply, Scope};
#[cfg(feature = "embedded")]
use std::sync::Arc;
#[cfg(feature = "embedded")]
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
#[cfg(feature = "embedded")]
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tracing::Instrument;

/// Bytes on their way into a plugin, and out of it: whoever is slow stops the other end within that.
#[cfg(feature = "embedded")]
const PIPE_BYTES: usize = 64 << 10;

/// How long a reader may take for what a plugin wrote before it failed.
#[cfg(feature = "embedded")]
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Bytes read or written at once.
pub(crate) const PIECE_BYTES: usize = 32 << 10;

/// A stream of this end failed.
pub(crate) fn failed(error: std::io::Error) -> Failure {
    Failure::maybe_ran(Cause::Input { message: format!("a stream of this end failed: {error}") })
}

impl Plugin {
    /// Calls a method that reads `input` and writes `output` while it runs: bodies may be longer than any limit, and neither
    /// end holds more of them than a window. Returns the method's own answer, and whether that is JSON. A plugin reads and
    /// writes with `stream.read` and `stream.write` of its SDK.
    ///
    /// Cancel safety: dropping the future kills the worker; what has been written stays written.
    pub async fn stream(
        &self,
        method: &str,
        input: impl AsyncRead + Unpin + Send,
        output: impl AsyncWrite + Unpin + Send,
    ) -> Result<(Vec<u8>, bool), Failure> {
        let (span, around) = self.enter(method);
        let (content_type, body) = match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(plugin) => {
                stream_here(plugin, around.scope(), method, input, output).instrument(span).await?
            }
            #[cfg(feature = "connected")]
            Inner::Connected(remote) => {
                remote.stream(method, &around, input, output).instrument(span).await?
            }
        };
        Ok((body, content_type == CONTENT_JSON))
    }
}

#[cfg(feature = "embedded")]
impl Plugin {
    /// Runs a program from its start to its end, its streams passed through, and returns its exit code. Only an embedded
    /// supervisor's plugin that is a WASI program can be run.
    ///
    /// Cancel safety: dropping the future kills the worker; what has been written stays written.
    pub async fn run(
        &self,
        input: impl AsyncRead + Unpin + Send,
        output: impl AsyncWrite + Unpin + Send,
        errors: impl AsyncWrite + Unpin + Send,
    ) -> Result<u32, Failure> {
        match &self.inner {
            Inner::Embedded(plugin) if plugin.is_command() => {
                let reply =
                    pass_through(plugin, self.around.scope(), "run", input, output, Some(errors)).await?;
                Ok(reply.exit_code)
            }
            _ => {
                let message = "it is no program to be run: call one of its methods".to_owned();
                Err(Failure::not_started(Cause::Input { message }))
            }
        }
    }
}

#[cfg(feature = "embedded")]
async fn stream_here(
    plugin: &casemate_supervisor::Plugin,
    scope: Scope,
    method: &str,
    input: impl AsyncRead + Unpin + Send,
    output: impl AsyncWrite + Unpin + Send,
) -> Result<(u32, Vec<u8>), Failure> {
    let reply = pass_through(plugin, scope, method, input, output, None::<tokio::io::Sink>).await?;
    match reply.exit_code {
        0 => Ok((reply.content_type, reply.body)),
        code => {
            let message = format!("it ended with exit code {code}");
            Err(Failure::done(Cause::GuestError { code: "exit".to_owned(), message, retryable: false }))
        }
    }
}

/// Everything that comes through a pipe, until its end.
#[cfg(feature = "embedded")]
async fn drain(pipe: &Pipe, mut to: impl AsyncWrite + Unpin) -> std::io::Result<()> {
    loop {
        let piece = pipe.read(PIECE_BYTES).await;
        if piece.is_empty() {
            return to.flush().await;
        }
        to.write_all(&piece).await?;
    }
}

#[cfg(feature = "embedded")]
async fn pass_through(
    plugin: &casemate_supervisor::Plugin,
    scope: Scope,
    method: &str,
    mut input: impl AsyncRead + Unpin + Send,
    output: impl AsyncWrite + Unpin + Send,
    errors: Option<impl AsyncWrite + Unpin + Send>,
) -> Result<Reply, Failure> {
    let pipe = || Arc::new(Pipe::new(PIPE_BYTES));
    let bodies = Bodies { input: pipe(), output: pipe(), errors: errors.is_some().then(pipe) };
    let scope = Scope { bodies: Some(bodies.clone()), ..scope };
    let supply = async {
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let bytes = input.read(&mut piece).await?;
            let piece = piece.get(..bytes).unwrap_or_default();
            if bytes == 0 || bodies.input.write(piece).await.is_err() {
                bodies.input.end();
                return Ok(());
            }
        }
    };
    let take = async {
        let complaints = async {
            match (&bodies.errors, errors) {
                (Some(pipe), Some(errors)) => drain(pipe, errors).await,
                _ => Ok(()),
            }
        };
        tokio::try_join!(drain(&bodies.output, output), complaints).map(drop)
    };
    let call = async {
        let ended = plugin.run_in(&scope, method, 0, &[]).await;
        bodies.input.close();
        bodies.output.end();
        if let Some(errors) = &bodies.errors {
            errors.end();
        }
        ended
    };
    let (mut supply, mut take, mut call) =
        (std::pin::pin!(supply), std::pin::pin!(take), std::pin::pin!(call));
    let (mut is_supplied, mut is_taken) = (false, false);
    let ended = loop {
        tokio::select! {
            result = &mut supply, if !is_supplied => {
                result.map_err(failed)?;
                is_supplied = true;
            }
            result = &mut take, if !is_taken => {
                result.map_err(failed)?;
                is_taken = true;
            }
            ended = &mut call => break ended,
        }
    };
    match ended {
        Ok(reply) => {
            if !is_taken {
                take.await.map_err(failed)?;
            }
            Ok(reply)
        }
        Err(failure) => {
            // What it wrote before it failed is its caller's too, if that takes it: it may be what the plugin waited for.
            if !is_taken {
                let _ = tokio::time::timeout(LAST_WORDS, take).await;
            }
            Err(failure)
        }
    }
}
