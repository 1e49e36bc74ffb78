//! A tree as JSON, the way the API server would see it.

use serde_json::{Number, Value};

use super::{Kind, Node, Typed};

/// The JSON that a tree comes to. A number too large for JSON's own becomes null, as does one that is no number.
#[must_use]
pub fn json(node: &Node) -> Value {
    match &*node.kind {
        Kind::Map(map) => Value::Object(map.entries.iter().map(|e| (e.key.name.to_string(), json(&e.value))).collect()),
        Kind::Seq(items) => Value::Array(items.iter().map(json).collect()),
        Kind::Scalar(scalar) => match scalar.typed {
            Typed::Null => Value::Null,
            Typed::Bool(value) => Value::Bool(value),
            Typed::Int(value) => i64::try_from(value).map_or(Value::Null, |value| Value::Number(Number::from(value))),
            Typed::Float(value) => Number::from_f64(value).map_or(Value::Null, Value::Number),
            Typed::Str => Value::String(scalar.value.to_string()),
        },
    }
}
