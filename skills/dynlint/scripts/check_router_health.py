#!/usr/bin/env python3
"""Smoke-test a Dynamo frontend by `dynlint probe router`, with the options and exit codes of the seed script.

Exit codes: 0 well, 2 models not to be had, 3 no model, 4 no completion, 1 anything else that failed.
"""
import json
import subprocess
import sys


def main():
    try:
        done = subprocess.run(["dynlint", "probe", "router", "--format", "json", *sys.argv[1:]], stdout=subprocess.PIPE,
                              text=True, check=False)
    except FileNotFoundError:
        sys.exit("dynlint is not on the PATH: cargo install --locked --features full --path .")
    if done.returncode not in (0, 1):
        return done.returncode
    report = json.loads(done.stdout)
    report["base_url"] = report["target"]
    report["ok"] = done.returncode == 0
    print(json.dumps(report, indent=2))
    failed = {check["name"]: check["detail"] for check in report["checks"] if check["status"] == "fail"}
    if "base-url" in failed or "frontend" in failed:
        return 2
    if "models" in failed:
        return 3 if "listed" in failed["models"] else 2
    if "chat" in failed or "stream" in failed:
        return 4
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
