//! What extensions ask of their host, and how it gets there.

use crate::library::{Libraries, Library};
use casemate::{HostError, HostReply, HostRequest};
use serde_json::Value;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};

/// How the methods begin by which a job tells how it does.
const JOB: &str = "job.";
/// The one of them that is a question.
const CHECK: &str = "job.check_interrupt";

/// The host's operations: those that its command line and its other clients use too.
pub trait Core: Send + Sync + 'static {
    /// Carries out an operation, such as `query:ai.ocr`, for a library or for none. It has been permitted. An error comes back to the
    /// extension as `{"error": …}`.
    fn execute(
        &self,
        method: &str,
        library: Option<&Library>,
        payload: Value,
    ) -> impl Future<Output = Result<Value, String>> + Send;

    /// A job tells how it does.
    fn report(&self, report: Report<'_>) {
        let _ = report;
    }

    /// Whether a job is to stop at its next checkpoint.
    fn is_interrupted(&self, extension: &str, job: &str) -> bool {
        let _ = (extension, job);
        false
    }
}

/// What a job tells.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// Whose job.
    pub extension: &'a str,
    /// `progress`, `checkpoint`, `warning`, `bytes` or `items`.
    pub kind: &'a str,
    /// Its number with what it tells: `{"job_id", "progress", "message"}`, `{"job_id", "state"}`, `{"job_id", "message"}`,
    /// `{"job_id", "count"}`.
    pub said: &'a Value,
}

/// Which libraries each extension may name, by its name.
pub(crate) type Permitted = Arc<RwLock<BTreeMap<String, Libraries>>>;

/// Answers one call of an extension's.
pub(crate) async fn answer<C: Core>(
    core: &C,
    permitted: &Permitted,
    request: HostRequest,
) -> Result<HostReply, HostError> {
    let extension = request.plugin.as_str();
    let mut said: Value = serde_json::from_slice(&request.body)
        .map_err(|error| HostError::new("bad_input", format!("a call of {}: {error}", request.method)))?;
    let answer = match request.method.strip_prefix(JOB) {
        Some(_) if request.method == CHECK => {
            let job = said.get("job_id").and_then(Value::as_str).unwrap_or_default();
            Value::Bool(core.is_interrupted(extension, job))
        }
        Some(kind) => {
            core.report(Report { extension, kind, said: &said });
            Value::Null
        }
        None => {
            let library = match said.get("library_id") {
                None | Some(Value::Null) => None,
                Some(Value::String(text)) => Some(permitted_library(permitted, extension, text)?),
                Some(_) => return Err(HostError::new("bad_input", "a library is a text, or null")),
            };
            let payload = said.get_mut("payload").map(Value::take).unwrap_or_default();
            core.execute(&request.method, library.as_ref(), payload)
                .await
                .map_err(|message| HostError::new("operation_failed", message))?
        }
    };
    let body = serde_json::to_vec(&answer).map_err(|error| HostError::new("internal", error.to_string()))?;
    Ok(HostReply { content_type: 1, body })
}

fn permitted_library(permitted: &Permitted, extension: &str, text: &str) -> Result<Library, HostError> {
    let library = Library::parse(text).map_err(|why| HostError::new("bad_input", why))?;
    let permitted = permitted.read().unwrap_or_else(PoisonError::into_inner);
    if permitted.get(extension).is_some_and(|libraries| libraries.have(&library)) {
        return Ok(library);
    }
    let message = format!(
        "library {library} is not granted to {extension}: add it to permissions.libraries of its manifest.json"
    );
    Err(HostError::new("denied", message))
}
