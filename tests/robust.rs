//! Whatever the input, a run ends with a report: no panic, no label outside its file, the same answer twice.
//!
//! Mutants of our own fixtures and of every rule's examples; the generator is seeded, so a failure comes back.
//! `DYNLINT_MUTANTS=100000 cargo test --test robust` looks longer.

use std::path::Path;

use dynlint::finding::{Profile, Selection};
use dynlint::lint::{self, Input, Options, Report};
use dynlint::report;
use dynlint::source::Span;

/// xorshift64*: no crate is needed to pick bytes.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n.max(1) as u64).unwrap()
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// What manifests and scripts are made of, and what breaks them.
const SCRAPS: [&str; 44] = [
    "\n",
    " ",
    "  ",
    "\t",
    ":",
    ": ",
    "- ",
    "-",
    "'",
    "\"",
    "|",
    ">-",
    "|2",
    "{",
    "}",
    "[",
    "]",
    ",",
    "#",
    "&a ",
    "*a",
    "<<: *a",
    "!!str ",
    "---\n",
    "...\n",
    "$",
    "${X}",
    "$(X)",
    "$((1+",
    "\\",
    "\\\n",
    "`",
    "&&",
    "export A=",
    "é",
    "\u{feff}",
    "\u{1f600}",
    "~",
    "null",
    "0x",
    "1e999",
    "99999999999999999999",
    "{\"a\":",
    "\r\n",
];

fn seeds() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = |dir: &str, ext: &str| -> Vec<String> {
        let walk = walkdir::WalkDir::new(root.join(dir)).sort_by_file_name().into_iter().flatten();
        let named = walk.filter(|e| e.path().extension().is_some_and(|x| x == ext));
        named.map(|e| std::fs::read_to_string(e.path()).unwrap()).collect()
    };
    let mut seeds = files("fixtures", "yaml");
    for page in files("rules", "md") {
        let examples = page.split("```yaml ").skip(1).filter_map(|part| part.split_once('\n'));
        seeds.extend(examples.filter_map(|(_, rest)| Some(rest.split_once("\n```")?.0.to_owned())));
    }
    assert!(seeds.len() > 20, "fixtures and pages are there");
    seeds
}

fn mutate(seed: &str, random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.as_bytes().to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(12)).min(bytes.len());
        match random.below(6) {
            0 => drop(bytes.drain(at..end)),
            1 => drop(bytes.splice(at..at, random.pick(&SCRAPS).bytes())),
            2 => drop(bytes.splice(at..end, random.pick(&SCRAPS).bytes())),
            3 => {
                let part = bytes[at..end].to_vec();
                let to = random.below(bytes.len() + 1);
                drop(bytes.splice(to..to, part));
            }
            4 => bytes.truncate(at.max(1)),
            _ => {
                // A whole line goes or comes twice: the shape stays, the meaning does not.
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
                let n = random.below(lines.len());
                if lines.is_empty() {
                    continue;
                }
                if random.below(2) == 0 {
                    lines.remove(n);
                } else {
                    lines.insert(n, lines[n]);
                }
                bytes = lines.concat().into_bytes();
            }
        }
    }
    bytes
}

fn run(bytes: &[u8]) -> Report {
    let selection = Selection { profile: Profile::Audit, ..Selection::default() };
    let options = Options { selection, threads: 1, ..Options::default() };
    lint::lint(&[Input::Bytes { bytes: bytes.to_vec(), path: None }], &options)
}

/// What is wrong with a report, if anything.
fn fault(report: &Report) -> Option<String> {
    if let Some(crash) = report.crashes.first() {
        return Some(format!("crash: {crash:?}"));
    }
    let sound = |span: Span| {
        let file = report.sources.get(span.file);
        span.start <= span.end && file.text.get(span.range()).is_some()
    };
    for reported in &report.findings {
        let finding = &reported.finding;
        let labels = finding.labels.iter().map(|l| l.span).chain([finding.primary.span]);
        let edits = finding.fix.iter().flat_map(|fix| fix.edits.iter().map(|edit| edit.span));
        if let Some(span) = labels.chain(edits).find(|span| !sound(*span)) {
            return Some(format!("{}: {span:?} is outside its file or within a character", finding.rule));
        }
    }
    report.undecided.iter().find(|open| !sound(open.span)).map(|open| format!("undecided {}: bad span", open.rule))
}

#[test]
fn any_input_ends_in_a_report() {
    let mutants: usize = std::env::var("DYNLINT_MUTANTS").ok().and_then(|n| n.parse().ok()).unwrap_or(1500);
    let seeds = seeds();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for round in 0..mutants {
        let bytes = mutate(&seeds[random.below(seeds.len())], &mut random);
        let text = || String::from_utf8_lossy(&bytes).into_owned();
        let first = run(&bytes);
        if let Some(fault) = fault(&first) {
            panic!("mutant {round}: {fault}\n{}", text());
        }
        let wire = report::wire::Check::new(&first, true);
        let json = report::json(&wire).expect("every report has a JSON form");
        let full = std::panic::catch_unwind(|| report::full(&wire, &first.sources, report::Style::default()));
        assert!(
            full.is_ok_and(|text| !text.contains("Failed to read contents")),
            "mutant {round} cannot be drawn\n{}",
            text()
        );
        assert_eq!(report::concise(&wire).lines().count(), first.findings.len() + first.undecided.len());
        if round % 50 == 0 {
            let again = report::json(&report::wire::Check::new(&run(&bytes), true)).unwrap();
            assert_eq!(json, again, "mutant {round} has two reports\n{}", text());
        }
    }
}

/// Sixty runs of itself, each of which runs it sixty times: what is read of it ends.
#[test]
fn a_script_that_runs_itself() {
    let graph = "apiVersion: v1
kind: ConfigMap
metadata: {name: s}
data:
  run.sh: |
    #!/bin/bash
RUNS---
apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeployment
metadata: {name: g}
spec:
  components:
    - name: W
      type: worker
      podTemplate:
        spec:
          volumes: [{name: s, configMap: {name: s}}]
          containers:
            - name: main
              image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.4.0
              command: [bash, /scripts/run.sh]
              volumeMounts: [{name: s, mountPath: /scripts}]
";
    let bytes = graph.replace("RUNS", &"    bash /scripts/run.sh\n".repeat(60)).into_bytes();
    let input = [Input::Bytes { bytes, path: None }];
    let (resolved, _) = lint::resolve(&input, &Options { threads: 1, ..Options::default() });
    let processes = resolved[0].services[0].launch.processes.len();
    assert!((60..60_000).contains(&processes), "{processes}");
}
