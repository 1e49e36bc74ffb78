//! Values as text.

use crate::source::{Edit, SourceFile, Sources};
use crate::yaml::{self, Limits, Node, Style, Typed};

/// A value to be written.
#[derive(Clone, Debug, PartialEq)]
pub enum New {
    /// A string, quoted where it would be read as something else.
    Text(String),
    /// A number, boolean or the like, as it stands.
    Plain(String),
    /// A mapping.
    Map(Vec<(String, New)>),
    /// A list.
    Seq(Vec<New>),
}

impl New {
    /// A string.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// `{name: …, value: …}`
    #[must_use]
    pub fn env(name: &str, value: &str) -> Self {
        Self::Map(vec![("name".to_owned(), Self::text(name)), ("value".to_owned(), Self::text(value))])
    }

    /// In flow style, strings quoted as `style` where they can be.
    pub(super) fn flow(&self, style: Style) -> String {
        match self {
            Self::Text(text) => quoted(text, style, true),
            Self::Plain(text) => text.clone(),
            Self::Map(entries) => {
                let entries: Vec<String> =
                    entries.iter().map(|(key, value)| format!("{key}: {}", value.flow(keyed(key, style)))).collect();
                format!("{{{}}}", entries.join(", "))
            }
            Self::Seq(items) => {
                let items: Vec<String> = items.iter().map(|item| item.flow(style)).collect();
                format!("[{}]", items.join(", "))
            }
        }
    }

    /// In block style behind a dash or at the start of a line that is indented by `indent`.
    pub(super) fn block(&self, indent: &str, line: &str, style: Style) -> String {
        match self {
            Self::Text(text) => quoted(text, style, false),
            Self::Plain(text) => text.clone(),
            Self::Map(entries) => {
                let entries: Vec<String> = entries
                    .iter()
                    .map(|(key, value)| format!("{key}:{}", value.behind_key(indent, line, keyed(key, style))))
                    .collect();
                entries.join(&format!("{line}{indent}"))
            }
            Self::Seq(items) => {
                let deeper = format!("{indent}  ");
                let items: Vec<String> =
                    items.iter().map(|item| format!("- {}", item.block(&deeper, line, style))).collect();
                items.join(&format!("{line}{indent}"))
            }
        }
    }

    /// What stands behind the colon of a key that is indented by `indent`.
    pub(super) fn behind_key(&self, indent: &str, line: &str, style: Style) -> String {
        match self {
            Self::Map(entries) if !entries.is_empty() => {
                let deeper = format!("{indent}  ");
                format!("{line}{deeper}{}", self.block(&deeper, line, style))
            }
            Self::Seq(items) if !items.is_empty() => {
                let deeper = format!("{indent}  ");
                format!("{line}{deeper}{}", self.block(&deeper, line, style))
            }
            Self::Map(_) | Self::Seq(_) => format!(" {}", self.flow(style)),
            Self::Text(_) | Self::Plain(_) => format!(" {}", self.block(indent, line, style)),
        }
    }
}

/// Names are written plain, whatever the values beside them look like.
fn keyed(key: &str, style: Style) -> Style {
    if key == "name" { Style::Plain } else { style }
}

/// A string as a scalar, in that style where it can be written so: plain only when it then is read as this very string.
#[must_use]
pub fn quoted(text: &str, style: Style, flow: bool) -> String {
    let single = || format!("'{}'", text.replace('\'', "''"));
    // JSON strings are YAML strings.
    let double = || serde_json::to_string(text).unwrap_or_else(|_| single());
    let control = text.chars().any(|c| c.is_control());
    match style {
        _ if control => double(),
        Style::Single => single(),
        Style::Double if text.contains(['"', '\\']) && !text.contains('\'') => single(),
        Style::Double => double(),
        _ if plain(text, flow) => text.to_owned(),
        _ if text.contains(['"', '\\']) => single(),
        _ => double(),
    }
}

/// Whether the text, written without quotes, is read as this very string: the reader itself says so.
fn plain(text: &str, flow: bool) -> bool {
    let line = if flow { format!("k: [{text}]\n") } else { format!("k: {text}\n") };
    let file = Sources::new().add(String::new(), None, line);
    let stream = yaml::parse(&file, &Limits::default());
    let root = stream.documents.first().and_then(|document| document.root.as_ref());
    let value = root.and_then(|root| root.get("k"));
    let value = if flow { value.and_then(|list| list.as_seq()?.first()) } else { value };
    let same = value.and_then(Node::as_scalar).is_some_and(|s| s.typed == Typed::Str && &*s.value == text);
    let alone = !flow || root.and_then(|root| root.get("k")?.as_seq()).is_some_and(|items| items.len() == 1);
    same && alone
        && stream.problems.is_empty()
        && stream.comments.is_empty()
        && root.is_some_and(|r| r.entries().count() == 1)
}

/// Replaces the value of a scalar by a string, quoted as it was. `None` for block scalars, for aliases (what they name
/// is used elsewhere too), and for scalars that are not written where they stand.
#[must_use]
pub fn replace(node: &Node, file: &SourceFile, text: &str) -> Option<Edit> {
    let scalar = node.as_scalar()?;
    if node.alias().is_some() || scalar.origin.is_some() || node.span.file != file.id || node.span.is_empty() {
        return None;
    }
    if matches!(scalar.style, Style::Literal | Style::Folded) {
        return None;
    }
    // What may stand unquoted in a block may end a value in a flow collection.
    let flow = scalar.style == Style::Plain && !plain_anywhere(text);
    Some(Edit {
        span: node.span,
        text: if flow { quoted(text, Style::Double, false) } else { quoted(text, scalar.style, false) },
    })
}

fn plain_anywhere(text: &str) -> bool {
    plain(text, true) && plain(text, false)
}
