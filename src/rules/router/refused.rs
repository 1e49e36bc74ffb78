//! What stops a frontend at start beside words that its parser refuses: pairs of options, and values that it checks itself.
//!
//! Source: `FrontendConfig.validate` and `validate_model_name` of `dynamo/frontend/frontend_args.py`, 1.0 to 1.6; the address is
//! joined with the port and bound (`lib/llm/src/http/service/service_v2.rs`).

use super::settings::{Place, Router, Source, frontends, variable};
use crate::finding::{Confidence, Severity};
use crate::manifest::Image;
use crate::resolve::Deployment;
use crate::rules::Findings;
use crate::rules::command::open;
use crate::source::Fact;

/// A setting of a frontend that is no router's.
fn setting<'a>(router: &Router<'a>, flag: &str, env: &str) -> (Fact<&'a str>, Source<'a>) {
    match router.flag(flag) {
        Some((flag, _)) => {
            let text = flag.value().and_then(|word| word.as_known());
            (text.map_or_else(|| Fact::Dynamic(crate::source::Reason::Image), Fact::Known), Source::Flag(flag))
        }
        None => variable(router.env, env),
    }
}

const EXITS: &str = "the frontend checks its options and exits";

/// Engines by the processor of chats that is theirs, and the images that bring another engine.
const PROCESSORS: [(&str, [&str; 2]); 2] =
    [("vllm", ["sglang-runtime", "tensorrtllm-runtime"]), ("sglang", ["vllm-runtime", "tensorrtllm-runtime"])];

/// `frontend-refused`
pub fn frontend_refused(deployment: &Deployment, out: &mut Findings) {
    for router in frontends(deployment).filter(|r| r.args_hide().is_none() && !r.below(1, 0)) {
        let mut say = |source: Source<'_>, message: String, help: &str| {
            let at = source.span().unwrap_or_else(|| router.span());
            out.report(at, message, EXITS).service(router.service).subject(source.name().to_owned()).help(help).emit();
        };
        let given = |flag: &str, env: &str| {
            let (value, source) = setting(&router, flag, env);
            (!matches!(value, Fact::Unset | Fact::Known(""))).then_some(source)
        };
        let (cert, key) = (given("--tls-cert-path", "DYN_TLS_CERT_PATH"), given("--tls-key-path", "DYN_TLS_KEY_PATH"));
        if let ((Some(source), None) | (None, Some(source)), None) = ((cert, key), router.env.hides()) {
            let other = if cert.is_some() { "--tls-key-path" } else { "--tls-cert-path" };
            say(
                source,
                format!("`{}` needs `{other}` beside it", source.name()),
                "give certificate and key, or neither",
            );
        }
        let client = given("--tls-client-ca-cert-path", "DYN_TLS_CLIENT_CA_CERT_PATH");
        if let (Some(source), None, None, None) =
            (client.filter(|_| router.at_least(1, 6)), cert, key, router.env.hides())
        {
            let message =
                format!("`{}` asks clients for certificates, and the frontend has none itself", source.name());
            say(source, message, "add `--tls-cert-path` and `--tls-key-path`");
        }
        for (flag, env, least) in [
            ("--migration-limit", "DYN_MIGRATION_LIMIT", 0),
            ("--migration-max-seq-len", "DYN_MIGRATION_MAX_SEQ_LEN", 1),
        ] {
            let (value, source) = setting(&router, flag, env);
            let Some(number) = value.known().and_then(|text| text.trim().parse::<i128>().ok()) else { continue };
            if !(least..=i128::from(u32::MAX)).contains(&number) {
                say(
                    source,
                    format!("`{}` is not to be {number}", source.name()),
                    "write 0 to switch it off, or a count",
                );
            }
        }
        if let Some((flag, _)) = router.flag("--model-name")
            && flag.value().and_then(|word| word.as_known()).is_some_and(|text| text.trim().is_empty())
        {
            let help = "drop it: the frontend learns the model from its workers";
            say(Source::Flag(flag), "`--model-name` is empty".to_owned(), help);
        }
        if let (Some(_), Some(source)) = (
            router.flag("--kserve-grpc-server").filter(|(_, negated)| !negated),
            given("--frontend-route-extension", "DYN_FRONTEND_ROUTE_EXTENSIONS"),
        ) {
            let message = "routes are added to the HTTP frontend, and this one speaks gRPC".to_owned();
            say(source, message, "drop it, or `--kserve-grpc-server`");
        }
        let (host, source) = setting(&router, "--http-host", "DYN_HTTP_HOST");
        if let Some(text) = host.known().copied().filter(|text| !open(text)) {
            let port = text.rsplit_once(':').is_some_and(|(host, port)| {
                !host.contains(':') && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())
            });
            if port || text.contains("://") {
                say(source, format!("`{text}` is no host"), "write the address alone: the port is `--http-port`");
            }
        }
        let (processor, source) = setting(&router, "--dyn-chat-processor", "DYN_CHAT_PROCESSOR");
        let image = router.service.image.known().map(|image| Image::cut(image).place().1.to_owned());
        if let (Some(name), Some(image), Place::Frontend) = (processor.known().copied(), image, router.place)
            && let Some((engine, _)) = PROCESSORS.iter().find(|(e, not)| *e == name && not.contains(&image.as_str()))
            && router.process.is_some_and(|process| process.module.value == "dynamo.frontend")
        {
            let at = source.span().unwrap_or_else(|| router.span());
            out.report(
                at,
                format!("`{image}` has no {engine}, whose processor the frontend is to use"),
                "it exits: no such module",
            )
            .service(router.service)
            .subject(source.name().to_owned())
            .severity(Severity::Warning)
            .confidence(Confidence::Likely)
            .help(format!("use the image of {engine}, or drop it"))
            .emit();
        }
    }
}
