//! What `#[plugin]` found in an impl block: enough to emit from, and already known to be sound.

use proc_macro2::Span;
use syn::{Attribute, Ident, ItemImpl, Type};

/// A plugin's impl block and the functions in it that the host may reach.
pub(crate) struct PluginImpl {
    /// The block as written, without the marker attributes.
    pub(crate) block: ItemImpl,
    /// The last segment of the type's path: the plugin's `name`.
    pub(crate) type_name: String,
    /// `fn init(..)`, when there is one.
    pub(crate) init: Option<Function>,
    /// The function marked `#[event]`.
    pub(crate) event: Option<Ident>,
    /// Whether `describe` tells the types of arguments and answers too.
    pub(crate) schemas: bool,
    /// In the order they are written, which is the order in which `describe` lists them.
    pub(crate) methods: Vec<Method>,
}

/// A function that the host calls by name.
pub(crate) struct Method {
    pub(crate) function: Function,
    pub(crate) content: Content,
}

/// How the bodies of a method are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Json,
    Raw,
}

/// The part of a function's signature that matters for calling it.
pub(crate) struct Function {
    pub(crate) ident: Ident,
    /// The `#[cfg]`s it stands under: what calls it must stand under the same.
    pub(crate) cfgs: Vec<Attribute>,
    /// Parameters without `self`.
    pub(crate) parameters: Vec<Parameter>,
    /// Where the type of the answer stands, for errors about it.
    pub(crate) answer: Span,
    /// What a caller gets, which of a `Result` is its first parameter; `None` is nothing.
    pub(crate) output: Option<Type>,
}

/// One parameter: the name that a JSON member must have, and the type, which lends its span to error messages.
pub(crate) struct Parameter {
    pub(crate) name: Option<String>,
    pub(crate) ty: Type,
}
