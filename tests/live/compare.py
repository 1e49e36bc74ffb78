#!/usr/bin/env python3
"""`dynlint probe compare` between two real Dynamo frontends with mocker workers: round-robin and kv.

    compare.py [--dynlint BIN] [--versions 1.6.1,1.2.1]

Both sides are real and on loopback (see dynamo_lab.py). Asserted is what has to be true of any honest comparison: the same
requests to both, counts, labels, intervals, cached tokens as the frontends themselves count them, no throughput, and the
same report from a recording. Which mode is faster is not: mocker workers have no GPU. Exits 1 when anything is wrong.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import dynamo_lab as lab  # noqa: E402


def run(dynlint, *args):
    done = subprocess.run([dynlint, "probe", "compare", "-f", "json", *args], capture_output=True, text=True, timeout=300)
    return done.stdout, done.returncode


def wrongs(version, report, requests):
    """What of a comparison is not as it has to be."""
    out, comparison = [], report.get("compare") or {}

    def same(what, said, true):
        if said != true:
            out.append(f"{what}: {said!r}, expected {true!r}")

    checks = {c["name"]: c for c in report["checks"]}
    same("label", comparison.get("label"), "comparison" if requests >= 200 else "smoke comparison")
    same("throughput", (comparison.get("throughput"), checks["throughput"]["status"]), (None, "skipped"))
    same("workers", checks["compare-workers"]["status"], "ok")
    sides = [comparison[name] for name in ("baseline", "candidate")]
    same("samples", [s["samples"] for s in sides], [requests, requests])
    same("failed", [s["failed"] for s in sides], [0, 0])
    same("mode of the candidate", sides[1]["router"]["mode"], "kv")
    same("kv is ruled out for the baseline", "kv" in sides[0]["router"]["mode_candidates"], False)
    same("as many prompt tokens on both sides", sides[0]["prompt_tokens"], sides[1]["prompt_tokens"])
    if lab.release(version) >= (1, 5):
        # Four prefixes, long enough for whole blocks: whoever repeats one finds it cached.
        for side in sides:
            if not side["cached_tokens"] or not 0 < side["cached_tokens"] < side["prompt_tokens"]:
                out.append(f"cached tokens: {side['cached_tokens']} of {side['prompt_tokens']}")
    else:
        same("cached tokens", [s["cached_tokens"] for s in sides], [None, None])
    for name in ("ttft_ms", "latency_ms"):
        one = comparison[name]
        if not one["low"] <= one["value"] <= one["high"]:
            out.append(f"{name}: {one}")
        for side in sides:
            q = side[name]
            if not (0 < q["p50"] <= q["p90"] <= q["max"] and q["samples"] == requests):
                out.append(f"{name}: {q}")
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = pathlib.Path(__file__).resolve().parents[2]
    parser.add_argument("--dynlint", default=str(root / "target/debug/dynlint"))
    parser.add_argument("--versions", default="1.6.1,1.2.1")
    args = parser.parse_args()
    versions = args.versions.split(",")
    for version in versions:
        lab.tiny_model(lab.venv(version))
    lab.enter_namespace()
    keep, bad = pathlib.Path(tempfile.mkdtemp(prefix="dynlint-compare-")), 0
    for version in versions:
        with lab.Lab(version, keep / version / "a", 8000) as a, lab.Lab(version, keep / version / "b", 8200) as b:
            a.frontend("--router-mode", "round-robin")
            b.frontend("--router-mode", "kv")
            for side in (a, b):
                for number in range(2):
                    side.mocker(f"worker{number}")
            if not all(side.wait(2, True, 90) for side in (a, b)):
                print(f"{version}\tdid not come up")
                bad += 1
                continue
            urls = ["--baseline", "http://127.0.0.1:8000", "--candidate", "http://127.0.0.1:8200", "--timeout", "20"]
            # The recordings of both, for a replay when nobody is there any more.
            runs = []
            for requests, more in ((12, []), (200, ["--concurrency", "4", "--seed", "7"])):
                options = [*urls, "--requests", str(requests), *more]
                recording = str(keep / version / f"recording-{requests}")
                runs.append((requests, options, recording, run(args.dynlint, *options, "--record", recording)))
            # One worker less on one side is said.
            a.procs.pop("worker1").kill()
            fewer = json.loads(run(args.dynlint, *urls, "--requests", "2", "--warmup", "0")[0]) if a.wait_gone(1) else None
        for requests, options, recording, (text, code) in runs:
            report = json.loads(text)
            wrong = wrongs(version, report, requests)
            if code != 0:
                wrong.append(f"exit {code}: {[c for c in report['checks'] if c['status'] == 'fail']}")
            if run(args.dynlint, *options, "--snapshot", recording) != (text, code):
                wrong.append("the replay differs")
            bad += bool(wrong)
            c = report["compare"]
            ttft = c["ttft_ms"]
            print(f"{version}\t{c['label']}\t{c['baseline']['samples']} + {c['candidate']['samples']} samples\t"
                  f"cached {c['baseline']['cached_tokens']} and {c['candidate']['cached_tokens']} of "
                  f"{c['baseline']['prompt_tokens']}\tttft {ttft['value']:+.1f} ms [{ttft['low']:+.1f}, {ttft['high']:+.1f}]\t"
                  f"{'; '.join(wrong) or 'agrees'}", flush=True)
        status = {c["name"]: c["status"] for c in fewer["checks"]}.get("compare-workers") if fewer else "not tried"
        if status != "warn":
            print(f"{version}\tone worker less: compare-workers is {status}")
            bad += 1
    print("all comparisons agree" if not bad else f"{bad} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
