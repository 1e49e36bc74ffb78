//! What is wrong with an expression before it has seen a manifest: names that nothing has, values of two kinds compared.

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};
use cel::{Context, ExecutionError, Program};

use super::Scope;
use crate::finding::nearest_of;

/// What an expression comes to, as far as it can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Service,
    Services,
    Deployment,
    Device,
    Devices,
    /// Names with text.
    Texts,
    Words,
    Text,
    /// A release as text.
    Release,
    Number,
    Bool,
    /// Anything.
    Open,
}

use Kind::{Bool, Deployment, Device, Devices, Number, Open, Release, Service, Services, Text, Texts, Words};

/// The fields of a service, as `values::service` makes them.
const SERVICE: [(&str, Kind); 15] = [
    ("name", Text),
    ("role", Text),
    ("framework", Text),
    ("module", Text),
    ("image", Text),
    ("version", Release),
    ("replicas", Number),
    ("nodes", Number),
    ("gpus", Number),
    ("env", Texts),
    ("flags", Open),
    ("argv", Words),
    ("devices", Devices),
    ("compute_domain", Bool),
    ("spec", Open),
];

/// The fields of a deployment.
const DEPLOYMENT: [(&str, Kind); 5] =
    [("name", Text), ("api_version", Text), ("disaggregated", Bool), ("services", Services), ("object", Open)];

/// The fields of a device.
const DEVICE: [(&str, Kind); 3] = [("name", Text), ("kind", Text), ("count", Number)];

impl Kind {
    /// What its values are called, and the names they have; none where any name may be there.
    fn fields(self) -> Option<(&'static str, &'static [(&'static str, Kind)])> {
        Some(match self {
            Service => ("a service", &SERVICE),
            Deployment => ("a deployment", &DEPLOYMENT),
            Device => ("a device", &DEVICE),
            _ => return None,
        })
    }

    /// What it holds, when it is a list.
    const fn item(self) -> Self {
        match self {
            Services => Service,
            Devices => Device,
            Words => Text,
            _ => Open,
        }
    }

    /// Name of a kind whose values equal none of another.
    pub(super) const fn scalar(self) -> Option<&'static str> {
        match self {
            Text | Release => Some("text"),
            Number => Some("a number"),
            Bool => Some("true or false"),
            _ => None,
        }
    }
}

/// Checks an expression that a rule of that scope holds, and tells what it comes to.
///
/// # Errors
/// The first thing that is wrong with it, in words.
pub(super) fn check(program: &Program, scope: Scope, context: &Context<'_, '_>) -> Result<Kind, String> {
    let mut names = vec![("deployment".to_owned(), Deployment)];
    if scope == Scope::Service {
        names.push(("service".to_owned(), Service));
    }
    Checker { scope, names, context }.kind(program.expression())
}

struct Checker<'a> {
    scope: Scope,
    /// Variables by name, inner ones last.
    names: Vec<(String, Kind)>,
    context: &'a Context<'a, 'a>,
}

