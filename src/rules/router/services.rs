//! Routers that run as services of their own: what `dynamo.router` and `dynamo.global_router` ask for before they start.
//!
//! Source: `dynamo/router/args.py` (`validate`), `dynamo/global_router/backend_args.py`, `pool_selection.py` (`load_config`,
//! `GlobalRouterConfig.validate`); ai-dynamo 1.0.2 to 1.6.1.

use crate::finding::Severity;
use crate::resolve::{Deployment, Framework, Role, Service};
use crate::rules::command::open;
use crate::rules::{Findings, workload};
use crate::source::{Span, Text};
use crate::yaml::Node;

const EXITS: &str = "it checks its settings and exits";

/// `router-service-refused`
pub fn router_service_refused(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.services.iter().filter(|s| s.process.as_ref().is_some_and(|p| !p.implied)) {
        match service.module() {
            Some("dynamo.router") => endpoint(deployment, service, out),
            Some("dynamo.global_router") => {
                required(service, "--config", "DYN_GLOBAL_ROUTER_CONFIG", "a JSON file", out);
                required(service, "--model-name", "DYN_GLOBAL_ROUTER_MODEL_NAME", "the name of the model", out);
                let config = service.configs.first().and_then(|config| config.content.known());
                if let Some(root) = config.filter(|root| root.as_map().is_some()) {
                    Check { service, out }.whole(root);
                }
            }
            _ => {}
        }
    }
}

/// A setting that is given by flag or by variable; says so when nothing gives it.
fn required<'a>(
    service: &'a Service,
    flag: &str,
    env: &str,
    what: &str,
    out: &mut Findings,
) -> Option<(&'a Text, Span)> {
    if let Some(flag) = service.flag(&[flag]) {
        return flag.value().filter(|word| word.as_known().is_some()).map(|word| (&word.text, word.span()));
    }
    let var = service.env.get(env);
    let hidden = service.args_open() || service.env.hides().is_some() || service.flag(&["--help"]).is_some();
    if var.is_none() && !hidden {
        let at = service.process.as_ref().map_or(service.span, |p| p.module.span);
        let message = format!("`{}` is not told its `{flag}`", service.module().unwrap_or_default());
        out.report(at, message, EXITS)
            .service(service)
            .subject(flag.to_owned())
            .help(format!("add `{flag}` with {what}"))
            .emit();
    }
    let text = var?.known()?;
    Some((text, text.span()))
}

/// The workers that a `dynamo.router` is told to route to.
fn endpoint(deployment: &Deployment, router: &Service, out: &mut Findings) {
    let what = "`<namespace>.<component>.<endpoint>` of the workers";
    let Some((text, at)) = required(router, "--endpoint", "DYN_ROUTER_ENDPOINT", what, out) else { return };
    if open(text) && !text.contains('.') {
        return;
    }
    let parts: Vec<&str> = text.split('.').collect();
    // A variable may hold more than one part, and dots.
    let [namespace, component, _] = parts[..] else {
        if !text.contains(['$', '<', '{']) {
            out.report(at, format!("`{}` is no endpoint of three parts", text.as_str()), EXITS)
                .service(router)
                .subject("--endpoint")
                .help("write `<namespace>.<component>.<endpoint>`: `default-graph.backend.generate`")
                .emit();
        }
        return;
    };
    // Workers of another graph are that one's affair.
    let graph = &deployment.graph.object.name;
    let own = namespace.strip_suffix(graph.as_str()).is_some_and(|before| before.ends_with('-'));
    let plain = |s: &Service| {
        let engine = match s.framework {
            Some(Framework::Vllm | Framework::Sglang | Framework::Mocker) => true,
            // Decode workers were `tensorrt_llm`.
            Some(Framework::Trtllm) => s.version().is_some() && !s.below(1, 3),
            _ => false,
        };
        engine
            && s.role_known
            && matches!(s.role, Role::Prefill | Role::Decode | Role::Aggregated)
            && !s.args_open()
            && s.flag(&["--endpoint"]).is_none()
            && ["DYN_ENDPOINT", "DYN_COMPONENT"].iter().all(|name| s.env.get(name).is_none_or(|var| !var.written()))
    };
    let of = |s: &Service| if s.role == Role::Prefill { "prefill" } else { "backend" };
    if !own || open(component) || deployment.workers().next().is_none() || !deployment.workers().all(plain) {
        return;
    }
    if deployment.workers().all(|s| of(s) != component) {
        let there = deployment.workers().next().map_or("backend", of);
        out.report(at, format!("no worker of the graph is a `{component}`"), "it waits for workers that never come")
            .service(router)
            .subject("--endpoint")
            .help(format!("write `{namespace}.{there}.generate`"))
            .emit();
    }
}

