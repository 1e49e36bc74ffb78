//! `dynlint probe node`: what machines and pods offer for KV transfer.

pub mod facts;
mod judge;
mod manifest;
pub mod sysfs;
pub mod tools;
pub mod topology;

use futures::StreamExt as _;

pub use manifest::judge as judge_manifest;

use super::pods::{self, Aim};
use super::program::Program;
use super::report::Report;
use super::{Bounds, Check, Layer, Place, Status, Transport};
use facts::Facts;

/// Most pods that are looked into at once.
const AT_ONCE: usize = 64;

/// What was seen in one place.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `namespace/pod`, or `this machine`.
    pub target: String,
    /// The service that the pod belongs to, by the operator's label.
    pub component: Option<String>,
    /// The facts.
    pub facts: Facts,
}

/// What a probe of nodes comes to.
#[derive(Clone, Debug)]
pub struct Probed {
    /// The checks.
    pub report: Report,
    /// The facts behind them.
    pub seen: Vec<Seen>,
}

/// Probes this machine, a pod, or the workers of a deployment.
pub async fn probe(transport: &dyn Transport, aim: &Aim, bounds: Bounds) -> Probed {
    let (target, places) = match places(transport, aim, bounds).await {
        Ok(found) => found,
        Err(check) => return Probed { report: Report::new("node", aim.namespace.clone(), vec![*check]), seen: vec![] },
    };
    let looked = futures::stream::iter(places).map(|spot| async move {
        match spot.place {
            Ok(place) => {
                let (checks, facts) = look(transport, &place, bounds).await;
                let checks: Vec<Check> = checks.into_iter().map(|c| c.on(spot.name.clone())).collect();
                let seen = facts.map(|facts| Seen { target: spot.name, component: spot.component, facts });
                (checks, seen)
            }
            Err(check) => (vec![check.on(spot.name)], None),
        }
    });
    // In the order of the pods, whichever answers first.
    let all: Vec<(Vec<Check>, Option<Seen>)> = looked.buffered(AT_ONCE).collect().await;
    let (checks, seen): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    Probed { report: Report::new("node", target, checks.concat()), seen: seen.into_iter().flatten().collect() }
}

/// A place to look into, or why it cannot be.
struct Spot {
    name: String,
    component: Option<String>,
    place: Result<Place, Check>,
}

async fn places(transport: &dyn Transport, aim: &Aim, bounds: Bounds) -> Result<(String, Vec<Spot>), Box<Check>> {
    let container = aim.container.as_deref();
    let list = match pods::of(transport, aim, bounds).await {
        Ok(Some(list)) => list,
        Ok(None) => {
            let here = Spot { name: "this machine".to_owned(), component: None, place: Ok(Place::Here {}) };
            return Ok(("this machine".to_owned(), vec![here]));
        }
        Err(trouble) => return Err(Box::new(pods::failed("node-access", &trouble))),
    };
    let target = aim.deployment.as_deref().or(aim.pod.as_deref()).unwrap_or_default();
    let places = list.iter().filter(|pod| aim.deployment.is_none() || pod.is_worker()).map(|pod| {
        let usable = pod.usable(container).map(|()| pod.place(container));
        Spot {
            name: pod.path(),
            component: pod.component().map(str::to_owned),
            place: usable.map_err(|trouble| pods::failed("node-access", &trouble)),
        }
    });
    Ok((format!("{}/{target}", aim.namespace), places.collect()))
}

async fn look(transport: &dyn Transport, place: &Place, bounds: Bounds) -> (Vec<Check>, Option<Facts>) {
    const NAME: &str = "node-access";
    let output = match transport.exec(place, Program::Node, bounds).await {
        Ok(output) => output,
        Err(trouble) => return (vec![pods::failed(NAME, &trouble)], None),
    };
    let facts = Facts::read(&output.stdout);
    let first = if facts.whole && output.cut.is_none() && !output.truncated {
        Check::new(NAME, Layer::Capability, Status::Ok, "all facts read")
    } else {
        let (why, next) = output.shortfall(bounds);
        Check::new(NAME, Layer::Capability, Status::Fail, format!("{why}; what came before is judged")).then(next)
    };
    let mut checks = vec![first];
    checks.extend(judge::judge(&facts));
    (checks, Some(facts))
}
