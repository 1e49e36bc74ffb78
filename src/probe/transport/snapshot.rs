//! Questions and answers written down, and given again without a network.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use futures::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};

use super::{Answer, Ask, Bounds, Transport, Trouble, TroubleKind, redact};

/// Version of the files of a snapshot. A reader takes its own version only.
pub const SNAPSHOT_VERSION: u32 = 1;

/// The file in a snapshot's directory.
const FILE: &str = "snapshot.json";

/// Largest snapshot that is read.
const LIMIT: u64 = 1 << 30;

#[derive(Debug, Serialize, Deserialize)]
struct File {
    version: u32,
    /// Version of the dynlint that recorded it.
    dynlint: String,
    /// What was asked, for people.
    of: String,
    /// The namespace that was in force.
    namespace: String,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    ask: Ask,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Answer(Answer),
    Trouble(Trouble),
}

/// What a question is known by: everything in it but credentials.
fn key(ask: &Ask) -> String {
    serde_json::to_string(&clean(ask)).unwrap_or_default()
}

fn clean(ask: &Ask) -> Ask {
    match ask {
        Ask::Http(request) => Ask::Http(redact::request(request)),
        other => other.clone(),
    }
}

/// Passes questions on and writes down what comes back.
pub struct Recorder {
    inner: Box<dyn Transport>,
    entries: RefCell<Vec<Entry>>,
}

impl Recorder {
    /// Records what goes through it.
    #[must_use]
    pub fn new(inner: Box<dyn Transport>) -> Self {
        Self { inner, entries: RefCell::default() }
    }

    /// Writes the snapshot into a directory, which is made when it is not there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, dir: &Path) -> std::io::Result<()> {
        let mut entries = self.entries.borrow().clone();
        // The order in which concurrent answers came is no part of what was seen. Equal questions keep theirs.
        entries.sort_by_cached_key(|entry| key(&entry.ask));
        let file = File {
            version: SNAPSHOT_VERSION,
            dynlint: env!("CARGO_PKG_VERSION").to_owned(),
            of: self.inner.describe(),
            namespace: self.inner.namespace(),
            entries,
        };
        std::fs::create_dir_all(dir)?;
        let text = serde_json::to_string_pretty(&file).map_err(std::io::Error::other)?;
        // Written beside and moved, so that a full disk leaves no half snapshot behind.
        let mut temporary = tempfile::NamedTempFile::new_in(dir)?;
        std::io::Write::write_all(&mut temporary, text.as_bytes())?;
        std::io::Write::write_all(&mut temporary, b"\n")?;
        temporary.persist(dir.join(FILE)).map_err(|e| e.error)?;
        Ok(())
    }
}

impl Transport for Recorder {
    fn ask<'a>(&'a self, ask: &'a Ask, bounds: Bounds) -> LocalBoxFuture<'a, Result<Answer, Trouble>> {
        Box::pin(async move {
            let result = self.inner.ask(ask, bounds).await;
            let outcome = match &result {
                Ok(answer) => Outcome::Answer(answer.clone()),
                Err(trouble) => Outcome::Trouble(trouble.clone()),
            };
            self.entries.borrow_mut().push(Entry { ask: clean(ask), outcome });
            result
        })
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn namespace(&self) -> String {
        self.inner.namespace()
    }
}

/// Answers from a recording. The same question again gets the next answer recorded for it, then the last one again.
pub struct Snapshot {
    of: String,
    namespace: String,
    answers: HashMap<String, Vec<Outcome>>,
    given: RefCell<HashMap<String, usize>>,
}

impl Snapshot {
    /// Reads a snapshot: its directory, or the file in it.
    ///
    /// # Errors
    /// When there is none, or it is of another version, in one line.
    pub fn read(path: &Path) -> Result<Self, String> {
        let file: PathBuf = if path.is_dir() { path.join(FILE) } else { path.to_owned() };
        let shown = file.display();
        let size = std::fs::metadata(&file).map_err(|e| format!("cannot read the snapshot {shown}: {e}"))?.len();
        if size > LIMIT {
            return Err(format!("the snapshot {shown} is larger than {} MiB", LIMIT >> 20));
        }
        let text = std::fs::read_to_string(&file).map_err(|e| format!("cannot read the snapshot {shown}: {e}"))?;
        let version = serde_json::from_str::<serde_json::Value>(&text)
            .map_err(|e| format!("{shown} is no snapshot: {e}"))?
            .get("version")
            .and_then(serde_json::Value::as_u64);
        if version != Some(u64::from(SNAPSHOT_VERSION)) {
            let found = version.map_or_else(|| "none".to_owned(), |v| v.to_string());
            return Err(format!(
                "{shown} has snapshot version {found}, this dynlint reads version {SNAPSHOT_VERSION}; record it again"
            ));
        }
        let file: File = serde_json::from_str(&text).map_err(|e| format!("{shown} is no snapshot: {e}"))?;
        let mut answers: HashMap<String, Vec<Outcome>> = HashMap::new();
        for entry in file.entries {
            answers.entry(key(&entry.ask)).or_default().push(entry.outcome);
        }
        Ok(Self { of: file.of, namespace: file.namespace, answers, given: RefCell::default() })
    }
}

impl Transport for Snapshot {
    fn ask<'a>(&'a self, ask: &'a Ask, _bounds: Bounds) -> LocalBoxFuture<'a, Result<Answer, Trouble>> {
        let key = key(ask);
        let result = match self.answers.get(&key) {
            None => Err(Trouble::new(TroubleKind::NotRecorded, format!("the snapshot does not hold {}", what(ask)))),
            Some(outcomes) => {
                let mut given = self.given.borrow_mut();
                let turn = given.entry(key).or_default();
                let outcome = outcomes.get(*turn).or(outcomes.last()).cloned();
                *turn += 1;
                match outcome {
                    Some(Outcome::Answer(answer)) => Ok(answer),
                    Some(Outcome::Trouble(trouble)) => Err(trouble),
                    None => Err(Trouble::new(TroubleKind::NotRecorded, "the snapshot is empty")),
                }
            }
        };
        Box::pin(std::future::ready(result))
    }

    fn describe(&self) -> String {
        self.of.clone()
    }

    fn namespace(&self) -> String {
        self.namespace.clone()
    }
}

fn what(ask: &Ask) -> String {
    match ask {
        Ask::Exec { place, program } => format!("`{}` on {place}", program.name()),
        Ask::Pods { namespace, selector } => format!("the pods `{selector}` of namespace `{namespace}`"),
        Ask::Pod { namespace, name } => format!("pod {namespace}/{name}"),
        Ask::Service { namespace, name } => format!("service {namespace}/{name}"),
        Ask::Http(request) => format!("{} {}", request.method, request.endpoint),
    }
}
