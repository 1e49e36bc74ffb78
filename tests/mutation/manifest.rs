//! A manifest that mistakes can be planted in. Works on plain YAML values, not on dynlint's own tree, so that what is
//! planted does not lean on what is tested.

use regex_lite::Regex;
use serde_yaml::{Mapping, Value};

/// One change to a service.
#[derive(Clone, Debug)]
pub enum Op {
    /// Sets a variable of the container.
    Env(&'static str, String),
    /// Gives a flag to the Dynamo module: what stood before of that name goes; `None` for a switch.
    Flag(&'static str, Option<String>),
    /// Takes a flag away, and its value when it has one.
    NoFlag(&'static str, bool),
    /// Sets a limit and request of a device resource.
    Device(&'static str, &'static str),
    /// Takes every device resource away.
    NoDevice,
    /// Sets the number of replicas.
    Replicas(u64),
    /// Sets `subComponentType` (v1alpha1) or `type` (v1beta1).
    Kind(&'static str),
    /// What no other says: a change of its own.
    Edit(fn(&mut Manifest, &str) -> Option<()>),
}

/// A file with one deployment in it.
#[derive(Clone)]
pub struct Manifest {
    documents: Vec<Value>,
    graph: usize,
}

impl Manifest {
    /// Reads a file; none when it does not hold exactly one deployment, or is not plain YAML.
    pub fn read(text: &str) -> Option<Self> {
        let mut documents = Vec::new();
        for document in serde_yaml::Deserializer::from_str(text) {
            let mut value: Value = serde::Deserialize::deserialize(document).ok()?;
            value.apply_merge().ok()?;
            if !value.is_null() {
                documents.push(value);
            }
        }
        let mut graphs = documents.iter().enumerate().filter(|(_, d)| d["kind"] == "DynamoGraphDeployment");
        let graph = graphs.next()?.0;
        (graphs.next().is_none()).then_some(())?;
        Some(Self { documents, graph })
    }

    /// The file as text: JSON, which is YAML in which `no` and the like stay strings.
    pub fn write(&self) -> String {
        let json = |d: &Value| serde_json::to_string_pretty(d).expect("string keys");
        self.documents.iter().map(|d| format!("---\n{}\n", json(d))).collect()
    }

    /// The documents, whatever they are.
    pub fn documents(&mut self) -> &mut Vec<Value> {
        &mut self.documents
    }

    /// The document of the deployment.
    pub fn graph(&mut self) -> &mut Value {
        &mut self.documents[self.graph]
    }

    /// A service by name.
    pub fn service(&mut self, name: &str) -> Option<&mut Mapping> {
        let spec = self.documents[self.graph].get_mut("spec")?;
        if spec.get("services").is_some() {
            return spec["services"].get_mut(name)?.as_mapping_mut();
        }
        let list = spec.get_mut("components")?.as_sequence_mut()?;
        list.iter_mut().find(|c| c["name"] == name)?.as_mapping_mut()
    }

    /// The pod of a service.
    pub fn pod(&mut self, name: &str) -> Option<&mut Mapping> {
        let service = self.service(name)?;
        if service.contains_key("podTemplate") {
            return service.get_mut("podTemplate")?.get_mut("spec")?.as_mapping_mut();
        }
        service.get_mut("extraPodSpec")?.as_mapping_mut()
    }

    /// The main container of a service.
    pub fn container(&mut self, name: &str) -> Option<&mut Mapping> {
        let service = self.service(name)?;
        if service.contains_key("podTemplate") {
            let list = service.get_mut("podTemplate")?.get_mut("spec")?.get_mut("containers")?.as_sequence_mut()?;
            return list.iter_mut().find(|c| c["name"] == "main")?.as_mapping_mut();
        }
        service.get_mut("extraPodSpec")?.get_mut("mainContainer")?.as_mapping_mut()
    }

    /// Makes a change. `None` when it has no place in this manifest.
    pub fn apply(&mut self, service: &str, op: &Op) -> Option<()> {
        match op {
            Op::Env(name, value) => self.set_env(service, name, value),
            Op::Flag(flag, value) => {
                self.drop_flag(service, flag, value.is_some());
                self.add_flag(service, flag, value.as_deref())
            }
            Op::NoFlag(flag, valued) => {
                self.drop_flag(service, flag, *valued);
                Some(())
            }
            Op::Device(name, count) => self.device(service, name, count),
            Op::NoDevice => {
                self.each_resources(service, |resources| {
                    for list in ["limits", "requests"] {
                        let Some(map) = resources.get_mut(list).and_then(Value::as_mapping_mut) else { continue };
                        map.retain(|k, _| !k.as_str().is_some_and(is_device));
                        if let Some(custom) = map.get_mut("custom").and_then(Value::as_mapping_mut) {
                            custom.retain(|k, _| !k.as_str().is_some_and(is_device));
                        }
                    }
                });
                Some(())
            }
            Op::Replicas(n) => {
                self.service(service)?.insert("replicas".into(), (*n).into());
                Some(())
            }
            Op::Kind(kind) => {
                let map = self.service(service)?;
                let key = if map.contains_key("podTemplate") { "type" } else { "subComponentType" };
                map.insert(key.into(), (*kind).into());
                Some(())
            }
            Op::Edit(edit) => edit(self, service),
        }
    }

    fn set_env(&mut self, service: &str, name: &str, value: &str) -> Option<()> {
        let container = self.container(service)?;
        let list = container.entry("env".into()).or_insert_with(|| Value::Sequence(Vec::new()));
        without(list, name);
        let mut entry = Mapping::new();
        entry.insert("name".into(), name.into());
        entry.insert("value".into(), value.into());
        list.as_sequence_mut()?.push(entry.into());
        Some(())
    }

    fn each_resources(&mut self, service: &str, mut f: impl FnMut(&mut Value)) {
        if let Some(resources) = self.service(service).and_then(|s| s.get_mut("resources")) {
            f(resources);
        }
        if let Some(resources) = self.container(service).and_then(|c| c.get_mut("resources")) {
            f(resources);
        }
    }

    fn device(&mut self, service: &str, name: &str, count: &str) -> Option<()> {
        let alpha = self.service(service)?.get("resources").is_some_and(|r| r.get("limits").is_some());
        if alpha {
            let limits = self.service(service)?.get_mut("resources")?.get_mut("limits")?.as_mapping_mut()?;
            let custom = limits.entry("custom".into()).or_insert_with(|| Mapping::new().into());
            custom.as_mapping_mut()?.insert(name.into(), count.into());
        } else {
            let limits = self.container(service)?.get_mut("resources")?.get_mut("limits")?.as_mapping_mut()?;
            limits.insert(name.into(), count.into());
        }
        Some(())
    }

    /// Puts a flag right behind the module's name, in a list of words or in a script.
    fn add_flag(&mut self, service: &str, flag: &str, value: Option<&str>) -> Option<()> {
        let module = Regex::new(r"dynamo\.(vllm|sglang|trtllm|mocker|frontend|router)\b").expect("a pattern");
        let container = self.container(service)?;
        // `command: [python3, -m, dynamo.frontend]` has its flags in `args`, which must not end up empty.
        let ends = |list: &Vec<Value>| {
            list.last().and_then(Value::as_str).is_some_and(|w| module.is_match(w) && !w.contains(' '))
        };
        if container.get("command").and_then(Value::as_sequence).is_some_and(ends)
            && let Some(args) = container.get_mut("args").and_then(Value::as_sequence_mut)
        {
            let words = [Some(flag), value].into_iter().flatten();
            words.rev().for_each(|word| args.insert(0, word.into()));
            return Some(());
        }
        for key in ["command", "args"] {
            let Some(list) = container.get_mut(key).and_then(Value::as_sequence_mut) else { continue };
            let Some(at) = list.iter().position(|w| w.as_str().is_some_and(|w| module.is_match(w))) else { continue };
            let word = list[at].as_str()?.to_owned();
            let found = module.find(&word)?;
            if found.range() == (0..word.len()) {
                list.insert(at + 1, flag.into());
                if let Some(value) = value {
                    list.insert(at + 2, value.into());
                }
            } else {
                let value = value.map(|v| format!(" '{v}'")).unwrap_or_default();
                // A script may name the module more than once, to print the command before it runs it.
                let with = format!("${{0}} {flag}{}", value.replace('$', "$$"));
                list[at] = module.replace_all(&word, with.as_str()).into_owned().into();
            }
            return Some(());
        }
        None
    }

    fn drop_flag(&mut self, service: &str, flag: &str, valued: bool) {
        let tail = if valued { r#"([= ]('[^']*'|"[^"]*"|\S+))"# } else { "" };
        let pattern =
            Regex::new(&format!(r"(?P<b>^|\s){}{tail}(?P<a>\s|$)", flag.replace('.', r"\."))).expect("a pattern");
        let Some(container) = self.container(service) else { return };
        for key in ["command", "args"] {
            let Some(list) = container.get_mut(key).and_then(Value::as_sequence_mut) else { continue };
            let joined = format!("{flag}=");
            while let Some(at) = list.iter().position(|w| w.as_str() == Some(flag)) {
                list.remove(at);
                if valued && at < list.len() {
                    list.remove(at);
                }
            }
            list.retain(|w| !w.as_str().is_some_and(|w| w.starts_with(&joined)));
            for word in list.iter_mut() {
                if let Value::String(text) = word
                    && text.contains(' ')
                {
                    *text = pattern.replace_all(text, "$b$a").into_owned();
                }
            }
        }
    }
}

fn without(list: &mut Value, name: &str) {
    if let Some(list) = list.as_sequence_mut() {
        list.retain(|e| e["name"] != name);
    }
}

fn is_device(name: &str) -> bool {
    name.starts_with("rdma/") || name.contains("efa") || name.contains("hca") || name.contains("/rdma-")
}
