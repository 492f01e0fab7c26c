//! Values of component types as JSON, and back.
//!
//! | type | JSON |
//! |---|---|
//! | bool, integers, string | itself; a 64-bit integer may also be given as a text, for whoever has no such numbers |
//! | floats | a number, or `"NaN"`, `"inf"`, `"-inf"` |
//! | char | a text of one character |
//! | list, tuple | an array |
//! | record | an object with all of its fields |
//! | variant | `"case"`, or `{"case": value}` |
//! | enum | its name |
//! | flags | an array of the names that are set |
//! | option | null, or the value; of an option within an option `{"some": value}` |
//! | result | `{"ok": value}` or `{"err": value}` |
//! | resource | `{"resource": number}`, as long as the instance lives |

use serde_json::{Map, Number, Value};
use wasmtime::component::types::Record;
use wasmtime::component::{ResourceAny, Type, Val};

/// Resources that a component has handed out.
#[derive(Default)]
pub(super) struct Resources(Vec<Option<ResourceAny>>);

impl Resources {
    fn keep(&mut self, resource: ResourceAny) -> Value {
        self.0.push(Some(resource));
        serde_json::json!({"resource": self.0.len() - 1})
    }

    /// A resource by its number; an owned one is given away.
    fn find(&mut self, value: &Value, owned: bool) -> Option<ResourceAny> {
        let number = usize::try_from(value.get("resource")?.as_u64()?).ok()?;
        let place = self.0.get_mut(number)?;
        if owned { place.take() } else { *place }
    }
}

/// A value of a type, or what is wrong with it.
pub(super) fn value(ty: &Type, json: &Value, resources: &mut Resources) -> Result<Val, String> {
    if let Some(value) = plain(ty, json)? {
        return Ok(value);
    }
    let wrong = |wanted: &str| format!("{} is no {wanted}", shown(json));
    Ok(match ty {
        Type::List(list) => {
            let ty = list.ty();
            let items = json.as_array().ok_or_else(|| wrong("list"))?;
            Val::List(items.iter().map(|item| value(&ty, item, resources)).collect::<Result<_, _>>()?)
        }
        Type::Tuple(tuple) => {
            Val::Tuple(values(tuple.types(), json, resources).ok_or_else(|| wrong("tuple"))??)
        }
        Type::Record(record) => of_record(record, json, resources)?,
        Type::Variant(variant) => {
            let (name, payload) = case(json).ok_or_else(|| wrong("variant"))?;
            let case = variant.cases().find(|case| case.name == name);
            let case = case.ok_or_else(|| format!("there is no case {name:?}"))?;
            let payload = optional(case.ty.as_ref(), payload, resources)?;
            Val::Variant(name.to_owned(), payload)
        }
        Type::Enum(names) => {
            let name = json.as_str().filter(|name| names.names().any(|known| known == *name));
            Val::Enum(name.ok_or_else(|| wrong("name of this enum"))?.to_owned())
        }
        Type::Flags(names) => {
            let set = json.as_array().ok_or_else(|| wrong("list of flags"))?;
            let known = |name: &Value| {
                let name = name.as_str().filter(|name| names.names().any(|known| known == *name));
                name.map(str::to_owned).ok_or_else(|| wrong("list of these flags"))
            };
            Val::Flags(set.iter().map(known).collect::<Result<_, _>>()?)
        }
        Type::Option(option) => match (option.ty(), json) {
            (_, Value::Null) => Val::Option(None),
            (inner @ Type::Option(_), json) => {
                let some = json.get("some").ok_or_else(|| wrong("option within an option"))?;
                Val::Option(Some(Box::new(value(&inner, some, resources)?)))
            }
            (inner, json) => Val::Option(Some(Box::new(value(&inner, json, resources)?))),
        },
        Type::Result(result) => {
            let (name, payload) = case(json).ok_or_else(|| wrong("result"))?;
            match name {
                "ok" => Val::Result(Ok(optional(result.ok().as_ref(), payload, resources)?)),
                "err" => Val::Result(Err(optional(result.err().as_ref(), payload, resources)?)),
                _ => return Err(wrong("result")),
            }
        }
        Type::Own(_) => Val::Resource(resources.find(json, true).ok_or_else(|| wrong("resource"))?),
        Type::Borrow(_) => Val::Resource(resources.find(json, false).ok_or_else(|| wrong("resource"))?),
        _ => return Err("values of this type cannot be given".to_owned()),
    })
}

