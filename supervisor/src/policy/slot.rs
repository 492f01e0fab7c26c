//! One place in a policy, to read and to write: what ties a key of the table to a field.

use super::keys::Kind;
use super::value::{Value, layers, number};
use casemate_protocol::certificate::{Layer, LayerSet};
use casemate_protocol::module::Dialect;
use casemate_protocol::policy::{Isolation, Rate, Sandbox, Snapshot, Storage};
use std::collections::BTreeMap;
use std::time::Duration;

/// A field of a policy.
pub(super) enum Slot<'a> {
    U64(&'a mut u64),
    U32(&'a mut u32),
    MaybeU64(&'a mut Option<u64>),
    MaybeU32(&'a mut Option<u32>),
    Time(&'a mut Duration),
    MaybeTime(&'a mut Option<Duration>),
    Rate(&'a mut Option<Rate>),
    Texts(&'a mut Vec<String>),
    Options(&'a mut BTreeMap<String, String>),
    Layers(&'a mut LayerSet),
    Snapshot(&'a mut Snapshot),
    Isolation(&'a mut Isolation),
    Storage(&'a mut Storage),
    Sandbox(&'a mut Sandbox),
    Dialect(&'a mut Option<Dialect>),
}

const SNAPSHOTS: [(&str, Snapshot); 2] = [("module", Snapshot::Module), ("instance", Snapshot::Instance)];

const ISOLATIONS: [(&str, Isolation); 3] =
    [("call", Isolation::Call), ("client", Isolation::Client), ("plugin", Isolation::Plugin)];

const STORAGES: [(&str, Storage); 2] = [("none", Storage::None), ("vfs", Storage::Vfs)];

const SANDBOXES: [(&str, Sandbox); 2] = [("walled", Sandbox::Walled), ("none", Sandbox::None)];

impl Slot<'_> {
    /// What is there, as a value of a kind; `None` is no limit.
    pub(super) fn get(self, kind: &Kind) -> Option<Value> {
        match self {
            Self::U64(number) => Some(numeric(kind, *number)),
            Self::U32(number) => Some(numeric(kind, (*number).into())),
            Self::MaybeU64(number) => number.map(|number| numeric(kind, number)),
            Self::MaybeU32(number) => number.map(|number| numeric(kind, number.into())),
            Self::Time(time) => Some(Value::Time(*time)),
            Self::MaybeTime(time) => time.map(Value::Time),
            Self::Rate(rate) => rate.map(Value::Rate),
            Self::Texts(texts) => Some(Value::List(texts.clone())),
            Self::Options(options) => Some(Value::Options(options.clone())),
            Self::Layers(layers) => {
                Some(Value::List(layers.iter().map(Layer::name).map(str::to_owned).collect()))
            }
            Self::Snapshot(word) => named(&SNAPSHOTS, word),
            Self::Isolation(word) => named(&ISOLATIONS, word),
            Self::Storage(word) => named(&STORAGES, word),
            Self::Sandbox(word) => named(&SANDBOXES, word),
            Self::Dialect(dialect) => dialect.map(|dialect| Value::Text(dialect.name().to_owned())),
        }
    }

    /// Puts a value there. `None`: it does not fit.
    pub(super) fn set(self, value: &Value) -> Option<()> {
        match (self, value) {
            (Self::U64(place), value) => *place = number(value)?,
            (Self::U32(place), value) => *place = number(value)?.try_into().ok()?,
            (Self::MaybeU64(place), value) => *place = Some(number(value)?),
            (Self::MaybeU32(place), value) => *place = Some(number(value)?.try_into().ok()?),
            (Self::Time(place), Value::Time(time)) => *place = *time,
            (Self::MaybeTime(place), Value::Time(time)) => *place = Some(*time),
            (Self::Rate(place), Value::Rate(rate)) => *place = Some(*rate),
            (Self::Texts(place), Value::List(texts)) => place.clone_from(texts),
            (Self::Options(place), Value::Options(options)) => place.clone_from(options),
            (Self::Layers(place), Value::List(names)) => *place = layers(names),
            (Self::Snapshot(place), Value::Text(word)) => *place = meant(&SNAPSHOTS, word)?,
            (Self::Isolation(place), Value::Text(word)) => *place = meant(&ISOLATIONS, word)?,
            (Self::Storage(place), Value::Text(word)) => *place = meant(&STORAGES, word)?,
            (Self::Sandbox(place), Value::Text(word)) => *place = meant(&SANDBOXES, word)?,
            (Self::Dialect(place), Value::Text(name)) => *place = Some(Dialect::from_name(name)?),
            _ => return None,
        }
        Some(())
    }
}

fn named<T: PartialEq>(words: &[(&str, T)], wanted: &T) -> Option<Value> {
    words.iter().find(|(_, value)| value == wanted).map(|(word, _)| Value::Text((*word).to_owned()))
}

fn meant<T: Copy>(words: &[(&str, T)], wanted: &str) -> Option<T> {
    words.iter().find(|(word, _)| *word == wanted).map(|(_, value)| *value)
}

fn numeric(kind: &Kind, number: u64) -> Value {
    let small = || u32::try_from(number).unwrap_or(u32::MAX);
    match kind {
        Kind::Bytes => Value::Bytes(number),
        Kind::BytesPerSecond => Value::BytesPerSecond(number),
        Kind::Percent => Value::Percent(small()),
        Kind::Hundredths => Value::Hundredths(small()),
        _ => Value::Count(number),
    }
}
