//! JSON Schemas of a method's input and answer.

use serde_json::{Map, Value, json};

use crate::Descriptor;

/// Both of one method.
#[derive(Debug)]
pub struct MethodSchemas {
    name: &'static str,
    input: Value,
    output: Value,
}

impl MethodSchemas {
    /// The schemas of the method of that name.
    #[must_use]
    pub fn new(name: &'static str, input: Value, output: Value) -> Self {
        MethodSchemas { name, input, output }
    }
}

/// What a type is in JSON.
#[cfg(feature = "schemas")]
#[must_use]
pub fn schema<T: schemars::JsonSchema>() -> Value {
    schemars::schema_for!(T).to_value()
}

/// No argument, or no answer.
#[must_use]
pub fn nothing() -> Value {
    json!({ "type": "null" })
}

/// Several arguments: the members of an object. One that may be null may be missing.
#[must_use]
pub fn members(members: Vec<(&'static str, Value)>) -> Value {
    let required: Vec<&str> =
        members.iter().filter(|(_, schema)| !may_be_null(schema)).map(|(name, _)| *name).collect();
    let required = json!(required);
    let properties: Map<String, Value> =
        members.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn may_be_null(schema: &Value) -> bool {
    let is_null = |schema: &Value| schema.get("type").is_some_and(|ty| ty == "null");
    let listed = schema.get("type").and_then(Value::as_array);
    let any = schema.get("anyOf").and_then(Value::as_array);
    listed.is_some_and(|types| types.iter().any(|ty| ty == "null"))
        || any.is_some_and(|any| any.iter().any(is_null))
        || is_null(schema)
}

/// What a plugin says of itself, with the schemas beside its methods.
pub(crate) fn described(descriptor: &Descriptor, schemas: Vec<MethodSchemas>) -> Value {
    let mut described = json!(descriptor);
    let methods = described.get_mut("methods").and_then(Value::as_array_mut);
    for method in methods.into_iter().flatten() {
        let found =
            schemas.iter().find(|schemas| method.get("name").is_some_and(|name| name == schemas.name));
        if let (Some(method), Some(MethodSchemas { input, output, .. })) = (method.as_object_mut(), found) {
            method.insert("input".to_owned(), input.clone());
            method.insert("output".to_owned(), output.clone());
        }
    }
    described
}
