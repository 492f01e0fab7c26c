//! A guest that publishes and takes events, and reads and writes while its call is under way.

use std::hint::black_box;

use casemate_plugin::{Error, Event, call_context, host, plugin, publish, publish_raw, stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Bytes that are read at once.
const PIECE_BYTES: usize = 48 << 10;

/// An event that this instance has taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    topic: String,
    /// Its body, if that is JSON.
    body: Option<Value>,
    bytes: usize,
}

/// What `context` answers.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Context {
    remaining_ms: u64,
    traceparent: String,
    streams: bool,
}

/// The plugin.
#[derive(Debug, Default)]
pub struct Herald {
    taken: Vec<Taken>,
}

#[plugin]
impl Herald {
    /// Takes an event, and tells the host method `taken` of it, if that is granted. A topic that ends in `fail`, `panic`,
    /// `spin` or `gate` has it do that then; `gate` is a host method.
    #[event]
    #[expect(clippy::panic, reason = "it is what the topic is for")]
    fn take(&mut self, event: Event<'_>) -> Result<(), Error> {
        let (topic, body) = (event.topic().to_owned(), event.json().ok());
        self.taken.push(Taken { topic: topic.clone(), body: body.clone(), bytes: event.body().len() });
        let told = host::call::<_, Value>("taken", &(&topic, &body));
        match topic.rsplit('.').next() {
            Some("fail") => Err(Error::new("asked_to", "asked to fail")),
            Some("panic") => panic!("asked to panic"),
            Some("spin") => loop {
                black_box(&told);
            },
            Some("gate") => host::call("gate", &body),
            _ => Ok(()),
        }
    }

    /// The events that this instance has taken.
    pub fn taken(&self) -> &[Taken] {
        &self.taken
    }

    /// Asks the host method `gate`, and so waits.
    pub fn ask_gate(&self) -> Result<Value, Error> {
        host::call("gate", &())
    }

    /// Publishes an event.
    pub fn publish(&self, topic: String, body: Value) -> Result<(), Error> {
        publish(&topic, &body)
    }

    /// Publishes an event of so many bytes that are no JSON; answers how many went before the first error, and that.
    pub fn publish_bytes(&self, topic: String, bytes: usize, times: u64) -> (u64, Option<Error>) {
        let body = vec![0xff; bytes];
        for number in 0..times {
            if let Err(error) = publish_raw(&topic, &body) {
                return (number, Some(error));
            }
        }
        (times, None)
    }

    /// Publishes these bytes, laid out by whoever calls this.
    #[raw]
    fn publish_as_is(&self, event: &[u8]) -> Result<Vec<u8>, Error> {
        host::call_raw("events.publish", event)
    }

    /// Reads to the end and writes the same in upper case; answers how many bytes.
    pub fn upper(&self) -> Result<usize, Error> {
        let mut bytes = 0;
        loop {
            let mut piece = stream::read(PIECE_BYTES)?;
            if piece.is_empty() {
                return Ok(bytes);
            }
            bytes += piece.len();
            piece.make_ascii_uppercase();
            stream::write(&piece)?;
        }
    }

    /// Writes for ever, or until nobody reads any more; answers what that was told.
    pub fn pour(&self) -> Result<String, Error> {
        let piece = [b'.'; PIECE_BYTES];
        loop {
            if let Err(error) = stream::write(&piece) {
                return Ok(error.code.into_owned());
            }
        }
    }

    /// What is around this call.
    pub fn context(&self) -> Result<Context, Error> {
        let context = call_context()?;
        Ok(Context {
            remaining_ms: u64::try_from(context.remaining.as_millis()).map_err(Error::failed)?,
            traceparent: context.traceparent,
            streams: context.streams,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use casemate_plugin::testing::call;

    #[test]
    fn without_a_host_nothing_leads_anywhere() {
        let herald = &mut Herald::default();
        for method in ["upper", "pour", "context"] {
            let answer = call::<_, _, Value>(herald, method, &());
            match method {
                "pour" => assert_eq!(answer.unwrap(), host::NO_HOST),
                _ => assert_eq!(answer.unwrap_err().code, host::NO_HOST, "{method}"),
            }
        }
        assert_eq!(call::<_, _, Vec<Taken>>(herald, "taken", &()).unwrap(), []);
    }
}
