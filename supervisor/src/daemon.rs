//! The supervisor as a daemon: clients in other processes use it over a local socket, in the words of
//! `casemate_protocol::client`.
//!
//! ```text
//! place ─accept─► who is it? ─► access ─► conversation, one task a client ─► office ─► plugins
//!                   └ too many, or not known: Refused
//! ```
//! | module | does |
//! |---|---|
//! | `place` | makes the socket, or takes the one of socket activation |
//! | `access` | who may do what |
//! | `conversation` | one client: its socket and its streams |
//! | `line`, `work` | one stream: what it waits for, what is done for it |
//! | `operations` | what is done |
//! | `desk` | host methods that clients answer |
//! | `feed`, `mailbox` | what clients follow |
//! | `office` | what all conversations share |
//!
//! It must never know what is between a supervisor and its workers.

mod access;
mod conversation;
mod desk;
mod error;
mod feed;
mod line;
mod mailbox;
mod office;
mod operations;
mod place;
mod words;
mod work;

use crate::audit::Audit;
use crate::host::HostError;
use crate::process::registered::Registered;
use crate::supervisor::{Config, Supervisor};
use access::Access;
use casemate_protocol::client::{Refused, Right, Session, Side, VERSION};
use casemate_protocol::ids::ClientId;
use casemate_protocol::outcome::Failure;
use conversation::{Conversation, End};
use feed::Logs;
use interprocess::local_socket::tokio::Stream;
use interprocess::local_socket::traits::{StreamCommon as _, tokio::Listener as _};
use office::Office;
use place::Place;
use serde_json::json;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

pub use error::ServeError;

/// How long a last frame may take to leave.
const GOODBYE: Duration = Duration::from_secs(1);

/// After an accept that failed for want of something: it may be there again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where a daemon listens.
#[derive(Debug)]
pub enum Listen {
    /// On a socket of its own, at this path.
    At(PathBuf),
    /// On the one that it was started with.
    Given(OwnedFd),
}

/// A daemon that listens.
#[derive(Debug)]
pub struct Daemon {
    office: Arc<Office>,
    place: Place,
    own_uid: u32,
}

/// Orders a daemon about, from elsewhere.
#[derive(Debug, Clone)]
pub struct Steward {
    office: Arc<Office>,
}

impl Daemon {
    /// Starts a supervisor with this configuration, and listens. Plugins are loaded by [`Daemon::load`], and by clients.
    #[expect(clippy::disallowed_methods, reason = "the time since the start is measured from here")]
    pub fn new(mut config: Config, listen: Listen, audit: Option<Audit>) -> Result<Self, ServeFailure> {
        let own_uid = rustix::process::geteuid().as_raw();
        let place = match listen {
            Listen::At(path) => Place::make(&path, names_others(config.configuration.daemon(), own_uid))?,
            Listen::Given(socket) => Place::given(socket)?,
        };
        let logs = Logs::default();
        let (sink, followed) = (config.log_sink.take(), logs.clone());
        config.log_sink = Some(Arc::new(move |record| {
            followed.take(&record);
            match &sink {
                Some(sink) => sink(record),
                None => crate::log::to_tracing(record),
            }
        }));
        let supervisor = Supervisor::new(config)?;
        let office = Arc::new(Office::new(supervisor, logs, audit, Instant::now(), place.path()));
        // Not as an owner: the supervisor is the office's, and would keep it for ever.
        let served = Arc::downgrade(&office);
        // What no client answers for its own call.
        office.supervisor.host().on("*", move |request| {
            let office = served.upgrade();
            Box::pin(async move {
                match office {
                    Some(office) => office.served.answer(request).await,
                    None => Err(HostError::new("unavailable", "the daemon has stopped")),
                }
            })
        });
        Ok(Self { office, place, own_uid })
    }

    /// The socket's path, if it has made it.
    pub fn path(&self) -> Option<&Path> {
        self.place.path()
    }

    /// To order it about while it serves.
    pub fn steward(&self) -> Steward {
        Steward { office: Arc::clone(&self.office) }
    }

    /// Loads every plugin of the configuration that is enabled; each that cannot be is told with its name.
    pub async fn load(&self) -> Vec<(String, Failure)> {
        let loaded = self.office.load_missing().await.into_iter();
        loaded.filter_map(|(name, result)| Some((name, result.err()?))).collect()
    }

