//! A plugin behind an HTTP service (axum). A request's trace context goes on into the plugin, and its deadline too; a client
//! that hangs up ends the worker that computes for it.
//!
//! ```sh
//! cargo run --package casemate --example service -- statistics.wasm 127.0.0.1:8080 &
//! curl -H 'content-type: application/json' -d '{"numbers": [1, 2, 3]}' http://127.0.0.1:8080/call/stats
//! ```
#![expect(clippy::print_stdout, reason = "an example: it talks on the terminal")]

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use casemate::{Casemate, Failure, Fault, Plugin, Policy, Trace};
use serde_json::{Value, json};
use std::time::Duration;

/// What a request may take, waiting included.
const DEADLINE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let module = arguments.next().unwrap_or_else(|| "statistics.wasm".to_owned());
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let casemate = Casemate::embedded()?;
    let plugin = casemate.load(module, Policy::default()).await?;
    let service = Router::new().route("/call/{method}", post(call)).with_state(plugin);
    let listener = tokio::net::TcpListener::bind(&address).await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, service).with_graceful_shutdown(interrupted()).await?;
    // Without this its processes would end with ours, at once.
    casemate.shutdown().await;
    Ok(())
}

async fn call(
    State(plugin): State<Plugin>,
    Path(method): Path<String>,
    headers: HeaderMap,
    Json(input): Json<Value>,
) -> Result<Json<Value>, Refusal> {
    let text =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let trace = Trace { parent: text("traceparent"), state: text("tracestate") };
    Ok(Json(plugin.within(DEADLINE).traced(trace).call(&method, &input).await?))
}

/// A failure as HTTP says it.
struct Refusal(Failure);

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(failure) = self;
        let code = failure.code();
        let status = match failure.fault() {
            Fault::Caller => StatusCode::BAD_REQUEST,
            Fault::Guest if code.starts_with("timeout") => StatusCode::GATEWAY_TIMEOUT,
            Fault::Guest => StatusCode::UNPROCESSABLE_ENTITY,
            _ if code.starts_with("overloaded") => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::BAD_GATEWAY,
        };
        let body = json!({"code": code, "message": failure.to_string()}).to_string();
        (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}

async fn interrupted() {
    // Without a way to hear of it, it serves until it is killed.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
