//! JSON Schemas: those of our own files, made from the table of keys, and those that plugins bring.

use super::keys::{ASKED, CEILING, DEFAULTS, Key, Kind, MANIFEST, PLUGINS, Texts, WHOLE};
use casemate_protocol::certificate::Layer;
use jsonschema::{PatternOptions, Validator};
use serde_json::{Map, Value as Json, json};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of `casemate.toml`.
pub fn of_configuration() -> Json {
    whole("casemate.toml", WHOLE, PLUGINS, &[])
}

/// The schema of `plugin.toml`.
pub fn of_manifest() -> Json {
    whole("plugin.toml", MANIFEST, ASKED, &["id", "name", "version"])
}

fn whole(title: &str, keys: &[Key], section: u8, required: &[&str]) -> Json {
    let mut schema =
        Map::from_iter([("$schema".to_owned(), json!(DIALECT)), ("title".to_owned(), json!(title))]);
    if let Json::Object(members) = table(keys, section, required) {
        schema.extend(members);
    }
    Json::Object(schema)
}

fn table(keys: &[Key], section: u8, required: &[&str]) -> Json {
    let allowed = keys.iter().filter(|key| key.sections & section != 0);
    let members: Map<String, Json> = allowed.map(|key| (key.name.to_owned(), member(key, section))).collect();
    let mut schema = json!({"type": "object", "properties": members, "additionalProperties": false});
    if let (Json::Object(object), false) = (&mut schema, required.is_empty()) {
        object.insert("required".to_owned(), json!(required));
    }
    schema
}

fn member(key: &Key, section: u8) -> Json {
    let section = match key.name {
        "defaults" => DEFAULTS,
        "ceiling" => CEILING,
        _ => section,
    };
    let mut schema = match kind(&key.kind, section) {
        Json::Object(schema) => schema,
        other => return other,
    };
    schema.insert("description".to_owned(), json!(key.doc));
    if let Some(default) = key.default() {
        schema.insert("default".to_owned(), default.to_json());
    }
    Json::Object(schema)
}

fn kind(kind: &Kind, section: u8) -> Json {
    let text = |pattern: &str| json!({"type": "string", "pattern": pattern});
    match kind {
        Kind::Bytes => {
            json!({"type": ["string", "integer"], "pattern": "^ *[0-9]+ *(B|KB|MB|GB|KiB|MiB|GiB)? *$", "minimum": 0})
        }
        Kind::BytesPerSecond => text("^ *[0-9]+ *(B|KB|MB|GB|KiB|MiB|GiB)?/s *$"),
        Kind::Time => text("^ *[0-9]+ *(ms|s|min|h) *$"),
        Kind::Count => json!({"type": "integer", "minimum": 0}),
        Kind::Percent => text("^[0-9]+ *%$"),
        Kind::Hundredths => json!({"type": "number", "minimum": 0}),
        Kind::Rate => text("^[0-9]+ */ *(s|min|h)$"),
        Kind::Flag => json!({"type": "boolean"}),
        Kind::Word(words) => json!({"type": "string", "enum": words}),
        Kind::Text => json!({"type": "string"}),
        Kind::Texts(texts) => json!({"type": "array", "items": item(*texts)}),
        Kind::Options => json!({"type": "object", "additionalProperties": {"type": "string"}}),
        Kind::Schema => json!({"type": ["object", "boolean", "string"]}),
        Kind::Json => json!({}),
        Kind::Table(keys) => table(keys, section, &[]),
        Kind::Named(keys) => json!({"type": "object", "additionalProperties": table(keys, section, &[])}),
        Kind::Many(keys) => json!({"type": "array", "items": table(keys, section, &[])}),
    }
}

fn item(texts: Texts) -> Json {
    match texts {
        Texts::HostMethods | Texts::Consent => {
            json!({"type": "string", "pattern": "^[^*]*\\*?$", "minLength": 1, "maxLength": 256})
        }
        Texts::Layers => {
            let names: Vec<_> = Layer::all().map(Layer::name).chain(["namespaces", "all"]).collect();
            json!({"type": "string", "enum": names})
        }
        Texts::Rights => json!({"type": "string", "enum": ["call", "serve", "admin"]}),
        Texts::Files => json!({"type": "string", "pattern": "^(read|write):/[^=]*(=.+)?$"}),
        Texts::Variables => json!({"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*(=.*)?$"}),
        Texts::Events | Texts::Hosts | Texts::Command | Texts::Paths | Texts::Folders | Texts::Plugins => {
            json!({"type": "string", "minLength": 1})
        }
    }
}

/// A schema that somebody brought, ready to judge; or why it is none.
///
/// Its patterns are matched in linear time, and nothing is fetched for it.
pub(super) fn validator(schema: &Json) -> Result<Validator, String> {
    let options = jsonschema::options().with_pattern_options(PatternOptions::regex());
    options
        .build(schema)
        .map_err(|error| one_line(&format!("{error} at {:?}", error.instance_path().as_str())))
}

/// Whether a value fits a schema; if not, why.
pub(super) fn fits(schema: &Json, value: &Json) -> Result<(), String> {
    validator(schema)?
        .validate(value)
        .map_err(|error| one_line(&format!("{error} at {:?}", error.instance_path().as_str())))
}

fn one_line(text: &str) -> String {
    casemate_protocol::outcome::escape(text, 400)
}
