//! What a plugin is and has, and the trait that `#[plugin]` implements.

use serde::Serialize;

use crate::__private::{Body, MethodSchemas, Reply};
use crate::{Error, Event};

/// A type that `#[plugin]` stands on. The attribute implements it; nobody else should.
pub trait Plugin: Sized + 'static {
    /// What the plugin says about itself.
    const DESCRIPTOR: Descriptor;

    #[doc(hidden)]
    fn schemas() -> Vec<MethodSchemas> {
        Vec::new()
    }

    #[doc(hidden)]
    fn start(config: Body<'_>) -> Result<Self, Error>;

    #[doc(hidden)]
    fn dispatch(&mut self, method: &str, body: Body<'_>) -> Result<Reply, Error>;

    #[doc(hidden)]
    fn event(&mut self, _event: Event<'_>) -> Result<(), Error> {
        Ok(())
    }
}

/// The answer of `casemate_describe`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Descriptor {
    /// The name of the crate.
    pub id: &'static str,
    /// The name of the type.
    pub name: &'static str,
    /// The version of the crate.
    pub version: &'static str,
    /// In the order in which they are written.
    pub methods: &'static [Method],
}

impl Descriptor {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(
        id: &'static str,
        name: &'static str,
        version: &'static str,
        methods: &'static [Method],
    ) -> Self {
        Descriptor { id, name, version, methods }
    }

    #[doc(hidden)]
    #[must_use]
    pub fn unknown_method(&self, method: &str) -> Error {
        let known: Vec<String> = self.methods.iter().map(|method| format!("`{}`", method.name)).collect();
        let message = format!("plugin `{}` has no method `{method}`; it has {}", self.id, known.join(", "));
        Error::new("unknown_method", message)
    }
}

/// One method of a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Method {
    /// What the host calls it by.
    pub name: &'static str,
    /// How its input and its answer are written.
    pub content: Content,
}

impl Method {
    #[doc(hidden)]
    #[must_use]
    pub const fn json(name: &'static str) -> Self {
        Method { name, content: Content::Json }
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn raw(name: &'static str) -> Self {
        Method { name, content: Content::Raw }
    }
}

/// How the bodies of a method are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// JSON in UTF-8.
    Json,
    /// Bytes.
    Raw,
}
