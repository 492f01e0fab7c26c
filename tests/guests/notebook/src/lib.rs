//! Keeps pages in the host: configuration, host calls, kv, events, log and raw bytes in one plugin.

use casemate_plugin::{Error, Event, host, kv, log, plugin, publish};
use serde::{Deserialize, Serialize};

/// What the plugin is configured with.
#[derive(Debug, Deserialize)]
pub struct Config {
    owner: String,
}

/// A page by its name.
#[derive(Debug, Serialize, Deserialize)]
pub struct Page {
    page: String,
}

/// What `write` answers.
#[derive(Debug, Serialize)]
pub struct Written {
    owner: String,
    page: String,
}

/// What `read` answers.
#[derive(Debug, Serialize)]
pub struct Text {
    text: Option<String>,
}

/// What `erase` answers.
#[derive(Debug, Serialize)]
pub struct Erased {
    erased: bool,
}

/// What `pages` answers.
#[derive(Debug, Serialize)]
pub struct Pages {
    pages: Vec<String>,
}

/// What `now` answers.
#[derive(Debug, Serialize)]
pub struct Now {
    now: String,
}

/// What `heard` answers.
#[derive(Debug, Serialize)]
pub struct Heard {
    heard: u32,
}

/// The plugin.
#[derive(Debug)]
pub struct Notebook {
    owner: String,
    heard: u32,
}

#[plugin]
impl Notebook {
    fn init(config: Option<Config>) -> Result<Self, Error> {
        let owner = config.map_or_else(|| "nobody".to_owned(), |config| config.owner);
        if owner.is_empty() {
            return Err(Error::new("no_owner", "somebody must own it"));
        }
        Ok(Self { owner, heard: 0 })
    }

    /// Keeps a page, and tells of it.
    pub fn write(&self, page: String, text: String) -> Result<Written, Error> {
        kv::set(&page, text.as_bytes())?;
        publish("notes.written", &Page { page: page.clone() })?;
        log::info!("wrote {page}");
        Ok(Written { owner: self.owner.clone(), page })
    }

    /// A page's text.
    pub fn read(&self, Page { page }: Page) -> Result<Text, Error> {
        let bytes = kv::get(&page)?;
        Ok(Text { text: bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()) })
    }

    /// Forgets a page.
    pub fn erase(&self, Page { page }: Page) -> Result<Erased, Error> {
        Ok(Erased { erased: kv::delete(&page)? })
    }

    /// The names of all pages.
    pub fn pages(&self) -> Result<Pages, Error> {
        Ok(Pages { pages: kv::list("", None, 100)?.keys })
    }

    /// The time, by the host's clock.
    pub fn now(&self) -> Result<Now, Error> {
        Ok(Now { now: host::call("clock.now", &())? })
    }

    /// How many events it has heard.
    pub fn heard(&self) -> Heard {
        Heard { heard: self.heard }
    }

    /// Bytes from the last to the first.
    #[raw]
    fn reverse(&self, body: &[u8]) -> Vec<u8> {
        body.iter().rev().copied().collect()
    }

    #[event]
    fn hear(&mut self, event: Event<'_>) {
        log::info!("heard {}", event.topic());
        self.heard += 1;
    }
}