fn of_record(record: &Record, json: &Value, resources: &mut Resources) -> Result<Val, String> {
    let wrong = |wanted: &str| format!("{} is no {wanted}", shown(json));
    let object = json.as_object().ok_or_else(|| wrong("record"))?;
    let known = |name: &str| record.fields().any(|field| field.name == name);
    if let Some(name) = object.keys().find(|name| !known(name)) {
        return Err(format!("there is no field {name:?}"));
    }
    let field = |name: &str, ty: &Type, resources: &mut Resources| {
        let missing = matches!(ty, Type::Option(_)).then_some(&Value::Null);
        let json = object.get(name).or(missing).ok_or_else(|| format!("the field {name:?} is missing"))?;
        value(ty, json, resources).map_err(|why| format!("{name}: {why}"))
    };
    let mut fields = Vec::new();
    for part in record.fields() {
        fields.push((part.name.to_owned(), field(part.name, &part.ty, resources)?));
    }
    Ok(Val::Record(fields))
}

/// One without parts, if the type is of that kind.
fn plain(ty: &Type, json: &Value) -> Result<Option<Val>, String> {
    let wrong = |wanted: &str| format!("{} is no {wanted}", shown(json));
    Ok(Some(match ty {
        Type::Bool => Val::Bool(json.as_bool().ok_or_else(|| wrong("bool"))?),
        Type::S8 => Val::S8(signed(json).ok_or_else(|| wrong("s8"))?),
        Type::U8 => Val::U8(unsigned(json).ok_or_else(|| wrong("u8"))?),
        Type::S16 => Val::S16(signed(json).ok_or_else(|| wrong("s16"))?),
        Type::U16 => Val::U16(unsigned(json).ok_or_else(|| wrong("u16"))?),
        Type::S32 => Val::S32(signed(json).ok_or_else(|| wrong("s32"))?),
        Type::U32 => Val::U32(unsigned(json).ok_or_else(|| wrong("u32"))?),
        Type::S64 => Val::S64(signed(json).ok_or_else(|| wrong("s64"))?),
        Type::U64 => Val::U64(unsigned(json).ok_or_else(|| wrong("u64"))?),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the nearest number of its type is what is asked for"
        )]
        Type::Float32 => Val::Float32(float(json).ok_or_else(|| wrong("f32"))? as f32),
        Type::Float64 => Val::Float64(float(json).ok_or_else(|| wrong("f64"))?),
        Type::Char => Val::Char(char_of(json).ok_or_else(|| wrong("char"))?),
        Type::String => Val::String(json.as_str().ok_or_else(|| wrong("string"))?.to_owned()),
        _ => return Ok(None),
    }))
}

/// As many values as there are types.
pub(super) fn values(
    types: impl ExactSizeIterator<Item = Type>,
    json: &Value,
    resources: &mut Resources,
) -> Option<Result<Vec<Val>, String>> {
    let items = json.as_array().filter(|items| items.len() == types.len())?;
    Some(types.zip(items).map(|(ty, item)| value(&ty, item, resources)).collect())
}

fn optional(
    ty: Option<&Type>,
    payload: Option<&Value>,
    resources: &mut Resources,
) -> Result<Option<Box<Val>>, String> {
    match (ty, payload) {
        (None, None | Some(Value::Null)) => Ok(None),
        (None, Some(payload)) => Err(format!("{} is too much: this case has no value", shown(payload))),
        (Some(ty), payload) => Ok(Some(Box::new(value(ty, payload.unwrap_or(&Value::Null), resources)?))),
    }
}