/// A global router's config, held against what it checks.
struct Check<'a> {
    service: &'a Service,
    out: &'a mut Findings,
}

/// An axis of a grid: the name of its settings and the unit that the bounds have behind it.
type Axis = (&'static str, &'static str);

impl Check<'_> {
    fn say(&mut self, at: Span, subject: &str, message: String, help: String) {
        self.out.report(at, message, EXITS).service(self.service).subject(subject.to_owned()).help(help).emit();
    }

    fn whole(&mut self, root: &Node) {
        let mode = root.get("mode").map_or(Some("disagg"), Node::as_text).unwrap_or_default();
        let isl = root.at(&["agg_pool_selection_strategy", "isl_resolution"]).is_some();
        match mode {
            // Before 1.1 nothing reads it.
            _ if self.service.below(1, 1) && mode != "disagg" => {}
            "disagg" => {
                self.pools(root, "prefill", &[("isl", ""), ("ttft", "_ms")]);
                self.pools(root, "decode", &[("context_length", ""), ("itl", "_ms")]);
            }
            "agg" if isl => self.pools(root, "agg", &[("isl", ""), ("ttft", "_ms"), ("itl", "_ms")]),
            "agg" => self.pools(root, "agg", &[("ttft", "_ms"), ("itl", "_ms")]),
            word if open(word) => {}
            word => {
                let at = root.get("mode").map_or(root.span, |node| node.span);
                self.say(at, "mode", format!("`{word}` is no mode"), "write `disagg` or `agg`".to_owned());
            }
        }
    }

    /// A key that has to be there.
    fn key<'n>(&mut self, of: &'n Node, at: Span, key: &str) -> Option<&'n Node> {
        let found = of.get(key);
        if found.is_none() {
            self.say(at, key, format!("the global router's config has no `{key}`"), format!("add `{key}`"));
        }
        found.filter(|node| !node.is_null())
    }

    fn pools(&mut self, root: &Node, kind: &str, axes: &[Axis]) {
        let top = root.entries().next().map_or(root.span, |entry| entry.key.span);
        let strategy = format!("{kind}_pool_selection_strategy");
        let strategy = self.key(root, top, &strategy);
        let name = format!("num_{kind}_pools");
        let count = self.key(root, top, &name);
        let count = count.and_then(|node| Some((node.as_int()?, node.span)));
        let lists = [format!("{kind}_pool_dynamo_namespaces"), format!("{kind}_pool_priorities")];
        for (index, list) in lists.iter().enumerate() {
            let node = if index == 0 { self.key(root, top, list) } else { root.get(list) };
            let Some((items, (count, _))) = node.and_then(Node::as_seq).zip(count) else { continue };
            if items.len() as i128 != count {
                let at = node.map_or(top, |node| node.span);
                let message = format!("`{list}` has {} entries, and `{name}` is {count}", items.len());
                self.say(at, list, message, "write one entry for each pool".to_owned());
            }
        }
        let Some(strategy) = strategy.filter(|node| node.as_map().is_some()) else { return };
        let at = strategy.entries().next().map_or(strategy.span, |entry| entry.key.span);
        let mut sizes: Vec<(String, i128)> = Vec::new();
        for (axis, unit) in axes {
            let mut bound = |end: &str| {
                let bare = format!("{axis}_{end}");
                let full = if self.service.below(1, 2) { bare.clone() } else { format!("{bare}{unit}") };
                match strategy.get(&full).or_else(|| strategy.get(&bare)) {
                    Some(node) => Some(node),
                    None => self.key(strategy, at, &full),
                }
            };
            let (least, most) = (bound("min"), bound("max"));
            if let (Some(least), Some(most)) = (least, most)
                && let (Some(from), Some(to)) = (number(least), number(most))
                && from >= to
            {
                let message = format!("`{axis}` begins at {from} and ends at {to}");
                self.say(least.span, axis, message, "write a least value below the greatest".to_owned());
            }
            let size = format!("{axis}_resolution");
            let Some(node) = self.key(strategy, at, &size) else { return };
            match node.as_int() {
                Some(number) if number > 0 => sizes.push((size, number)),
                Some(_) => {
                    self.say(node.span, &size, format!("`{size}` is not positive"), "write 1 or more".to_owned())
                }
                None => {}
            }
        }
        let mapping = format!("{kind}_pool_mapping");
        if let Some(grid) = self.key(strategy, at, &mapping)
            && sizes.len() == axes.len()
        {
            self.grid(&mapping, grid, &sizes, count.map(|(count, _)| count));
        }
        for rule in strategy.get("priority_overrides").into_iter().flat_map(Node::items) {
            let get = |key: &str| rule.get(key).and_then(|node| Some((node.as_int()?, node.span)));
            if let (Some((least, at)), Some((most, _))) = (get("min_priority"), get("max_priority"))
                && least > most
            {
                let message = format!("priorities from {least} to {most} are none");
                self.say(at, "priority_overrides", message, "write a `min_priority` of at most the other".to_owned());
            }
            if let (Some((target, at)), Some((count, _))) = (get("target_pool"), count) {
                self.pool("priority_overrides", target, at, count);
            }
        }
    }

    /// Rows of rows, as many as the resolutions say, of numbers of pools.
    fn grid(&mut self, mapping: &str, node: &Node, sizes: &[(String, i128)], count: Option<i128>) {
        let Some(((size, wanted), rest)) = sizes.split_first() else {
            if let Some((pool, count)) = node.as_int().zip(count) {
                self.pool(mapping, pool, node.span, count);
            }
            return;
        };
        let Some(items) = node.as_seq() else { return };
        if items.len() as i128 != *wanted {
            let message = format!("`{mapping}` has {} here, and `{size}` is {wanted}", items.len());
            self.say(node.span, mapping, message, format!("write {wanted}"));
            return;
        }
        items.iter().for_each(|item| self.grid(mapping, item, rest, count));
    }

    fn pool(&mut self, subject: &str, pool: i128, at: Span, count: i128) {
        if count > 0 && !(0..count).contains(&pool) {
            let help = format!("write a number from 0 to {}", count - 1);
            self.say(at, subject, format!("there is no pool {pool}"), help);
        }
    }
}

