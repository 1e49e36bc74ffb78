//! `dynlint probe node`: what machines and pods offer for KV transfer.

use futures::StreamExt as _;

use super::pods;
use super::program::Program;
use super::report::Report;
use super::{Bounds, Check, Layer, Place, Status, Transport};

/// Most pods that are looked into at once.
const AT_ONCE: usize = 64;

/// What is looked into.
#[derive(Clone, Debug, Default)]
pub struct Aim {
    /// Namespace.
    pub namespace: String,
    /// One pod.
    pub pod: Option<String>,
    /// A container of it, or of every pod.
    pub container: Option<String>,
    /// All worker pods of a deployment.
    pub deployment: Option<String>,
}

/// Probes this machine, a pod, or the workers of a deployment.
pub async fn probe(transport: &dyn Transport, aim: &Aim, bounds: Bounds) -> Report {
    let (target, places) = match places(transport, aim, bounds).await {
        Ok(found) => found,
        Err(check) => return Report::new("node", aim.namespace.clone(), vec![*check]),
    };
    let looked = futures::stream::iter(places).map(|(name, place)| async move {
        match place {
            Ok(place) => look(transport, &place, bounds).await.into_iter().map(|c| c.on(name.clone())).collect(),
            Err(check) => vec![check.on(name)],
        }
    });
    // In the order of the pods, whichever answers first.
    let checks: Vec<Vec<Check>> = looked.buffered(AT_ONCE).collect().await;
    Report::new("node", target, checks.concat())
}

/// Names and places, or why one cannot be looked into.
type Places = (String, Vec<(String, Result<Place, Check>)>);

async fn places(transport: &dyn Transport, aim: &Aim, bounds: Bounds) -> Result<Places, Box<Check>> {
    let failed = |trouble| Box::new(pods::failed("node-access", &trouble));
    let container = aim.container.as_deref();
    let list = if let Some(deployment) = &aim.deployment {
        let mut pods = pods::of_deployment(transport, &aim.namespace, deployment, bounds).await.map_err(failed)?;
        pods.retain(super::transport::Pod::is_worker);
        pods
    } else if let Some(pod) = &aim.pod {
        vec![transport.pod(&aim.namespace, pod, bounds).await.map_err(failed)?]
    } else {
        return Ok(("this machine".to_owned(), vec![("this machine".to_owned(), Ok(Place::Here {}))]));
    };
    let target = aim.deployment.as_deref().or(aim.pod.as_deref()).unwrap_or_default();
    let places = list.iter().map(|pod| {
        let usable = pod.usable(container).map(|()| pod.place(container));
        (pod.path(), usable.map_err(|trouble| pods::failed("node-access", &trouble)))
    });
    Ok((format!("{}/{target}", aim.namespace), places.collect()))
}

async fn look(transport: &dyn Transport, place: &Place, bounds: Bounds) -> Vec<Check> {
    match transport.exec(place, Program::Node, bounds).await {
        Ok(output) => {
            let bytes = output.stdout.len();
            vec![Check::new("node-access", Layer::Capability, Status::Ok, format!("read {bytes} bytes of facts"))]
        }
        Err(trouble) => vec![pods::failed("node-access", &trouble)],
    }
}
