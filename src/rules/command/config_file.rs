//! Options that vLLM and SGLang read out of a YAML file (`--config FILE`).
//!
//! Both turn the file into words of a command line and put them in front of the others: a key is an option's name, and what
//! no option takes ends the process. Sources: `ConfigArgumentMerger` of SGLang 0.5.9 and 0.5.21
//! (`server_args_config_parser.py`), `_pull_args_from_config` of vLLM 0.16.0 to 0.31.0 (`argparse_utils.py`).

use super::json_keys::Reader;
use super::release::{Name, Published, name, parser, published};
use super::values::{misfit, read};
use crate::catalog::flags::{Component, Kind, Match, Value};
use crate::catalog::is_slip;
use crate::command::Flag;
use crate::finding::{Applicability, Confidence, Severity};
use crate::resolve::{Deployment, Framework, Service, as_json};
use crate::rules::Findings;
use crate::source::Span;
use crate::yaml::{Kind as Shape, Node, Typed};

/// `worker-config-option`
pub fn worker_config_option(deployment: &Deployment, out: &mut Findings) {
    let mut said: Vec<Span> = Vec::new();
    for service in deployment.workers().filter(|s| !s.configs.is_empty() && !s.below(1, 0)) {
        let sglang = match service.framework {
            Some(Framework::Sglang) => true,
            Some(Framework::Vllm) => false,
            _ => continue,
        };
        let Some(catalog) = parser(service) else { continue };
        let published = published(service, catalog);
        let named = service.args().into_iter().flat_map(|a| &a.flags).filter(|f| f.name == "--config");
        for (index, flag) in named.enumerate() {
            misnamed(service, flag, index, out);
        }
        let file = File { service, catalog, published, sglang };
        for entry in service.configs.iter().filter_map(|c| c.content.known()).flat_map(Node::entries) {
            // Workers of both roles may read one file.
            if !said.contains(&entry.key.span) {
                said.push(entry.key.span);
                file.judge(&entry.key.name, entry.key.span, &entry.value, out);
            }
        }
    }
}

/// The file itself, named so that nobody finds it.
fn misnamed(service: &Service, flag: &Flag, index: usize, out: &mut Findings) {
    let Some(path) = flag.value().and_then(|w| w.as_known()) else { return };
    let (message, help) = if flag.joined {
        ("`--config=FILE` is not read", format!("write `--config {path}`, as two words"))
    } else if index > 0 {
        ("a second `--config` is refused", "put all options into one file".to_owned())
    } else if !path.ends_with(".yaml") && !path.ends_with(".yml") {
        ("the file of `--config` must be called `.yaml` or `.yml`", "give the file such a name".to_owned())
    } else {
        return;
    };
    out.report(flag.full_span(), message, "both engines look for the one word `--config` and a YAML file behind it")
        .service(service)
        .subject("--config")
        .help(help)
        .emit();
}

/// A file of options and who reads it.
struct File<'a> {
    service: &'a Service,
    catalog: &'static Component,
    published: Option<Published>,
    sglang: bool,
}

