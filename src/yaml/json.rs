//! A tree as JSON, the way the API server would see it, and JSON as a tree.

use std::sync::Arc;

use serde_json::{Number, Value};

use super::{Entry, Key, Kind, Map, Node, Scalar, Style, Typed};
use crate::source::{FileId, Span};

/// The JSON that a tree comes to. A number too large for JSON's own becomes null, as does one that is no number.
#[must_use]
pub fn json(node: &Node) -> Value {
    match &*node.kind {
        Kind::Map(map) => Value::Object(map.entries.iter().map(|e| (e.key.name.to_string(), json(&e.value))).collect()),
        Kind::Seq(items) => Value::Array(items.iter().map(json).collect()),
        Kind::Scalar(scalar) => match scalar.typed {
            Typed::Null => Value::Null,
            Typed::Bool(value) => Value::Bool(value),
            Typed::Int(value) => {
                i64::try_from(value.get()).map_or(Value::Null, |value| Value::Number(Number::from(value)))
            }
            Typed::Float(value) => Number::from_f64(value).map_or(Value::Null, Value::Number),
            Typed::Str => Value::String(scalar.value.to_string()),
        },
    }
}

/// A tree without places (every span is empty), for a document that nothing will point into. Much faster than reading JSON
/// as YAML. `None` when it is no JSON.
#[must_use]
pub fn from_json(bytes: &[u8]) -> Option<Node> {
    serde_json::from_slice(bytes).ok().map(node)
}

fn node(value: Value) -> Node {
    let span = Span::new(FileId(0), 0, 0);
    let scalar = |value: Arc<str>, typed| Kind::Scalar(Scalar { value, style: Style::Plain, typed, origin: None });
    let kind = match value {
        Value::Null => scalar("null".into(), Typed::Null),
        Value::Bool(value) => scalar(value.to_string().into(), Typed::Bool(value)),
        Value::Number(value) => {
            let whole = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
            let typed = whole
                .map_or_else(|| Typed::Float(value.as_f64().unwrap_or(f64::NAN)), |value| Typed::Int(value.into()));
            scalar(value.to_string().into(), typed)
        }
        Value::String(value) => scalar(value.into(), Typed::Str),
        Value::Array(items) => Kind::Seq(items.into_iter().map(node).collect()),
        Value::Object(map) => {
            let entry = |(name, value): (String, Value)| Entry {
                key: Key { name: name.into(), span },
                value: node(value),
                inherited: None,
            };
            Kind::Map(Map { entries: map.into_iter().map(entry).collect() })
        }
    };
    Node { span, marks: None, kind: Arc::new(kind) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;
    use crate::yaml::{self, Limits};

    #[test]
    fn json_read_as_json_is_json_read_as_yaml() {
        let text = r#"{"a": [1, -2, 1.5, true, null, "x\n\u00e9", ""], "b": {"c": {}, "d": []}, "a b": "5"}"#;
        let file = Sources::new().add("x.json".to_owned(), None, text);
        let stream = yaml::parse(&file, &Limits::default());
        let root = stream.documents[0].root.as_ref().expect("a document");
        let direct = from_json(text.as_bytes()).expect("JSON");
        assert_eq!(json(&direct), json(root));
        assert_eq!(direct.get("a b").and_then(Node::as_str), Some("5"));
        assert!(from_json(b"a: b").is_none());
    }
}
