//! What a Rust plugin for Casemate links: ordinary typed functions in, the guest ABI `casemate-1` out.
//!
//! ```
//! use casemate_plugin::{Error, host, log, plugin};
//! use serde::{Deserialize, Serialize};
//!
//! /// What the host configured this plugin with.
//! #[derive(Deserialize)]
//! struct Config {
//!     decimals: u32,
//! }
//!
//! #[derive(Deserialize)]
//! pub struct Readings {
//!     celsius: Vec<f64>,
//! }
//!
//! #[derive(Serialize, Deserialize)]
//! pub struct Report {
//!     mean: f64,
//!     hot: bool,
//! }
//!
//! pub struct Thermometer {
//!     scale: f64,
//!     asked: u64,
//! }
//!
//! #[plugin]
//! impl Thermometer {
//!     /// Runs once, with the configuration as JSON. A type that is `Default` needs no `init`.
//!     fn init(config: Config) -> Result<Self, Error> {
//!         if config.decimals > 9 {
//!             return Err(Error::new("bad_config", "decimals: at most 9"));
//!         }
//!         Ok(Thermometer { scale: f64::from(10_u32.pow(config.decimals)), asked: 0 })
//!     }
//!
//!     /// One argument is the JSON value itself: `{"celsius": [..]}`.
//!     pub fn report(&mut self, readings: Readings) -> Result<Report, Error> {
//!         self.asked += 1;
//!         if readings.celsius.is_empty() {
//!             return Err(Error::new("empty_input", "there is no reading to average"));
//!         }
//!         let count = u32::try_from(readings.celsius.len()).map_err(Error::failed)?;
//!         let mean = readings.celsius.iter().sum::<f64>() / f64::from(count);
//!         log::info!("{count} readings, mean {mean}");
//!         Ok(Report { mean: (mean * self.scale).round() / self.scale, hot: mean > 30.0 })
//!     }
//!
//!     /// Several arguments are the members of a JSON object: `{"place": "Oslo", "days": 3}`.
//!     pub fn forecast(&self, place: String, days: Option<u32>) -> Result<Vec<f64>, Error> {
//!         host::call("weather.forecast", &(place, days.unwrap_or(1)))
//!     }
//!
//!     /// No argument, and a plain value as the answer.
//!     pub fn asked(&self) -> u64 {
//!         self.asked
//!     }
//!
//!     /// Bytes in, bytes out: no JSON on the way.
//!     #[raw]
//!     fn checksum(&self, body: &[u8]) -> Vec<u8> {
//!         vec![body.iter().fold(0, |sum, byte| sum ^ byte)]
//!     }
//! }
//!
//! # fn main() {
//! // All of it compiles and runs natively too, so that it can be tested; `testing` goes through JSON as the host does.
//! use casemate_plugin::testing;
//! let mut plugin: Thermometer = testing::start(&serde_json::json!({"decimals": 1})).unwrap();
//! let report: Report =
//!     testing::call(&mut plugin, "report", &serde_json::json!({"celsius": [20.0, 21.0, 21.33]})).unwrap();
//! assert_eq!(report.mean, 20.8);
//! assert!(!report.hot);
//! # let empty = testing::call::<_, _, Report>(&mut plugin, "report", &serde_json::json!({"celsius": []}));
//! # assert_eq!(empty.err().unwrap().code, "empty_input");
//! # assert_eq!(testing::call::<_, _, u64>(&mut plugin, "asked", &()).unwrap(), 2);
//! # assert_eq!(testing::call_raw(&mut plugin, "checksum", &[1, 2, 4]).unwrap(), [7]);
//! # let forecast = testing::call::<_, _, Vec<f64>>(&mut plugin, "forecast", &serde_json::json!({"place": "Oslo"}));
//! # assert_eq!(forecast.unwrap_err().code, host::NO_HOST);
//! # }
//! ```
//!
//! Such a crate is a `cdylib`, built with `cargo build --release --target wasm32-unknown-unknown`. The attribute
//! generates every export of the ABI; what each function may look like is told at [`plugin`]. With `--target wasm32-wasip2`
//! the same crate becomes a component of the world `casemate:plugin`, which may also use what WASI has: files, arguments,
//! the environment, as far as its policy grants them.
//!
//! A panic is written to the host's log at error level, with its place, and then ends the instance. An error that a
//! method returns goes to the caller as it is, and the instance stays.

#[expect(unsafe_code, reason = "the one room for it: memory that crosses to the host, imports and exports")]
mod abi;
mod base64;
mod body;
#[cfg(target_env = "p2")]
#[doc(hidden)]
pub mod component;
mod context;
mod descriptor;
mod envelope;
mod error;
mod event;
pub mod host;
mod instance;
pub mod kv;
pub mod log;
mod reply;
mod schemas;
pub mod stream;
pub mod testing;

pub use casemate_plugin_macros::plugin;

pub use crate::context::{CallContext, call_context};
pub use crate::descriptor::{Content, Descriptor, Method, Plugin};
pub use crate::error::Error;
pub use crate::event::{Event, publish, publish_raw, subscribe};
pub use crate::host::cancelled;

/// What the output of `#[plugin]` calls. Not for authors: it changes without notice.
#[doc(hidden)]
pub mod __private {
    #[cfg(all(target_arch = "wasm32", not(target_env = "p2")))]
    pub use crate::abi::give_packed;
    #[cfg(target_arch = "wasm32")]
    pub use crate::abi::log_panics;
    pub use crate::abi::{VERSION, alloc, free, take};
    pub use crate::body::Body;
    #[cfg(target_env = "p2")]
    pub use crate::component;
    pub use crate::instance::Instance;
    pub use crate::reply::{PlainReturn, Reply, Returned};
    #[cfg(feature = "schemas")]
    pub use crate::schemas::schema;
    pub use crate::schemas::{MethodSchemas, members, nothing};
}