impl Checker<'_> {
    fn kind(&mut self, expression: &IdedExpr) -> Result<Kind, String> {
        match &expression.expr {
            Expr::Ident(name) => self.name(name),
            Expr::Select(select) => {
                let of = self.kind(&select.operand)?;
                let kind = field(of, &select.field)?;
                Ok(if select.test { Bool } else { kind })
            }
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::Literal(literal) => Ok(match literal {
                LiteralValue::Boolean(_) => Bool,
                LiteralValue::Double(_) | LiteralValue::Int(_) | LiteralValue::UInt(_) => Number,
                LiteralValue::String(_) => Text,
                LiteralValue::Bytes(_) | LiteralValue::Null => Open,
            }),
            Expr::List(list) => {
                let kinds: Vec<Kind> = list.elements.iter().map(|e| self.kind(e)).collect::<Result<_, _>>()?;
                Ok(if !kinds.is_empty() && kinds.iter().all(|k| *k == Text) { Words } else { Open })
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.kind(&entry.key)?;
                        self.kind(&entry.value)?;
                    }
                }
                Ok(Open)
            }
            Expr::Struct(_) | Expr::Unspecified => Ok(Open),
        }
    }

    fn name(&self, name: &str) -> Result<Kind, String> {
        if let Some((_, kind)) = self.names.iter().rev().find(|(known, _)| known == name) {
            return Ok(*kind);
        }
        if name == "service" && self.scope == Scope::Deployment {
            return Err(
                "a rule with `scope: deployment` has no `service`: ask `deployment.services.exists(s, …)`".into()
            );
        }
        // `int`, `string`, … are types.
        if self.undeclared(name) {
            let near =
                nearest_of(name, self.names.iter().map(|(known, _)| known.as_str()).filter(|k| !k.starts_with('@')));
            return Err(format!("there is no `{name}`{}", meant(near)));
        }
        Ok(Open)
    }

    /// Whether an expression names something that CEL does not know either.
    fn undeclared(&self, source: &str) -> bool {
        let program = super::values::environment().compile(source);
        program.is_ok_and(|p| matches!(p.execute(self.context), Err(ExecutionError::UndeclaredReference(_))))
    }

    fn call(&mut self, call: &CallExpr) -> Result<Kind, String> {
        let name = call.func_name.as_str();
        if let (operators::OPT_SELECT, [operand, field_of]) = (name, &call.args[..]) {
            let of = self.kind(operand)?;
            if let Expr::Literal(LiteralValue::String(text)) = &field_of.expr {
                field(of, text.inner())?;
            }
            // What may not be there.
            return Ok(Open);
        }
        let namespace = |target: &IdedExpr| matches!(&target.expr, Expr::Ident(name) if name == "optional");
        if let Some(target) = call.target.as_ref().filter(|t| !namespace(t)) {
            self.kind(target)?;
        }
        let kinds: Vec<Kind> = call.args.iter().map(|a| self.kind(a)).collect::<Result<_, _>>()?;
        let word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if word && name != "version" && call.target.as_ref().is_none_or(|t| !namespace(t)) {
            let probe = if call.target.is_some() { format!("''.{name}()") } else { format!("{name}()") };
            if self.undeclared(&probe) {
                return Err(format!("there is no function `{name}`{}", meant(nearest_of(name, FUNCTIONS))));
            }
        }
        Ok(match (name, &kinds[..]) {
            (operators::EQUALS | operators::NOT_EQUALS, [a, b])
            | (operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS, [a, b]) => {
                if let (Some(one), Some(other)) = (a.scalar(), b.scalar())
                    && one != other
                {
                    return Err(format!("it compares {one} with {other}"));
                }
                if [a, b].contains(&&Release) && !matches!(name, operators::EQUALS | operators::NOT_EQUALS) {
                    return Err(
                        "as text `1.10` comes before `1.9`: compare `version(service.version)` with `version(\"1.9\")`"
                            .into(),
                    );
                }
                Bool
            }
            (operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT | operators::IN, _) => Bool,
            (operators::INDEX, [of, _]) => match (*of, call.args.get(1).map(|a| &a.expr)) {
                (of, Some(Expr::Literal(LiteralValue::String(text)))) => field(of, text.inner())?,
                (of, _) => of.item(),
            },
            (operators::CONDITIONAL, [_, a, b]) if a == b => *a,
            ("version" | "size", _) => Number,
            ("startsWith" | "endsWith" | "contains" | "matches", _) => Bool,
            _ => Open,
        })
    }

    fn comprehension(&mut self, c: &ComprehensionExpr) -> Result<Kind, String> {
        let over = self.kind(&c.iter_range)?;
        let start = self.kind(&c.accu_init)?;
        let outer = self.names.len();
        // Names of a map, or the items of a list; with two variables a position or a name comes first.
        let item = if over == Texts { Text } else { over.item() };
        match &c.iter_var2 {
            None => self.names.push((c.iter_var.clone(), item)),
            Some(second) => {
                self.names.push((c.iter_var.clone(), Open));
                self.names.push((second.clone(), item));
            }
        }
        self.names.push((c.accu_var.clone(), Open));
        self.kind(&c.loop_cond)?;
        self.kind(&c.loop_step)?;
        self.names.truncate(outer);
        self.names.push((c.accu_var.clone(), if start == Bool { Bool } else { Open }));
        let result = self.kind(&c.result);
        self.names.truncate(outer);
        result
    }
}

/// Functions that people write, to guess what was meant.
const FUNCTIONS: [&str; 12] = [
    "version",
    "size",
    "startsWith",
    "endsWith",
    "contains",
    "matches",
    "orValue",
    "hasValue",
    "int",
    "string",
    "double",
    "type",
];

