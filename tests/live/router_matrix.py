#!/usr/bin/env python3
"""`dynlint probe router` against real Dynamo frontends, every topology of which the truth is known.

    router_matrix.py [--dynlint BIN] [--versions 1.6.1,1.2.1] [--only NAME,…] [--small] [--keep DIR] [--out FILE]

Each topology is started for real (see dynamo_lab.py), probed, and the answers held against what was started: workers
of each role, readiness, the router mode as far as it can be known, what the router goes by, and whether workers publish
KV events. The probe is recorded, replayed without a network, and must say the same, byte for byte. Exits 1 when anything
disagrees.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import dynamo_lab as lab  # noqa: E402

KV = ("--router-mode", "kv")
PREFILL = ("--disaggregation-mode", "prefill")
DECODE = ("--disaggregation-mode", "decode")
SILENT = ("--no-enable-prefix-caching",)
# The modes that nothing tells apart from outside.
OTHERS = ["round-robin", "random", "power-of-two", "least-loaded", "device-aware-weighted"]


@dataclass
class Topology:
    """What is started, and what is true of it."""
    name: str
    frontend: tuple
    workers: list
    roles: dict                     # as started: aggregated, prefill, decode
    mode: str | None = None         # None: one of OTHERS
    source: str | None = None       # events, predictions, load; None: no kv router, or nothing to go by
    events: str | None = None       # what becomes of KV events
    publishers: int = 0             # workers that publish
    ready: dict = field(default_factory=dict)   # since (major, minor) -> ready
    small: bool = False
    since: tuple = (1, 0)
    stop_frontend: bool = False     # killed before the probe

    def is_ready(self, version):
        return [value for since, value in sorted(self.ready.items()) if since <= version][-1]


ALWAYS, NEVER = {(1, 0): True}, {(1, 0): False}
TOPOLOGIES = [
    Topology(mode, ("--router-mode", mode), [(), ()], {"aggregated": 2}, None, None, "unused", 2, ALWAYS,
             small=mode == "round-robin")
    for mode in OTHERS
] + [
    Topology("default-mode", (), [(), ()], {"aggregated": 2}, None, None, "unused", 2, ALWAYS),
    Topology("direct", ("--router-mode", "direct"), [(), ()], {"aggregated": 2}, "direct", None, "unused", 2, ALWAYS,
             small=True),
    Topology("kv", KV, [(), ()], {"aggregated": 2}, "kv", "events", "arriving", 2, ALWAYS, small=True),
    Topology("kv-no-events", KV, [SILENT, SILENT], {"aggregated": 2}, "kv", "events", "none", 0, ALWAYS, small=True),
    Topology("kv-some-events", KV, [SILENT, ()], {"aggregated": 2}, "kv", "events", "partial", 1, ALWAYS),
    Topology("kv-approximate", (*KV, "--no-router-kv-events"), [(), ()], {"aggregated": 2}, "kv", "predictions", "unused",
             2, ALWAYS, small=True),
    Topology("kv-approximate-no-events", (*KV, "--no-router-kv-events"), [SILENT, SILENT], {"aggregated": 2}, "kv",
             "predictions", "unused", 0, ALWAYS),
    Topology("load-aware", ("--load-aware",), [(), ()], {"aggregated": 2}, "kv", "load", "unused", 2, ALWAYS,
             since=(1, 2)),
    Topology("kv-one-worker-two-ranks", KV, [("--data-parallel-size", "2")], {"aggregated": 1}, "kv", "events",
             "arriving", 1, ALWAYS),
    Topology("disagg-kv", KV, [PREFILL, DECODE], {"prefill": 1, "decode": 1}, "kv", "events", "arriving", 1, ALWAYS),
    Topology("disagg-kv-two-prefill", KV, [PREFILL, PREFILL, DECODE], {"prefill": 2, "decode": 1}, "kv", "events",
             "arriving", 2, ALWAYS),
    Topology("disagg-kv-no-events", KV, [PREFILL + SILENT, DECODE], {"prefill": 1, "decode": 1}, "kv", "events", "none",
             0, ALWAYS),
    Topology("disagg-round-robin", (), [PREFILL, DECODE], {"prefill": 1, "decode": 1}, None, None, "unused", 1, ALWAYS),
    # Until 1.2 a decode worker alone serves as an aggregated one; whether its router wants events nobody can tell then.
    Topology("decode-without-prefill", KV, [DECODE], {"decode": 1}, "kv", "?", "?", 0, {(1, 0): True, (1, 3): False},
             small=True),
    Topology("prefill-without-decode", KV, [PREFILL], {"prefill": 1}, "?", "?", "?", 1, NEVER),
    # A worker that forgot to say that it decodes.
    Topology("prefill-with-aggregated", KV, [PREFILL, ()], {"prefill": 1, "aggregated": 1}, "kv", "?", "?", 2,
             {(1, 0): True, (1, 3): False}),
    Topology("no-workers", KV, [], {}, "?", "?", "?", 0, NEVER, small=True),
    Topology("no-frontend", KV, [], {}, "?", "?", "?", 0, NEVER, stop_frontend=True),
]


def by_component(roles):
    """What a frontend without readiness of models can tell: decode and aggregated are both `backend`."""
    out = {}
    for role, count in roles.items():
        key = "backend" if role in ("aggregated", "decode") else role
        out[key] = out.get(key, 0) + count
    return out


def disagreements(truth, version, report):
    """What the probe says and is not so, or does not say and could."""
    wrong = []

    def same(what, said, true):
        if said != true:
            wrong.append(f"{what}: says {said!r}, true is {true!r}")

    checks = {c["name"]: c for c in report["checks"]}
    seen = report.get("router") or {}
    if truth.stop_frontend:
        same("models", checks["models"]["status"], "fail")
        return wrong
    same("version", seen["version"], version)
    release = lab.release(version)
    ready = truth.is_ready(release)
    same("ready", seen["ready"], ready)
    roles = truth.roles if seen["workers_by"] == "role" else by_component(truth.roles)
    same("workers", seen["workers"], roles)
    if release >= (1, 4) and truth.roles and seen["model"]:
        same("workers by", seen["workers_by"], "role")
    same("publishers", sum((seen["event_sources"] or {}).values()), truth.publishers)
    if truth.mode is None:
        same("mode", seen["mode"], None)
        same("modes left", sorted(seen["mode_candidates"]), sorted(OTHERS))
    elif truth.mode != "?" and seen["model"]:
        same("mode", seen["mode"], truth.mode)
    if "kv" in truth.frontend:
        same("kv is not ruled out", "kv" in seen["mode_candidates"], True)
    if truth.source != "?" and truth.mode == "kv":
        same("goes by", seen["cache_source"], truth.source)
        same("approximate", seen["approximate"], truth.source == "predictions")
    if truth.events != "?":
        same("kv events", seen["kv_events"], truth.events)
    # What cannot be known is said, and named.
    if truth.events == "?" and seen["kv_events"] is None and truth.roles:
        same("limit named", bool(seen["limits"]), True)
    if truth.roles:
        same("block size", seen["block_size"], 64)
    failed = [name for name, c in checks.items() if c["status"] == "fail"]
    same("fails", bool(failed), not ready)
    return wrong


def probe(dynlint, args):
    start = time.time()
    done = subprocess.run([dynlint, "probe", "router", "--format", "json", *args], capture_output=True, text=True,
                          timeout=120)
    return done.stdout, done.returncode, done.stderr, time.time() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = pathlib.Path(__file__).resolve().parents[2]
    parser.add_argument("--dynlint", default=str(root / "target/debug/dynlint"))
    parser.add_argument("--versions", default="1.6.1,1.2.1")
    parser.add_argument("--only", default="")
    parser.add_argument("--small", action="store_true", help="the topologies that the gate runs")
    parser.add_argument("--keep", help="directory for recordings and logs")
    parser.add_argument("--out", help="file for a table of the results")
    args = parser.parse_args()
    versions = args.versions.split(",")
    for version in versions:  # before the namespace: it has no way out
        lab.tiny_model(lab.venv(version))
    lab.enter_namespace()
    keep = pathlib.Path(args.keep or tempfile.mkdtemp(prefix="dynlint-lab-"))
    only = set(filter(None, args.only.split(",")))
    rows, bad = [], 0
    for version in versions:
        for truth in TOPOLOGIES:
            if (only and truth.name not in only) or (args.small and not truth.small):
                continue
            if truth.since > lab.release(version):
                continue
            where = keep / version / truth.name
            with lab.Lab(version, where) as running:
                running.frontend(*truth.frontend)
                for number, worker in enumerate(truth.workers):
                    running.mocker(f"worker{number}", *worker)
                up = running.wait(len(truth.workers), bool(truth.roles) and truth.is_ready(lab.release(version)), 90)
                time.sleep(1.5)  # the router learns of a worker's KV state a moment after the worker
                if truth.stop_frontend:
                    running.stop()
                recording = where / "recording"
                retries = ["--retries", "2", "--retry-sleep", "0.2"]
                options = ["--base-url", "http://127.0.0.1:8000", "--timeout", "20", *retries]
                out, code, err, took = probe(args.dynlint, [*options, "--record", str(recording)])
                running.stop()
            try:
                report = json.loads(out)
                wrong = disagreements(truth, version, report)
            except (ValueError, KeyError) as error:
                wrong = [f"no report ({error!r}): {out[:200]} {err[:200]}"]
            if not up:
                wrong.append("the topology did not come up")
            (where / "probe.json").write_text(out)
            again, code_again, err, _ = probe(args.dynlint, [*options, "--snapshot", str(recording)])
            if (again, code_again) != (out, code):
                wrong.append(f"the replay differs (exit {code_again}, was {code}) {err[:200]}")
            bad += bool(wrong)
            seen = (json.loads(out).get("router") or {}) if out.startswith("{") else {}
            row = [version, truth.name, "agrees" if not wrong else "DISAGREES", str(seen.get("workers")),
                   str(seen.get("ready")), str(seen.get("mode")), str(seen.get("cache_source")),
                   str(seen.get("kv_events")), f"exit {code}", f"{took:.1f} s", "; ".join(wrong)]
            rows.append(row)
            print("\t".join(row), flush=True)
    if args.out:
        pathlib.Path(args.out).write_text("\n".join("\t".join(row) for row in rows) + "\n")
    print(f"{len(rows) - bad} of {len(rows)} topologies agree")
    return 1 if bad or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
