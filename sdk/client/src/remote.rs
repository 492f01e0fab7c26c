//! A plugin of a daemon: its name there, and what was last heard of it.

use crate::connected::Connection;
use crate::plugin::{Around, Info};
use casemate_protocol::certificate::Certificate;
use casemate_protocol::client::request::Operation;
use casemate_protocol::client::{
    self, ConfigGet, ConfigSet, Disable, Drain, Enable, Info as AskInfo, Reload, Reset, Response, Unload,
    decode_certificate,
};
use casemate_protocol::module::{CompileReport, ModuleFacts};
use casemate_protocol::outcome::{Cause, Failure};
use casemate_protocol::status::{EventStatus, State, Status};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// A plugin of a daemon.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    pub(crate) connection: Arc<Connection>,
    name: Arc<str>,
    known: Arc<Mutex<Info>>,
}

/// What the daemon says cannot be read.
pub(crate) fn cannot(what: &dyn std::fmt::Display) -> Failure {
    Failure::done(Cause::Reply { message: format!("the daemon's answer cannot be read: {what}") })
}

/// A configuration as it travels.
pub(crate) fn config_text(config: Option<Vec<u8>>) -> Result<String, Failure> {
    String::from_utf8(config.unwrap_or_default()).map_err(|error| {
        Failure::not_started(Cause::Input { message: format!("the configuration is no JSON text: {error}") })
    })
}

/// How a plugin is, from the daemon's words.
pub(crate) fn status_of(plugin: &client::Plugin) -> Result<Status, Failure> {
    let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Ok(Status {
        state: State::from_name(&plugin.state)
            .ok_or_else(|| cannot(&format!("a state {:?}", plugin.state)))?,
        disabled: filled(&plugin.disabled),
        generation: Some(plugin.generation).filter(|generation| *generation > 0),
        reloading: plugin.reloading,
        idle: plugin.idle,
        busy: plugin.busy,
        starting: plugin.starting,
        waiting: plugin.waiting,
        dropped: plugin.dropped,
        crashes: plugin.crashes,
        last_crash: filled(&plugin.last_crash),
        retry_in: Some(plugin.retry_in_ms).filter(|ms| *ms > 0).map(Duration::from_millis),
        events: EventStatus {
            waiting: plugin.events_waiting,
            delivered: plugin.events_delivered,
            failed: plugin.events_failed,
            dropped: plugin.events_dropped,
        },
    })
}

fn info_of(response: &Response, report: &[u8]) -> Result<Info, Failure> {
    let plugin = response.plugins.first().ok_or_else(|| cannot(&"no plugin in it"))?;
    let certificate = plugin.certificate.as_ref().and_then(decode_certificate);
    let report = CompileReport::decode(report).map_err(|violation| cannot(&violation))?;
    let facts = report.facts().cloned().ok_or_else(|| cannot(&"no facts in it"))?;
    Ok(Info {
        status: status_of(plugin)?,
        certificate: certificate.ok_or_else(|| cannot(&"no certificate in it"))?,
        facts,
        from_cache: plugin.from_cache,
        notes: plugin.notes.clone(),
        configuration: Some(plugin.configuration.clone()).filter(|file| !file.is_empty()),
    })
}

impl Remote {
    /// Asks the daemon for it.
    pub(crate) async fn look(connection: Arc<Connection>, name: &str) -> Result<Self, Failure> {
        let info = ask(&connection, name).await?;
        Ok(Self { connection, name: Arc::from(name), known: Arc::new(Mutex::new(info)) })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn known<T>(&self, of: impl FnOnce(&Info) -> T) -> T {
        of(&self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn certificate(&self) -> Certificate {
        self.known(|info| info.certificate.clone())
    }

    pub(crate) fn facts(&self) -> ModuleFacts {
        self.known(|info| info.facts.clone())
    }

    pub(crate) fn status(&self) -> Status {
        self.known(|info| info.status.clone())
    }

    pub(crate) fn is_from_cache(&self) -> bool {
        self.known(|info| info.from_cache)
    }

    pub(crate) async fn info(&self) -> Result<Info, Failure> {
        let info = ask(&self.connection, &self.name).await?;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = info.clone();
        Ok(info)
    }

    pub(crate) async fn call(
        &self,
        method: &str,
        content_type: u32,
        body: &[u8],
        around: &Around,
    ) -> Result<(u32, Vec<u8>), Failure> {
        self.connection.call(&self.name, method, content_type, body.to_vec(), around).await
    }

    pub(crate) async fn stream(
        &self,
        method: &str,
        around: &Around,
        input: impl AsyncRead + Unpin + Send,
        output: impl AsyncWrite + Unpin + Send,
    ) -> Result<(u32, Vec<u8>), Failure> {
        self.connection.stream(&self.name, method, around, input, output).await
    }

    async fn order(&self, operation: Operation, body: Vec<u8>) -> Result<Vec<u8>, Failure> {
        Ok(self.connection.request(operation, body).await?.1)
    }

    fn plugin(&self) -> String {
        self.name.to_string()
    }

    pub(crate) async fn enable(&self) -> Result<(), Failure> {
        self.order(Operation::Enable(Enable { plugin: self.plugin() }), Vec::new()).await.map(drop)
    }

    pub(crate) async fn disable(&self) -> Result<(), Failure> {
        self.order(Operation::Disable(Disable { plugin: self.plugin() }), Vec::new()).await.map(drop)
    }

    pub(crate) async fn drain(&self) -> Result<(), Failure> {
        self.order(Operation::Drain(Drain { plugin: self.plugin() }), Vec::new()).await.map(drop)
    }

    pub(crate) async fn reset(&self) -> Result<(), Failure> {
        self.order(Operation::Reset(Reset { plugin: self.plugin() }), Vec::new()).await.map(drop)
    }

    pub(crate) async fn reload(&self, wasm: Vec<u8>) -> Result<(), Failure> {
        self.order(Operation::Reload(Reload { plugin: self.plugin(), configured: false }), wasm)
            .await
            .map(drop)
    }

    pub(crate) async fn close(&self) -> Result<(), Failure> {
        self.order(Operation::Unload(Unload { plugin: self.plugin() }), Vec::new()).await.map(drop)
    }

    pub(crate) async fn config(&self) -> Result<Vec<u8>, Failure> {
        self.order(Operation::ConfigGet(ConfigGet { plugin: self.plugin() }), Vec::new()).await
    }

    pub(crate) async fn set_config(&self, config: Vec<u8>) -> Result<(), Failure> {
        self.order(Operation::ConfigSet(ConfigSet { plugin: self.plugin() }), config).await.map(drop)
    }
}

async fn ask(connection: &Connection, name: &str) -> Result<Info, Failure> {
    let info = Operation::Info(AskInfo { plugin: name.to_owned() });
    let (response, report) = connection.request(info, Vec::new()).await?;
    info_of(&response, &report)
}
