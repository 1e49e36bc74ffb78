//! Where a custom rule points.

use crate::resolve::{Deployment, Service};
use crate::source::Span;
use crate::yaml::Node;

/// A place in words: `env.NAME`, `flag.--name`, `field.a.b[0].c`, `image`, `service`, `deployment`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// The value of a variable.
    Env(String),
    /// A flag with its value.
    Flag(String),
    /// A field of the service as written, or of the object in a rule over deployments.
    Field(Vec<Step>),
    /// The image of the main container.
    Image,
    /// The name of the service.
    Service,
    /// The name of the deployment.
    Deployment,
}

/// One step into a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

impl At {
    /// Reads a place.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no place; write `env.NAME`, `flag.--name`, `field.path.to[0].it`, `image`, `service` or \
                 `deployment`"
            )
        };
        match text.split_once('.') {
            None => match text {
                "image" => Ok(Self::Image),
                "service" => Ok(Self::Service),
                "deployment" => Ok(Self::Deployment),
                _ => Err(wrong()),
            },
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.to_owned())),
            Some(("flag", name)) if name.starts_with('-') => Ok(Self::Flag(name.to_owned())),
            Some(("field", path)) => steps(path).map(Self::Field).ok_or_else(wrong),
            Some(_) => Err(wrong()),
        }
    }
}

fn steps(path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    for part in path.split('.') {
        let (key, mut rest) = part.split_at(part.find('[').unwrap_or(part.len()));
        if (key.is_empty() && rest.is_empty()) || key.contains(']') {
            return None;
        }
        if !key.is_empty() {
            steps.push(Step::Key(key.to_owned()));
        }
        while let Some(open) = rest.strip_prefix('[') {
            let (index, tail) = open.split_once(']')?;
            steps.push(Step::Index(index.parse().ok()?));
            rest = tail;
        }
        if !rest.is_empty() {
            return None;
        }
    }
    Some(steps)
}

/// The place in the manifest, when it is there.
pub(super) fn find(at: &At, deployment: &Deployment, service: Option<&Service>) -> Option<Span> {
    match at {
        At::Env(name) => {
            let setting = service?.env.get(name)?.winner();
            let value = setting.value.known().filter(|text| !text.is_empty()).map(crate::source::Text::span);
            value.filter(|_| setting.span.is_some()).or(setting.span).or(setting.entry_span)
        }
        At::Flag(name) => service?.flag(&[name]).map(crate::command::Flag::full_span),
        At::Field(steps) => {
            let start = service.map_or(&deployment.graph.object.node, |s| &s.component.node);
            steps.iter().try_fold(start, step).map(|n| n.span)
        }
        At::Image => service?.image.known().map(crate::source::Text::span),
        At::Service => service.map(|s| s.span),
        At::Deployment => deployment.graph.object.node.at(&["metadata", "name"]).map(|n| n.span),
    }
}

fn step<'a>(node: &'a Node, step: &Step) -> Option<&'a Node> {
    match step {
        Step::Key(key) => node.get(key),
        Step::Index(index) => node.as_seq()?.get(*index),
    }
}

/// Where a rule points when none of its places is there.
pub(super) fn fallback(deployment: &Deployment, service: Option<&Service>) -> Span {
    let name = || find(&At::Deployment, deployment, None);
    service.map(|s| s.span).or_else(name).unwrap_or(deployment.graph.object.node.span)
}

#[cfg(test)]
mod tests {
    use super::{At, Step};

    #[test]
    fn places_are_read() {
        let key = |k: &str| Step::Key(k.to_owned());
        assert_eq!(At::parse("env.UCX_TLS"), Ok(At::Env("UCX_TLS".to_owned())));
        assert_eq!(At::parse("flag.--model"), Ok(At::Flag("--model".to_owned())));
        assert_eq!(
            At::parse("field.podTemplate.spec.containers[0].image"),
            Ok(At::Field(vec![key("podTemplate"), key("spec"), key("containers"), Step::Index(0), key("image")]))
        );
        for wrong in ["", "env.", "flag.model", "field.", "field.a[x]", "field.a]b", "container"] {
            assert!(At::parse(wrong).is_err(), "{wrong}");
        }
    }
}