    /// Serves until its steward stops it, and then until every client is finished or `patience` is over.
    pub async fn serve(self, patience: Duration) {
        let mut conversations = JoinSet::new();
        let mut closing = self.office.closing();
        let mut last = 0;
        loop {
            tokio::select! {
                biased;
                () = office::is_closing(&mut closing) => break,
                accepted = self.place.listener.accept() => match accepted {
                    Ok(stream) => {
                        last += 1;
                        conversations.spawn(meet(Arc::clone(&self.office), stream, ClientId(last), self.own_uid));
                    }
                    Err(error) => {
                        tracing::warn!("accepting a client failed: {error}");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = conversations.join_next(), if !conversations.is_empty() => {}
            }
        }
        // Nobody else is let in.
        drop(self.place);
        let finished = async { while conversations.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(patience, finished).await;
        conversations.shutdown().await;
        self.office.supervisor.shutdown().await;
    }
}

impl Steward {
    /// Takes nothing more; what runs is finished.
    pub fn stop(&self) {
        self.office.close();
    }

    /// Reads the configuration anew, and loads plugins that it names for the first time. One with a mistake changes nothing.
    /// What became of each plugin: its name, one word, and why.
    pub async fn reload(&self) -> Result<Vec<(String, String, String)>, crate::policy::ConfigError> {
        let changes = self.office.reload(json!({})).await?.into_iter();
        Ok(changes.map(|change| (change.plugin, change.what, change.message)).collect())
    }
}

/// Whether others than the daemon's own user may connect.
fn names_others(daemon: &crate::policy::Daemon, own_uid: u32) -> bool {
    daemon.clients.iter().any(|client| client.uid != own_uid)
}

/// Why a daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeFailure {
    /// The socket.
    #[error(transparent)]
    Socket(#[from] ServeError),
    /// The supervisor.
    #[error(transparent)]
    Supervisor(#[from] Failure),
}

/// Lets a client in, or not.
async fn meet(office: Arc<Office>, stream: Stream, client: ClientId, own_uid: u32) {
    office.count_connection();
    let reloads = office.reloads();
    let configuration = office.supervisor.configuration();
    let uid = stream.peer_creds().ok().and_then(|creds| creds.euid());
    // From here on it is only read and written, and waited for as the links to workers are.
    let Stream::UdSocket(stream) = stream;
    let socket = OwnedFd::try_from(stream).map_err(std::io::Error::other).and_then(Registered::new);
    let socket = match socket {
        Ok(socket) => socket,
        Err(error) => return tracing::warn!("a client cannot be listened to: {error}"),
    };
    let access = uid.and_then(|uid| Access::of(uid, own_uid, configuration.daemon()));
    let Some(access) = access else {
        office.count_refused();
        let details = json!({"client": client.0, "uid": uid, "why": "daemon.clients"});
        office.record_of(uid.unwrap_or(u32::MAX), "client.refused", details);
        let message = "the daemon's configuration does not name this user (daemon.clients)";
        return refuse(&socket, "denied.user", message).await;
    };
    let connections_max = configuration.daemon().connections;
    let Some(_seat) = office.admit(connections_max, access.rights.contains(&Right::Admin)) else {
        office.count_refused();
        let details = json!({"client": client.0, "uid": access.uid, "why": "daemon.connections"});
        office.record_of(access.uid, "client.refused", details);
        let message = format!("{connections_max} clients are connected already (daemon.connections)");
        return refuse(&socket, "overloaded.connections", &message).await;
    };
    let serves_all = access.rights.contains(&Right::Serve);
    let uid = access.uid;
    let mut conversation = Conversation::new(Arc::clone(&office), client, access, own_uid, reloads);
    if serves_all {
        office.served.join(&conversation.desk);
    }
    let end = conversation.run(&socket).await;
    drop(conversation);
    if let Some(why) = end.offence() {
        office.record_of(uid, "client.cut_off", json!({"client": client.0, "uid": uid, "why": why}));
    }
    match end {
        End::Gone => tracing::debug!(client = client.0, "a client has gone"),
        // It has been written down.
        End::Violation(_) | End::Silent | End::Stalled => {}
        End::Io(error) => tracing::debug!(client = client.0, "a client has gone: {error}"),
    }
}

async fn refuse(socket: &Registered, code: &str, message: &str) {
    let refused = Refused {
        code: code.to_owned(),
        message: message.to_owned(),
        version_min: VERSION,
        version_max: VERSION,
    };
    let mut out = Vec::new();
    put_refusal(&mut out, &refused);
    let _ = tokio::time::timeout(GOODBYE, socket.write_all(&out)).await;
}

/// The frame of a refusal, whatever the connection was like.
fn put_refusal(out: &mut Vec<u8>, refused: &Refused) {
    let _ = Session::new(Side::Daemon).refuse(out, refused);
}