/// `"case"`, or `{"case": payload}`.
fn case(json: &Value) -> Option<(&str, Option<&Value>)> {
    match json {
        Value::String(name) => Some((name, None)),
        Value::Object(object) if object.len() == 1 => {
            object.iter().next().map(|(name, payload)| (name.as_str(), Some(payload)))
        }
        _ => None,
    }
}

fn shown(json: &Value) -> String {
    let text = json.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn signed<T: TryFrom<i64>>(json: &Value) -> Option<T> {
    let number = json.as_i64().or_else(|| json.as_str()?.parse().ok())?;
    T::try_from(number).ok()
}

fn unsigned<T: TryFrom<u64>>(json: &Value) -> Option<T> {
    let number = json.as_u64().or_else(|| json.as_str()?.parse().ok())?;
    T::try_from(number).ok()
}

fn float(json: &Value) -> Option<f64> {
    json.as_f64().or_else(|| match json.as_str()? {
        "NaN" => Some(f64::NAN),
        "inf" => Some(f64::INFINITY),
        "-inf" => Some(f64::NEG_INFINITY),
        _ => None,
    })
}

fn char_of(json: &Value) -> Option<char> {
    let mut chars = json.as_str()?.chars();
    chars.next().filter(|_| chars.next().is_none())
}

/// A value as JSON.
pub(super) fn json(value: &Val, resources: &mut Resources) -> Value {
    let mut all = |values: &[Val]| Value::Array(values.iter().map(|value| json(value, resources)).collect());
    match value {
        Val::Bool(value) => (*value).into(),
        Val::S8(value) => (*value).into(),
        Val::U8(value) => (*value).into(),
        Val::S16(value) => (*value).into(),
        Val::U16(value) => (*value).into(),
        Val::S32(value) => (*value).into(),
        Val::U32(value) => (*value).into(),
        Val::S64(value) => (*value).into(),
        Val::U64(value) => (*value).into(),
        Val::Float32(value) => number((*value).into()),
        Val::Float64(value) => number(*value),
        Val::Char(value) => value.to_string().into(),
        Val::String(value) | Val::Enum(value) => value.as_str().into(),
        Val::List(values) | Val::Tuple(values) | Val::FixedLengthList(values) => all(values),
        Val::Map(pairs) => {
            let pair = |(key, value): &(Val, Val), resources: &mut Resources| {
                Value::Array(vec![json(key, resources), json(value, resources)])
            };
            Value::Array(pairs.iter().map(|both| pair(both, resources)).collect())
        }
        Val::Record(fields) => {
            let field = |(name, value): &(String, Val), resources: &mut Resources| {
                (name.clone(), json(value, resources))
            };
            Value::Object(fields.iter().map(|both| field(both, resources)).collect())
        }
        Val::Variant(name, None) => name.as_str().into(),
        Val::Variant(name, Some(payload)) => one(name, json(payload, resources)),
        Val::Option(None) => Value::Null,
        Val::Option(Some(inner)) => match &**inner {
            Val::Option(_) => one("some", json(inner, resources)),
            inner => json(inner, resources),
        },
        Val::Result(Ok(payload)) => one("ok", of_payload(payload.as_deref(), resources)),
        Val::Result(Err(payload)) => one("err", of_payload(payload.as_deref(), resources)),
        Val::Flags(names) => names.iter().map(String::as_str).collect(),
        Val::Resource(resource) => resources.keep(*resource),
        Val::Future(_) | Val::Stream(_) | Val::ErrorContext(_) => Value::Null,
    }
}

/// What a case carries.
pub(super) fn of_payload(payload: Option<&Val>, resources: &mut Resources) -> Value {
    payload.map_or(Value::Null, |payload| json(payload, resources))
}

fn one(name: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(name.to_owned(), value)]))
}

fn number(value: f64) -> Value {
    Number::from_f64(value).map_or_else(|| value.to_string().into(), Value::Number)
}
