//! The `#[plugin]` attribute of `casemate-plugin`, which re-exports it; nothing else depends on this crate.
//!
//! `parse` reads the impl block into a `model::PluginImpl` or says what is wrong with it, `emit` turns that into
//! one trait impl and one macro call. All behaviour is in `casemate-plugin`: what is generated here only names the
//! methods and calls library functions.

mod emit;
mod model;
mod parse;

use proc_macro::TokenStream;

/// Makes the type of an `impl` block the plugin of this crate.
///
/// # What becomes a method
///
/// Every `pub fn` with `&self` or `&mut self` is a method that the host can call by its name. Private functions and
/// functions without `self` are left alone, with two exceptions:
///
/// * `fn init(..)` without `self` builds the plugin from the configuration; without it the type must be [`Default`].
/// * a function marked `#[raw]` is a method also when it is private.
///
/// # Arguments
///
/// | arguments | the request's body |
/// |---|---|
/// | none | nothing, `null`, `{}` or `[]` |
/// | one | the JSON value itself, any type that serde can deserialize |
/// | several | a JSON object with one member per parameter; an `Option` parameter may be missing |
/// | `#[raw]`: none, or one of `&[u8]` or `Vec<u8>` | the bytes as they came |
///
/// `init` takes its configuration the same way. Where the host gave none, it reads it as `null`, then as `{}`.
///
/// # Schemas
///
/// `#[plugin(schemas)]` has `casemate_describe` tell a JSON Schema of each method's input and answer, made from their types: each
/// has to be `schemars::JsonSchema`, and `casemate-plugin` needs its feature `schemas`. Of a `Result` it is the first parameter that
/// counts; the type has to be written as one, not as an alias.
///
/// # Results
///
/// A method answers with any type that serde can serialize (`#[raw]`: anything that is `AsRef<[u8]>`), or with a
/// `Result` of that and of anything that turns into `casemate_plugin::Error`. `init` answers `Self` or such a `Result`.
///
/// # Events
///
/// At most one function may be marked `#[event]`; it takes one `casemate_plugin::Event` and answers nothing or a
/// `Result` of nothing. The export `casemate_event` exists only then.
///
/// One crate holds one plugin: the exports have fixed names.
#[proc_macro_attribute]
pub fn plugin(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = parse::plugin_impl(arguments.into(), item.into()).map(emit::plugin);
    expanded.unwrap_or_else(syn::Error::into_compile_error).into()
}