impl File<'_> {
    fn judge(&self, key: &str, at: Span, value: &Node, out: &mut Findings) {
        // vLLM makes no word of `false`; from 0.28 on `--no-key`, where its parser has that.
        if !self.sglang && value.as_bool() == Some(false) {
            self.dropped(key, value, out);
            return;
        }
        let option = format!("--{key}");
        let release = self.published.map(|p| p.release);
        let known = release.map(|r| name(self.catalog, &option, r));
        // SGLang's parser knows options with dashes only.
        let dashed = key.replace('_', "-");
        let meant = if self.sglang && dashed != key && self.catalog.flag(&format!("--{dashed}")).is_some() {
            Some(dashed)
        } else {
            let near = || self.catalog.nearest(&option).filter(|near| is_slip(&option.replace('_', "-"), near));
            self.catalog.flag(&option).is_none().then(near).flatten().map(|near| near[2..].to_owned())
        };
        let foreign = match &known {
            Some(Name::Fine(found)) => self.own(found),
            _ => false,
        };
        let missing = match known {
            Some(Name::Gone(_) | Name::NotYet(_) | Name::Unknown) => true,
            Some(_) => foreign,
            None => meant.is_some(),
        };
        if !missing {
            // A mapping becomes the JSON of its option.
            let object = matches!(&*value.kind, Shape::Map(_)) && !self.sglang;
            if let Some(keys) = Reader::new(self.service, &|| self.published, self.catalog, &option).filter(|_| object)
            {
                keys.whole(&as_json(value), &mut Vec::new(), out);
            }
            return self.value(&option, value, out);
        }
        let label = if foreign {
            "an option of Dynamo's own, and the file goes to the engine alone: the worker exits"
        } else {
            "becomes an option that the engine refuses: the worker exits"
        };
        let mut report = out
            .report(at, format!("`{key}` is no option of the engine"), label)
            .service(self.service)
            .subject(key)
            .confidence(self.confidence());
        report = match meant.filter(|_| !foreign) {
            Some(meant) => report.help(format!("write `{meant}`")).fix(Applicability::Unsafe, at, meant),
            None if foreign => report.help(format!("give `{option}` on the command line")),
            None => report.help("drop it, or use a release that has it"),
        };
        report.emit();
    }

    /// `false` that has no effect on something that is on unless told otherwise.
    fn dropped(&self, key: &str, value: &Node, out: &mut Findings) {
        let dashed = key.replace('_', "-");
        let known = ["enable-prefix-caching", "enable-chunked-prefill"].contains(&&*dashed);
        if !known || (self.service.at_least(1, 5) && dashed == key) || self.service.version().is_none() {
            return;
        }
        out.report(
            value.span,
            format!("`{key}: false` is passed over"),
            "vLLM 0.28 (Dynamo 1.5) and later read `false`, and only behind a name with dashes: it stays on",
        )
        .service(self.service)
        .subject(key)
        .severity(Severity::Warning)
        .confidence(self.confidence())
        .help(format!("write `no-{dashed}: true`"))
        .emit();
    }

    fn confidence(&self) -> Confidence {
        if self.published.is_some_and(|p| p.official) { Confidence::Certain } else { Confidence::Likely }
    }

    /// Whether an option is Dynamo's and not the engine's. SGLang has an `--enable-multimodal` as well.
    fn own(&self, found: &Match) -> bool {
        let exact = found.flag.name != "--enable-multimodal" && !found.abbreviated;
        exact && if self.sglang { found.flag.env.starts_with("DYN_") } else { found.flag.is_exact() }
    }

    fn value(&self, option: &str, value: &Node, out: &mut Findings) {
        let release = self.published.map(|p| p.release);
        let Some(found) = read(self.catalog, option, release).filter(|m| !self.own(m)) else { return };
        let Some(help) = self.unfit(&found, value, release) else { return };
        out.report(
            value.span,
            format!("`{}` does not take this value", &option[2..]),
            "the engine refuses it: the worker exits",
        )
        .service(self.service)
        .subject(&option[2..])
        .confidence(self.confidence())
        .help(help)
        .emit();
    }

    /// What should stand there instead, when the words that the file comes to are not those of the option.
    fn unfit(&self, found: &Match, value: &Node, release: Option<(u16, u16)>) -> Option<String> {
        let one = |what: &str| Some(format!("write {what}"));
        let scalar = match &*value.kind {
            Shape::Scalar(scalar) => scalar,
            Shape::Seq(items) => {
                let switch = matches!(found.flag.kind, Kind::Switch | Kind::Bool) && !items.is_empty();
                return (switch || (found.flag.kind == Kind::Value && items.len() > 1))
                    .then(|| "write one value".into());
            }
            Shape::Map(_) => {
                let number = matches!(found.flag.value, Value::Int | Value::Float) && found.flag.kind == Kind::Value;
                return (number || found.flag.kind == Kind::Switch).then(|| "write one value".into());
            }
        };
        let text = &*scalar.value;
        // `y` and `n` are words to the one reader of YAML and truth values to the other.
        let truth = match scalar.typed {
            Typed::Bool(_) if text.len() < 2 => return None,
            Typed::Bool(on) => Some(on),
            _ => None,
        };
        match (found.flag.kind, truth) {
            (Kind::Switch, None) | (Kind::Bool, None) if !(self.sglang && found.flag.kind == Kind::Bool) => {
                one("`true` or `false`")
            }
            (Kind::Value, Some(true)) if !self.sglang => one("a value: `true` gives the option none"),
            (Kind::Value, Some(_)) if self.sglang => {
                misfit(self.catalog, found, release, if truth? { "true" } else { "false" })
            }
            (Kind::Value, None) => match scalar.typed {
                Typed::Null if self.sglang && matches!(found.flag.value, Value::Int | Value::Float) => {
                    one("a number: nothing becomes the word `None`")
                }
                Typed::Null => None,
                Typed::Int(_) if !text.bytes().all(|b| b.is_ascii_digit()) => None,
                _ if text.is_empty() || text == "None" || text.contains(['<', '{', '$']) => None,
                _ => misfit(self.catalog, found, release, text),
            },
            _ => None,
        }
    }
}
