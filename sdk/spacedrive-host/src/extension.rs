//! One extension that is loaded.

use casemate::{Cause, Failure, Plugin};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// An extension that is loaded; clones share it.
#[derive(Debug, Clone)]
pub struct Extension {
    plugin: Plugin,
    /// Jobs that may run at once, as its manifest says.
    places: Arc<Semaphore>,
}

impl Extension {
    pub(crate) fn new(plugin: Plugin, concurrent_jobs: usize) -> Self {
        Self { plugin, places: Arc::new(Semaphore::new(concurrent_jobs)) }
    }

    /// The plugin, for everything else that Casemate does with one.
    pub fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    /// Runs a job to its end, `{"job_id", "library_id", "state"}`, all optional: `{"status": "done"}` or
    /// `{"status": "interrupted"}`. With the state of its last checkpoint it goes on there. More jobs than its manifest allows at once
    /// wait.
    pub async fn run(&self, job: &str, order: Value) -> Result<Value, Failure> {
        let Ok(_place) = self.places.acquire().await else {
            let message = format!("{} is unloaded", self.plugin.name());
            return Err(Failure::not_started(Cause::Configuration { message }));
        };
        self.plugin.call(job, &order).await
    }

    /// As [`Extension::run`], from the beginning and for no library.
    pub async fn start(&self, job: &str) -> Result<Value, Failure> {
        self.run(job, json!({})).await
    }

    pub(crate) async fn close(&self) -> Result<(), Failure> {
        self.places.close();
        self.plugin.close().await
    }
}
