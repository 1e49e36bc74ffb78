//! `configurations` and `crds`: which fields the transformers touch, the built-in ones and those of the user
//! (`api/internal/plugins/builtinconfig/transformerconfig.go`, `api/internal/accumulator/loadconfigfromcrds.go`).

use super::specs::{self, Conflict, FieldSpec};
use crate::yaml::Node;

/// Deepest chain of `$ref` that is followed in a type's schema.
const MAX_REFS: usize = 32;

/// What a user's configuration may say.
const FIELDS: [&str; 11] = [
    "namePrefix",
    "nameSuffix",
    "namespace",
    "commonLabels",
    "labels",
    "templateLabels",
    "commonAnnotations",
    "nameReference",
    "varReference",
    "images",
    "replicas",
];

/// Fields that name an object of a kind. An empty group, version or kind stands for any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    /// The object that is named: group, version and kind of this, its path is empty.
    pub(super) target: FieldSpec,
    /// The fields that name it.
    pub(super) fields: Vec<FieldSpec>,
}

/// The fields of every transformer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Config {
    /// `namePrefix`
    pub(super) prefix: Vec<FieldSpec>,
    /// `nameSuffix`
    pub(super) suffix: Vec<FieldSpec>,
    /// `namespace`
    pub(super) namespace: Vec<FieldSpec>,
    /// `commonLabels`
    pub(super) common_labels: Vec<FieldSpec>,
    /// `labels`
    pub(super) labels: Vec<FieldSpec>,
    /// `labels` with `includeTemplates`
    pub(super) template_labels: Vec<FieldSpec>,
    /// `commonAnnotations`
    pub(super) annotations: Vec<FieldSpec>,
    /// `images`
    pub(super) images: Vec<FieldSpec>,
    /// `replicas`
    pub(super) replicas: Vec<FieldSpec>,
    /// Fields that name objects, besides the built-in ones.
    pub(super) references: Vec<Reference>,
    /// Fields in which variables are followed, besides the built-in ones.
    pub(super) variables: Vec<FieldSpec>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            prefix: specs::names(),
            suffix: specs::names(),
            namespace: specs::namespace(),
            common_labels: specs::common_labels(),
            labels: specs::plain_labels(),
            template_labels: specs::template_labels(),
            annotations: specs::annotations(),
            images: specs::images(),
            replicas: specs::replicas(),
            references: Vec::new(),
            variables: Vec::new(),
        }
    }
}

impl Config {
    /// Takes in one document of `configurations`.
    ///
    /// # Errors
    /// What kustomize refuses: an unknown field, a spec that contradicts another.
    pub(super) fn add(&mut self, document: &Node) -> Result<(), Conflict> {
        if let Some(entry) = document.entries().find(|e| !FIELDS.contains(&&*e.key.name)) {
            return Err(format!("a configuration has no `{}`", entry.key.name));
        }
        let list = |key: &str| FieldSpec::list(document.get(key));
        let reference = |node: &Node| Reference {
            target: FieldSpec { path: String::new(), create: false, ..FieldSpec::read(node) },
            fields: FieldSpec::list(node.get("fieldSpecs")),
        };
        self.merge(&Self {
            prefix: list("namePrefix"),
            suffix: list("nameSuffix"),
            namespace: list("namespace"),
            common_labels: list("commonLabels"),
            labels: list("labels"),
            template_labels: list("templateLabels"),
            annotations: list("commonAnnotations"),
            images: list("images"),
            replicas: list("replicas"),
            references: document.get("nameReference").into_iter().flat_map(Node::items).map(reference).collect(),
            variables: list("varReference"),
        })
    }

    fn refer(&mut self, target: FieldSpec, fields: &[FieldSpec]) -> Result<(), Conflict> {
        match self.references.iter_mut().find(|have| have.target == target) {
            Some(have) => specs::merge(&mut have.fields, fields),
            None => {
                self.references.push(Reference { target, fields: fields.to_vec() });
                Ok(())
            }
        }
    }

    /// Takes in another: what a base's says holds for those that build on it too.
    ///
    /// # Errors
    /// A spec that contradicts another.
    pub(super) fn merge(&mut self, other: &Self) -> Result<(), Conflict> {
        specs::merge(&mut self.prefix, &other.prefix)?;
        specs::merge(&mut self.suffix, &other.suffix)?;
        specs::merge(&mut self.namespace, &other.namespace)?;
        specs::merge(&mut self.common_labels, &other.common_labels)?;
        specs::merge(&mut self.labels, &other.labels)?;
        specs::merge(&mut self.template_labels, &other.template_labels)?;
        specs::merge(&mut self.annotations, &other.annotations)?;
        specs::merge(&mut self.images, &other.images)?;
        specs::merge(&mut self.replicas, &other.replicas)?;
        specs::merge(&mut self.variables, &other.variables)?;
        other.references.iter().try_for_each(|r| self.refer(r.target.clone(), &r.fields))
    }

    /// Takes in a file of `crds`: OpenAPI definitions by type name, whose extensions say which fields are annotations,
    /// labels, names and references.
    ///
    /// # Errors
    /// A spec that contradicts another.
    pub(super) fn add_types(&mut self, types: &Node) -> Result<(), Conflict> {
        for entry in types.entries() {
            let Some(properties) = properties(&entry.value) else { continue };
            if ["kind", "apiVersion", "metadata"].iter().any(|key| properties.get(key).is_none()) {
                continue;
            }
            let kind = entry.key.name.rsplit('.').next().unwrap_or_default();
            self.add_type(types, kind, &entry.value, &mut Vec::new())?;
        }
        Ok(())
    }

    fn add_type(&mut self, types: &Node, kind: &str, of: &Node, path: &mut Vec<String>) -> Result<(), Conflict> {
        if path.len() > MAX_REFS {
            return Ok(());
        }
        for property in properties(of).into_iter().flat_map(Node::entries) {
            let text = |key: &str| property.value.get(key).and_then(Node::as_text);
            path.push(property.key.name.to_string());
            let field = |path: &[String]| FieldSpec {
                group: String::new(),
                version: String::new(),
                kind: kind.to_owned(),
                path: path.join("/"),
                create: false,
            };
            if text("x-kubernetes-annotation").is_some() {
                specs::merge(&mut self.annotations, &[field(path)])?;
            }
            if text("x-kubernetes-label-selector").is_some() {
                specs::merge(&mut self.common_labels, &[field(path)])?;
            }
            if text("x-kubernetes-identity").is_some() {
                specs::merge(&mut self.prefix, &[field(path)])?;
            }
            let named = text("x-kubernetes-object-ref-api-version").zip(text("x-kubernetes-object-ref-kind"));
            if let Some((version, kind)) = named {
                let key = text("x-kubernetes-object-ref-name-key").unwrap_or("name");
                path.push(key.to_owned());
                let target = FieldSpec {
                    group: String::new(),
                    version: version.to_owned(),
                    kind: kind.to_owned(),
                    path: String::new(),
                    create: false,
                };
                self.refer(target, &[field(path)])?;
                path.pop();
            }
            if let Some(next) = text("$ref").and_then(|name| types.get(name)) {
                self.add_type(types, kind, next, path)?;
            }
            path.pop();
        }
        Ok(())
    }
}

/// The properties of an OpenAPI definition as Go writes it out.
fn properties(definition: &Node) -> Option<&Node> {
    definition.get("Schema").or_else(|| definition.get("schema"))?.get("properties")
}