fn number(node: &Node) -> Option<f64> {
    node.as_text()?.parse().ok()
}

/// Dynamo namespaces that a service is told and that ought to be those of graphs of the recipe.
struct Told {
    name: String,
    at: Span,
}

/// `pool-namespace-unknown`
pub fn pool_namespace_unknown(deployment: &Deployment, out: &mut Findings) {
    for service in &deployment.services {
        let (told, what): (Vec<Told>, _) = match service.module() {
            Some("dynamo.global_router") => {
                let config = service.configs.first().and_then(|config| config.content.known());
                let lists =
                    ["prefill_pool_dynamo_namespaces", "decode_pool_dynamo_namespaces", "agg_pool_dynamo_namespaces"];
                let nodes = lists.iter().filter_map(|list| config?.get(list)).flat_map(Node::items);
                let told = |node: &Node| Some(Told { name: node.as_text()?.to_owned(), at: node.span });
                let own = service.flag(&["--namespace"]).and_then(|flag| flag.value());
                let own = own.and_then(|word| Some(Told { name: word.as_known()?.to_owned(), at: word.span() }));
                (nodes.filter_map(told).chain(own).collect(), "nobody is found there")
            }
            Some("dynamo.global_planner") => {
                let words = service.flag(&["--managed-namespaces"]).map(|flag| &flag.values);
                let told =
                    |word: &crate::command::Word| Some(Told { name: word.as_known()?.to_owned(), at: word.span() });
                (words.into_iter().flatten().filter_map(told).collect(), "what its planner asks for is refused")
            }
            Some("dynamo.planner") => {
                let Some((name, at)) = crate::rules::command::planner_setting(service, "global_planner_namespace")
                else {
                    continue;
                };
                (vec![Told { name, at }], "its requests reach nobody")
            }
            _ => continue,
        };
        let planner = service.module() == Some("dynamo.planner");
        // Older releases let a graph name its Dynamo namespace itself, with the Kubernetes namespace before it or without.
        let here = || deployment.recipe.here.iter().filter_map(|o| o.graph());
        let named: Vec<&str> = here()
            .flat_map(|graph| graph.components.iter().filter_map(|c| c.node.get("dynamoNamespace")))
            .map(|name| name.as_text().unwrap_or("$"))
            .collect();
        if named.iter().any(|name| open(name)) {
            continue;
        }
        let graphs: Vec<&str> = deployment
            .recipe
            .here
            .iter()
            .filter(|o| o.kind == "DynamoGraphDeployment" && !o.name.contains(['$', '<', '{']))
            .filter(|o| !planner || o.graph().is_some_and(|graph| runs(graph, "dynamo.global_planner")))
            .map(|o| o.name.as_str())
            .chain(named.iter().copied())
            .collect();
        let belongs = |name: &str| {
            let ends = |graph: &&&str| name.strip_suffix(**graph).is_some_and(|before| before.ends_with('-'));
            graphs.iter().find(ends).copied()
        };
        // Pools may run elsewhere: only where one of them is a graph of the recipe are all taken for such.
        let prefix = told.iter().find_map(|t| t.name.strip_suffix(belongs(&t.name)?));
        for Told { name, at } in &told {
            let list = name.contains(',');
            let bare = graphs.contains(&name.as_str());
            if (belongs(name).is_some() && !list) || (bare && !named.is_empty()) {
                continue;
            }
            let (message, help) = if list {
                (format!("`{name}` is taken for one namespace"), "write each as a word of its own".to_owned())
            } else if bare {
                (
                    format!("`{name}` is the name of a graph, and no Dynamo namespace"),
                    format!(
                        "write `{}{name}`: the Kubernetes namespace stands before it",
                        prefix.unwrap_or("<namespace>-")
                    ),
                )
            } else if name.contains(['<', '{', '$']) && !name.contains('-')
                || (prefix.is_none() && (!planner || graphs.is_empty()))
            {
                continue;
            } else {
                let graphs = graphs.iter().map(|g| format!("`{}{g}`", prefix.unwrap_or("<namespace>-")));
                let graphs: Vec<String> = graphs.take(6).collect();
                (
                    format!("no graph of the recipe has the Dynamo namespace `{name}`"),
                    format!("one of {}", graphs.join(", ")),
                )
            };
            out.report(*at, message, what)
                .service(service)
                .subject(name.clone())
                .severity(if bare || list { Severity::Error } else { Severity::Warning })
                .help(help)
                .emit();
        }
    }
}

/// Whether a component of a graph starts a module.
fn runs(graph: &crate::manifest::Graph, module: &str) -> bool {
    graph.components.iter().any(|c| workload::names_module(&c.main, module))
}
