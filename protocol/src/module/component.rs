//! Which dialect a component speaks. Its facts name interfaces: an import is `interface` and function, an export
//! `interface#function`, or the function alone.

use super::dialect::{DetectError, Detected, Dialect};
use super::facts::{ExternKind, ModuleFacts};
use super::text::{Message, Name};

/// What begins so is known here. Network interfaces are among it: they are there, and denied.
const KNOWN: &[&str] = &[
    "casemate:plugin/",
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    "wasi:http/",
    "wasi:io/",
    "wasi:logging/",
    "wasi:random/",
    "wasi:sockets/",
];

/// Finds the dialect of a component; or sees to it that it has the one that is wanted.
pub(super) fn detect(facts: &ModuleFacts, wanted: Option<Dialect>) -> Result<Detected, DetectError> {
    let unknown = facts
        .imports()
        .iter()
        .find(|import| !KNOWN.iter().any(|known| import.module.as_str().starts_with(known)));
    if let Some(import) = unknown {
        return Err(DetectError::UnknownImport { module: import.module.clone(), name: import.name.clone() });
    }
    let exports = || facts.exports().iter().filter(|export| export.kind == ExternKind::Function);
    let has = |interface: &str, function: &str| {
        exports().any(|export| {
            let (of, name) = export.name.as_str().rsplit_once('#').unwrap_or_default();
            of.starts_with(interface) && name == function
        })
    };
    let found = |dialect, why: &str| Ok(Detected { dialect, why: Message::escaped(why) });
    let lacks =
        |what: &str| Err(DetectError::NoDialect { nearest: wanted, missing: vec![Name::escaped(what)] });
    let may_be = |dialect| wanted.is_none_or(|wanted| wanted == dialect);
    if may_be(Dialect::PluginComponent) && has("casemate:plugin/guest@", "call") {
        return found(Dialect::PluginComponent, "it exports casemate:plugin/guest");
    }
    if may_be(Dialect::CommandComponent) && has("wasi:cli/run@", "run") {
        return found(Dialect::CommandComponent, "it exports wasi:cli/run");
    }
    match (wanted, exports().count()) {
        (Some(Dialect::PluginComponent), _) => lacks("casemate:plugin/guest#call"),
        (Some(Dialect::CommandComponent), _) => lacks("wasi:cli/run#run"),
        (None | Some(Dialect::Component), 0) => lacks("any function"),
        (None | Some(Dialect::Component), count) => {
            found(Dialect::Component, &format!("it is a component that exports {count} functions"))
        }
        (Some(_), _) => lacks("what modules do: it is a component"),
    }
}
