#!/usr/bin/env python3
"""The subcommands of the seed script, answered by dynlint: env, node, nixl. Exit codes: 0, 1 when a check failed."""
import argparse
import subprocess
import sys


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("env", help="transport settings of a recipe").add_argument("target", help="file or directory")
    for name in ("node", "nixl"):
        command = commands.add_parser(name, help=f"dynlint probe {name}")
        command.add_argument("--namespace", "-n")
        command.add_argument("--pod")
        command.add_argument("--container", "-c")
    args = parser.parse_args()
    if args.command == "env":
        words = ["readiness", args.target]
    else:
        words = ["probe", args.command]
        for name in ("namespace", "pod", "container"):
            if getattr(args, name):
                words += [f"--{name}", getattr(args, name)]
    try:
        return subprocess.run(["dynlint", *words, "--format", "json"], check=False).returncode
    except FileNotFoundError:
        sys.exit("dynlint is not on the PATH: cargo install --locked --features full --path .")


if __name__ == "__main__":
    sys.exit(main())
