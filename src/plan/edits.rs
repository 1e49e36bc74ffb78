//! The edits of a plan.

use super::Worker;
use crate::resolve::{Deployment, Layer, Service};
use crate::rules::mend;
use crate::source::Edit;

pub(super) const MODE: &str = "DYN_ROUTER_MODE";
pub(super) const EVENTS: &str = "DYN_ROUTER_USE_KV_EVENTS";
pub(super) const MODE_FLAG: &str = "--router-mode";
const ON: [&str; 2] = ["--router-kv-events", "--kv-events"];
const OFF: [&str; 2] = ["--no-router-kv-events", "--no-kv-events"];

/// What the frontend is to be told.
pub(super) struct Wanted<'a> {
    pub(super) mode: &'a str,
    /// `events`, `approximate`; none in other modes.
    pub(super) kv: Option<&'static str>,
}

impl Wanted<'_> {
    /// Variables to set where no flag says it.
    pub(super) fn variables(&self, service: &Service) -> Vec<(&'static str, String)> {
        let mut out = Vec::new();
        if service.flag(&[MODE_FLAG]).is_none() {
            out.push((MODE, self.mode.to_owned()));
        }
        let flagged = service.flag(&ON).is_some() || service.flag(&OFF).is_some();
        match self.kv {
            Some("approximate") if !flagged => out.push((EVENTS, "false".to_owned())),
            // The default is true: only a `false` is replaced.
            Some("events") if !flagged && service.env.get(EVENTS).is_some() => out.push((EVENTS, "true".to_owned())),
            _ => {}
        }
        out
    }
}

/// Edits of the frontend: its flags where it has them, for they win over variables, else its environment.
pub(super) fn frontend(deployment: &Deployment, service: &Service, wanted: &Wanted<'_>) -> Option<Vec<Edit>> {
    let sources = &*deployment.recipe.sources;
    let mut edits = Vec::new();
    if let Some(flag) = service.flag(&[MODE_FLAG])
        && flag.value()?.as_known() != Some(wanted.mode)
    {
        edits.extend(mend::set_flag(service, flag, sources, wanted.mode)?);
    }
    if let Some(flag) = service.flag(&[ON, OFF].concat()) {
        let off = OFF.contains(&flag.name.as_str());
        match wanted.kv {
            Some("approximate") if !off => {
                edits.push(Edit { span: flag.span, text: "--no-router-kv-events".to_owned() });
            }
            Some("events") if off => edits.extend(mend::drop_flag(service, flag, sources)?),
            None => edits.extend(mend::drop_flag(service, flag, sources)?),
            _ => {}
        }
    }
    let mut new = Vec::new();
    let variables = wanted.variables(service);
    for (name, value) in &variables {
        let own = service.env.get(name).filter(|var| {
            matches!(
                var.winner().layer,
                Layer::ContainerEnv | Layer::ServiceEnv | Layer::ShellExport | Layer::ShellPrefix
            )
        });
        match own {
            Some(var) if var.known().is_some_and(|text| text.as_str() == value) => {}
            Some(_) => edits.extend(mend::set_variable(deployment, service, name, value)?),
            None => new.push((*name, value.as_str())),
        }
    }
    if !new.is_empty() {
        edits.extend(mend::insert_variables(deployment, service, &new)?);
    }
    // Outside `kv` mode nobody reads it.
    let own = |layer| matches!(layer, Layer::ContainerEnv | Layer::ServiceEnv);
    if wanted.kv.is_none() && service.env.get(EVENTS).is_some_and(|var| own(var.winner().layer)) {
        edits.extend(mend::drop_variables(deployment, service, &[EVENTS])?);
    }
    Some(edits)
}

/// Edits that make silent workers publish, by service.
pub(super) fn workers(deployment: &Deployment, workers: &[Worker]) -> Option<Vec<(String, Vec<Edit>)>> {
    let sources = &*deployment.recipe.sources;
    let silent = workers.iter().filter(|worker| worker.publishes != Some(true));
    silent
        .map(|worker| {
            let service = deployment.services.iter().find(|service| service.name == worker.service)?;
            let words = publishing(worker)?;
            if service.flag(&words[..1]).is_some() {
                return None;
            }
            Some((worker.service.clone(), mend::append_words(service, sources, &words)?))
        })
        .collect()
}

/// The words that make a worker publish.
pub(super) fn publishing(worker: &Worker) -> Option<Vec<&str>> {
    let add = worker.add.as_deref()?;
    Some(match add.split_once(' ') {
        Some((flag, value)) => vec![flag, value.trim_matches('\'')],
        None => vec![add],
    })
}
