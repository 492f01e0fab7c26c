//! `serve`: the supervisor as a daemon, until a signal stops it.

mod activation;
mod logging;
mod watch;

use crate::args::{Cli, LogFormat, Serve};
use crate::exit::Exit;
use crate::places;
use crate::problem::Problem;
use crate::screen::Screen;
use casemate::Configuration;
use casemate::cache::CacheSetting;
use casemate::daemon::audit::Audit;
use casemate::daemon::{Daemon, Listen, ServeFailure, Steward};
use casemate::package::Kept;
use std::path::PathBuf;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// How long clients may take to finish once the daemon stops.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn perform(cli: &Cli, serve: &Serve, screen: &Screen) -> Result<Exit, Problem> {
    logging::start(serve.log_format.unwrap_or(LogFormat::Text), cli.verbose);
    let file = configuration_file(cli)?;
    let configuration = match &file {
        Some(file) => Configuration::read(file).map_err(Problem::Config)?,
        None => Configuration::default(),
    };
    let listen = match activation::socket()? {
        Some(socket) => Listen::Given(socket),
        None => Listen::At(socket(cli, &configuration)?),
    };
    let mut config = casemate::daemon::Config::default();
    config.configuration = configuration;
    if let Some(places) = places::wanted(&cli.places, screen)? {
        config.cache = CacheSetting::At(places);
    }
    config.state_dir = places::state(&cli.places);
    if let Some(Err(error)) = config.state_dir.as_deref().map(Kept::sweep) {
        tracing::warn!("what a killed installation left is not swept away: {error}");
    }
    let audit = places::state(&cli.places).map(|state| Audit::open(&state)).transpose();
    let audit = audit.map_err(|error| Problem::audit(&error))?;
    match &audit {
        Some(audit) => {
            tracing::info!(file = %audit.path().display(), "what a security team wants to know is written down")
        }
        None => tracing::warn!(
            "there is no audit log: there is no HOME to have a state directory in (--state-dir)"
        ),
    }
    let daemon = Daemon::new(config, listen, audit).map_err(|failure| match failure {
        ServeFailure::Socket(error) => Problem::socket(error.to_string()),
        ServeFailure::Supervisor(failure) => failure.into(),
    })?;
    let steward = daemon.steward();
    match daemon.path() {
        Some(path) => tracing::info!(socket = %path.display(), "listening"),
        None => tracing::info!("listening on the socket of socket activation"),
    }
    for (plugin, failure) in daemon.load().await {
        tracing::error!(plugin, "not loaded: {failure}");
    }
    let _watching = file.as_deref().map(|file| watch::start(file, steward.clone())).transpose()?;
    activation::ready();
    let stopping = tokio::spawn(obey(steward)?);
    daemon.serve(PATIENCE).await;
    stopping.abort();
    tracing::info!("stopped");
    Ok(Exit::Done)
}

/// The file that `--config` names, or the usual one if it is there.
fn configuration_file(cli: &Cli) -> Result<Option<PathBuf>, Problem> {
    if let Some(file) = &cli.config {
        // Reading it anew must not depend on where the daemon is then.
        return std::path::absolute(file)
            .map(Some)
            .map_err(|error| Problem::not_found(format!("{}: {error}", file.display())));
    }
    Ok(Some(places::configuration()).filter(|file| file.exists()))
}

/// `--socket`, `daemon.listen`, or the usual place.
fn socket(cli: &Cli, configuration: &Configuration) -> Result<PathBuf, Problem> {
    let named = cli.socket.clone().or_else(|| configuration.daemon().listen.clone());
    match named.or_else(places::socket) {
        Some(path) => Ok(path),
        None => Err(Problem::usage(
            "there is no XDG_RUNTIME_DIR to have a socket in: say --socket, or daemon.listen in the configuration",
        )),
    }
}

/// Stops at SIGTERM and SIGINT, and reads the configuration anew at SIGHUP.
fn obey(steward: Steward) -> Result<impl Future<Output = ()> + Send + 'static, Problem> {
    let wanted = |kind: SignalKind| {
        signal(kind).map_err(|error| Problem::ours(format!("waiting for signals failed: {error}")))
    };
    let (mut terminate, mut interrupt, mut hangup) =
        (wanted(SignalKind::terminate())?, wanted(SignalKind::interrupt())?, wanted(SignalKind::hangup())?);
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => reload(&steward).await,
            }
        }
        tracing::info!("stopping: what runs is finished");
        activation::stopping();
        steward.stop();
    })
}

/// Says what became of it; a file with a mistake changes nothing.
async fn reload(steward: &Steward) {
    activation::reloading();
    match steward.reload().await {
        Ok(reloaded) => {
            tracing::info!("the configuration was read anew");
            for (plugin, what, message) in reloaded {
                match what.as_str() {
                    "failed" => tracing::error!(plugin, "is as it was: {message}"),
                    _ => tracing::info!(plugin, "{what} {message}"),
                }
            }
        }
        Err(error) => tracing::error!("the configuration is as it was: {error}"),
    }
    activation::ready();
}