fn meant(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

/// What a field of a value comes to.
fn field(of: Kind, name: &str) -> Result<Kind, String> {
    let Some((what, fields)) = of.fields() else {
        return match of {
            Texts => Ok(Text),
            Text | Release | Number | Bool => Err(format!("{} has no `{name}`", of.scalar().unwrap_or_default())),
            Services | Devices | Words => {
                Err(format!("a list has no `{name}`: write `.exists(x, x.{name} …)` or `[0]`"))
            }
            _ => Ok(Open),
        };
    };
    if let Some((_, kind)) = fields.iter().find(|(known, _)| *known == name) {
        return Ok(*kind);
    }
    let names = || fields.iter().map(|(known, _)| *known);
    Err(match nearest_of(name, names()) {
        Some(near) => format!("{what} has no `{name}`; did you mean `{near}`?"),
        None => {
            format!("{what} has no `{name}`, but {}", names().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", "))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{Kind, check};
    use crate::custom::{Scope, values};

    fn of(source: &str, scope: Scope) -> Result<Kind, String> {
        let program = values::environment().compile(source).unwrap_or_else(|e| panic!("{source}: {e}"));
        check(&program, scope, &values::bare())
    }

    #[test]
    fn sound_expressions() {
        for (source, kind) in [
            (r#"service.env.?UCX_TLS.orValue("") == "tcp""#, Kind::Bool),
            (r#"service.env["UCX_TLS"].startsWith("rc") || "--tp" in service.flags"#, Kind::Bool),
            (r#"has(service.spec.a.b) && service.devices.exists(d, d.kind == "efa" && d.count > 3)"#, Kind::Bool),
            ("deployment.services.filter(s, s.role == 'decode').size() == 1", Kind::Bool),
            ("deployment.services.all(s, s.image.contains(service.version)) && service.version != '1.4.0'", Kind::Bool),
            ("size(service.argv) > 3 && service.argv[0] == 'python3'", Kind::Bool),
            ("service.env.exists(name, service.env[name] == 'x')", Kind::Bool),
            (r#"version(service.version) >= version("1.4")"#, Kind::Bool),
            ("int(service.flags['--tp']) * 2 > service.gpus", Kind::Bool),
            ("service.framework == null || type(service.image) == string", Kind::Bool),
            ("service.spec.x.map(y, y.z).exists_one(z, z in ['a', 'b'])", Kind::Bool),
            ("optional.of(service.name).hasValue()", Kind::Open),
            ("service.replicas > 1 ? service.name : deployment.name", Kind::Text),
            ("service.name.matches('^[a-z]+$')", Kind::Bool),
            ("deployment.services[0].gpus", Kind::Number),
            ("double(service.gpus) / 2.0 > 1.5 && string(service.nodes) == '1'", Kind::Bool),
        ] {
            assert_eq!(of(source, Scope::Service), Ok(kind), "{source}");
        }
        assert_eq!(of("deployment.services.exists(s, s.nodes > 1)", Scope::Deployment), Ok(Kind::Bool));
    }

    #[test]
    fn what_is_wrong() {
        for (source, wrong) in [
            ("service.replica > 1", "a service has no `replica`; did you mean `replicas`?"),
            ("service.nonsense", "a service has no `nonsense`, but `name`, `role`"),
            (r#"service["nonsense"]"#, "a service has no `nonsense`"),
            ("service.?imag.orValue('') == ''", "did you mean `image`?"),
            ("has(service.gpu)", "did you mean `gpus`?"),
            ("serivce.name == 'a'", "there is no `serivce`; did you mean `service`?"),
            ("deployment.services.exists(s, s.rol == 'a')", "did you mean `role`?"),
            ("deployment.services.name == 'a'", "a list has no `name`"),
            ("deployment.service.exists(s, true)", "did you mean `services`?"),
            ("service.devices.all(d, d.type == 'efa')", "a device has no `type`"),
            ("service.image.beginsWith('a')", "there is no function `beginsWith`"),
            ("verison(service.version) > 1", "there is no function `verison`; did you mean `version`?"),
            ("service.version >= '1.10'", "comes before"),
            ("service.replicas == '3'", "it compares a number with text"),
            ("service.env.REPLICAS > 3", "it compares text with a number"),
            ("service.name.first == 'a'", "text has no `first`"),
            ("true && (false || service.nme == 'a')", "did you mean `name`?"),
        ] {
            let found = of(source, Scope::Service).expect_err(source);
            assert!(found.contains(wrong), "{source}: {found}");
        }
        let found = of("service.name == 'a'", Scope::Deployment).expect_err("no service");
        assert!(found.contains("has no `service`"), "{found}");
    }
}
