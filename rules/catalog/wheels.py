"""Wheels and crates of released software: fetched once, and kept is what the catalog asks of them.

Of a package the sources that a table reads are kept, and of everything in it the names of variables that occur. A name that
occurs nowhere in a release is not read by it; that a name occurs does not say that it is read.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile

CACHE = pathlib.Path.home() / ".cache/dynlint/catalog"

# Whose names begin how. Python's are looked for in sources, all others in libraries as well.
PREFIXES = {
    "ai-dynamo": ["DYN_", "DYNAMO_", "NATS_", "VLLM_", "SGLANG_", "SGL_"],
    "ai-dynamo-runtime": ["DYN_", "DYNAMO_", "NATS_"],
    "kvbm": ["DYN_"],
    "vllm": ["VLLM_"],
    "sglang": ["SGLANG_", "SGL_"],
    "nvidia-nccl-cu12": ["NCCL_"],
    "libucx-cu12": ["UCX_"],
    "nixl": ["NIXL_"],
    "nixl-cu12": ["NIXL_"],
    "mooncake-transfer-engine": ["MC_", "MOONCAKE_"],
    "aiperf": ["AIPERF_"],
}
# Bump to have everything fetched again.
FORMAT = 2
LIBRARY = re.compile(r"\.so(\.\d+)*$|/bin/|\.data/scripts/")


def sources(cache, package, version, keep="(?!)"):
    """The `.py` (and `.j2`) files of a wheel that `keep` matches, unpacked once; the wheel itself is not kept."""
    home = cache / f"{package}-{version}"
    marks = {"format": FORMAT, "keep": keep, "prefixes": PREFIXES.get(package, [])}
    done = home / "names.json"
    made = MADE.get(package, ())
    whole = done.exists() and all((home / name).exists() for name, _ in made)
    if whole and {k: v for k, v in json.loads(done.read_text()).items() if k in marks} == marks:
        return home
    home.mkdir(parents=True, exist_ok=True)
    # A module that is asked has to be one for the Python that asks.
    python = f"{sys.version_info.major}.{sys.version_info.minor}" if made else "3.12"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "--only-binary=:all:", "--python-version", python]
    # Python and platform are said, so that every machine reads the same wheel.
    platforms = [w for n in range(40, 16, -1) for w in ("--platform", f"manylinux_2_{n}_x86_64")] + ["--platform", "manylinux2014_x86_64"]
    found = {"read": set(), "named": set(), "runs": set(), "alone": set()}
    # in a place of its own: another process may fetch the same
    with tempfile.TemporaryDirectory(dir=cache) as place:
        subprocess.run([*pip, *platforms, "--dest", place, f"{package}=={version}"], check=True)
        with zipfile.ZipFile(next(pathlib.Path(place).glob("*.whl"))) as archive:
            for name in archive.namelist():
                if (name.endswith((".py", ".j2")) and re.match(keep, name)) or name.endswith(".dist-info/METADATA"):
                    archive.extract(name, home)
                if marks["prefixes"]:
                    look(name, archive, marks["prefixes"], found)
            for name, ask in made:
                (home / name).write_text(ask(archive))
    done.write_text(json.dumps(marks | {k: sorted(v) for k, v in found.items()}, indent=0) + "\n")
    return home


def ucx_info(archive):
    """What `ucx_info -f` of a wheel prints."""
    with tempfile.TemporaryDirectory() as place:
        archive.extractall(place)
        program = pathlib.Path(place, "libucx/bin/ucx_info")
        program.chmod(0o755)
        env = {"LD_LIBRARY_PATH": f"{place}/libucx/lib", "PATH": os.environ.get("PATH", "")}
        return subprocess.run([program, "-f"], env=env, check=True, capture_output=True, text=True, timeout=60).stdout


def parsers(archive):
    """Names of the tool-call and reasoning parsers that a runtime's native module says it has; `null` of one that has no such
    functions, which no worker of its release asks for."""
    with tempfile.TemporaryDirectory() as place:
        archive.extractall(place, [n for n in archive.namelist() if n.startswith(("dynamo/_core", "ai_dynamo_runtime.libs/"))])
        ask = "import json; from dynamo._core import get_tool_parser_names as t, get_reasoning_parser_names as r; print(json.dumps([sorted(t()), sorted(r())]))"
        return subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, cwd=place, env={"PYTHONPATH": place}).stdout or "null\n"


# What is asked of programs and modules in a wheel, the only things of it that run: file names, and who asks.
MADE = {"libucx-cu12": [("ucx_info.txt", ucx_info)], "ai-dynamo-runtime": [("parsers.json", parsers)]}


def look(name, archive, prefixes, found):
    """Adds the names that one file of a wheel has."""
    any_of = "|".join(prefixes)
    if name.endswith(".py") and not re.search(r"(^|/)tests?/", name):
        text = archive.read(name).decode(errors="replace")
        found["named"].update(re.findall(rf"\b(?:{any_of})[A-Z0-9_]+\b", text))
        asked = r"(?:getenv|environ\.get|environ\.setdefault|environ|env_var|env_or_default)\s*[(\[]\s*[frb]?[\"']"
        found["read"].update(re.findall(rf"{asked}((?:{any_of})[A-Z0-9_]+)[\"']", text))
    elif LIBRARY.search(name):
        data = archive.read(name)
        for prefix in prefixes:
            at = -1
            while (at := data.find(prefix.encode(), at + 1)) >= 0:
                # Rust lays strings side by side: a run may be several names, and what stands behind them.
                run = re.match(rb"[A-Z0-9_]+", data[at : at + 400])[0]
                found["runs"].add(run.decode())
                if data[at - 1] == 0 and data[at + len(run)] == 0:
                    found["alone"].add(run.decode())


def crate(cache, name, version, prefixes):
    """Names that the sources of a crate spell out, or nothing where there is no such release of it. Cargo fetches it, so that
    its checksum is the index's."""
    home = cache / f"crate-{name}-{version}"
    done = home / "names.json"
    if not done.exists():
        archives = pathlib.Path(os.environ.get("CARGO_HOME", pathlib.Path.home() / ".cargo")) / "registry/cache"
        home.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cargo", "info", "--quiet", f"{name}@{version}", "--registry", "crates-io"], cwd="/", check=True, stdout=subprocess.DEVNULL)
        read = {}
        with tarfile.open(next(archives.glob(f"*/{name}-{version}.crate"))) as archive:
            for member in archive:
                inner = member.name.split("/", 1)[-1]
                if inner.endswith(".rs") and not re.search(r"(^|/)(tests?|benches|examples)(/|\.rs)", inner):
                    text = archive.extractfile(member).read().decode(errors="replace")
                    # what stands behind a file's own tests is test data
                    text = text.split("#[cfg(test)]\nmod tests {")[0]
                    for found in re.findall(rf'"((?:{"|".join(prefixes)})[A-Z0-9_]*[A-Z0-9])"', text):
                        read.setdefault(found, f"{name} {inner}")
        done.write_text(json.dumps(read, indent=0, sort_keys=True) + "\n")
    return json.loads(done.read_text())


class Names:
    """The variables of one release."""

    def __init__(self, *homes):
        self.read, self.named, self.alone, self.runs = set(), set(), set(), ""
        for home in homes:
            told = json.loads((home / "names.json").read_text())
            self.read.update(told["read"])
            self.named.update(told["named"])
            self.alone.update(told["alone"])
            self.runs += "\0".join(["", *told["runs"], ""])

    def has(self, name):
        """Whether a name occurs; in a library also as a part of something longer, which errs on the side of yes."""
        return name in self.named or name in self.runs
