#!/usr/bin/env python3
"""Variables by release: which release of Dynamo, of its engines and of the libraries first names one, and which last.

    python3 rules/catalog/named.py [CACHE]

Writes `variables/vllm.tsv`, `variables/sglang.tsv`, `variables/aiperf.tsv` and `variables/dynamo-core.tsv`, and tells `refresh.py`
of all others when they came and went. A release "names" a variable where the name occurs anywhere in its wheel, in sources or in libraries.
"""

import ast
import pathlib
import re
import sys

import released
from released import EARLIER, RELEASES, dated, name_of, pins
from wheels import CACHE, Names, crate, sources

HERE = pathlib.Path(__file__).resolve().parent
COLUMNS = ["name", "type", "default", "owner", "flags", "source"]

# Last patch of every minor that the package index has, oldest first.
LIBRARIES = {
    "nvidia-nccl-cu12": "2.16.5 2.17.1 2.18.3 2.19.3 2.20.5 2.21.5 2.22.3 2.23.4 2.24.3 2.25.1.post1 2.26.5 2.27.7 2.28.9 2.29.7 2.30.7 2.31.2 2.32.3",
    "libucx-cu12": "1.14.1.post2 1.15.0.post2 1.16.0.post2 1.17.0.post1 1.18.1 1.19.0 1.20.1 1.21.0 1.22.0",
    # `nixl` had its libraries in it before it was split by CUDA
    "nixl": "0.2.1 0.3.1 0.4.1 0.5.1 0.6.1",
    "nixl-cu12": "0.7.1 0.8.0 0.9.0 0.10.1 1.0.1 1.1.0 1.2.0 1.3.2 1.4.1 1.5.1",
    "mooncake-transfer-engine": "0.3.1 0.3.2.post1 0.3.3.post2 0.3.4.post2 0.3.5 0.3.6.post1 0.3.7.post2 0.3.8.post1 0.3.9 0.3.10.post2 0.3.11.post1 0.3.12.post1 0.3.13.post1",
}
CRATES = ["dynamo-runtime", "dynamo-llm", "dynamo-kv-router", "dynamo-memory", "kvbm-config"]
# Crates that came later: releases before are without them.
FIRST_CRATE = {"dynamo-kv-router": "1.0.2", "dynamo-memory": "1.0.2", "kvbm-config": "1.2.1"}
PREFIXES = ["DYN_", "DYNAMO_", "NATS_"]
# Families whose names the runtime puts together of a prefix and a field (`Env::prefixed` in dynamo-runtime's config.rs): that one
# does not occur says nothing.
COMPOSED = ("DYN_RUNTIME_", "DYN_SYSTEM_", "DYN_COMPUTE_", "DYN_HEALTH_CHECK_", "DYN_CANARY_", "DYN_WORKER_", "DYN_KVBM_NIXL_BACKEND_")


def minor(release):
    return release.rsplit(".", 1)[0]


def short(version):
    """`0.3.10.post2` as people call it."""
    return version.split(".post")[0]


def span(have, order):
    """`since:X removed:Y` of the releases that have a name; nothing of what all of them have."""
    first, last = next((r for r in order if r in have), None), next((r for r in reversed(order) if r in have), None)
    words = [] if first in (None, order[0]) else [f"since:{first}"]
    return " ".join(words + ([] if last in (None, order[-1]) else [f"removed:{last}"]))


def write(name, header, rows):
    lines = [f"# {line}" for line in header] + ["\t".join(COLUMNS)]
    for row in sorted(rows):
        assert len(row) == len(COLUMNS) and all("\t" not in c and "\n" not in c for c in row), row
        lines.append("\t".join(row))
    changed = dated(HERE / f"variables/{name}.tsv", lines)
    print(f"variables/{name}.tsv: {len(rows)} rows{'' if changed else ', as before'}")


# ------------------------------------------------------------------ engines

KEEP = {"vllm": released.VLLM, "sglang": released.SGLANG}
# What the engine makes of a value behind its own conversion.
TYPES = {
    "SGLANG_DISAGGREGATION_NIXL_BACKEND_PARAMS": "json-string-map",  # `json.loads`, and NIXL takes strings
    "VLLM_NIXL_SIDE_CHANNEL_PORT": "uint:65535",  # a port
}


def engines(cache, module):
    """Every release of Dynamo with the wheels of the engine that its patches pin."""
    out = {}
    for release in RELEASES:
        patches = [*EARLIER.get(release, []), release]
        versions = [v for p in patches for v in released.engines(sources(cache, "ai-dynamo", p, r"dynamo/"), p, module)]
        out[minor(release)] = [(v, sources(cache, module, v, KEEP[module])) for v in dict.fromkeys(versions)]
    return out


def vllm_type(node, name):
    """What `vllm.envs` makes of a value, and the default: empty where that is worked out at run time."""
    text = ast.unparse(node)
    default = ""
    for call in (n for n in ast.walk(node) if isinstance(n, ast.Call) and len(n.args) > 1):
        if name_of(call.func) in ("getenv", "get", "env_with_choices") and getattr(call.args[0], "value", "") == name:
            default = str(call.args[1].value) if isinstance(call.args[1], ast.Constant) and call.args[1].value is not None else ""
    asked = rf"os\.(?:getenv|environ\.get)\('{name}'(?:, [^()]*)?\)|os\.environ\['{name}'\]"
    asked = rf"(?:{asked}|os\.getenv\('{name}', str\([\d *]+\)\))"
    body = re.sub(r"^lambda: ", "", text)
    body = re.sub(rf" if '{name}' in os\.environ else \w+$", "", body)
    if re.fullmatch(rf"(?:bool\()?(?:int\()?int\({asked}\)\)?\)?", body) or re.fullmatch(rf"maybe_convert_(?:int|bool)\({asked}\)", body):
        return "python-int", default
    if re.fullmatch(rf"float\({asked}\)", body):
        return "python-float", default
    if match := re.fullmatch(rf"{asked}(?:\.strip\(\))?(\.lower\(\))? (?:in \(([^()]*)\)|== ('\w+'))", body):
        words = re.findall(r"'([^']*)'", match[2] or match[3])
        return f"{'on' if match[1] else 'on-exact'}:{'|'.join(sorted(words))}", default
    if isinstance(node, ast.Call) and name_of(node.func) == "env_with_choices" and len(node.args) > 2:
        try:
            words = ast.literal_eval(node.args[2])
        except ValueError:
            return "any", default
        exact = not any(k.arg == "case_sensitive" and k.value.value is False for k in node.keywords)
        return f"{'one-of-exact' if exact else 'one-of'}:{'|'.join(words)}", default
    return "any", default


def vllm_declared(home):
    for node in ast.walk(ast.parse((home / "vllm/envs.py").read_text())):
        target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0] if isinstance(node, ast.Assign) else None
        if name_of(target) == "environment_variables" and isinstance(node.value, ast.Dict):
            yield from ((k.value, *vllm_type(v, k.value)) for k, v in zip(node.value.keys, node.value.values))


def sglang_declared(home):
    """`X = EnvBool(False)` in the class of variables, and `X = EnvBoolWithAlias(True, deprecated_name="Y")`."""
    path = home / "sglang/srt/environ.py"
    if not path.exists():
        return
    kinds = {"EnvBool": "sglang-bool", "EnvInt": "sglang-int", "EnvFloat": "sglang-float"}
    for line in (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Assign) and isinstance(n.value, ast.Call)):
        name, word = name_of(line.targets[0]), name_of(line.value.func)
        if not word.startswith("Env") or not re.match(r"SGLANG_|SGL_", name):
            continue
        first = line.value.args[0] if line.value.args else None
        default = str(first.value) if isinstance(first, ast.Constant) and first.value is not None else ""
        yield name, kinds.get(word.removesuffix("WithAlias"), "any"), default
        for keyword in line.value.keywords:
            if keyword.arg == "deprecated_name":
                yield keyword.value.value, "deprecated", name


def engine(cache, module, declared, prefixes, leave):
    """The table of one engine. What a value must be is said where every release that declares it agrees."""
    by_release = engines(cache, module)
    order = list(by_release)
    names, types, defaults, old, have = set(), {}, {}, {}, {}
    for release, homes in by_release.items():
        # a worker of Dynamo's own may ask for the engine's variables as well
        own = [sources(cache, "ai-dynamo", p, r"dynamo/") for p in RELEASES if minor(p) == release]
        here = Names(*(home for _, home in homes), *own)
        names.update(n for n in here.read if n.startswith(prefixes) and not re.search(leave, n))
        for _, home in homes:
            for name, kind, default in declared(home):
                if not name.startswith(prefixes) or re.search(leave, name):
                    continue
                names.add(name)
                if kind == "deprecated":
                    old[name] = default
                    continue
                types.setdefault(name, set()).add(kind)
                defaults[name] = default
                # what is no deprecated name in a later release is none
                old.pop(name, None)
        for name in list(names):
            have.setdefault(name, set())
        by_release[release] = (homes, here)
    rows = []
    for name in names:
        present = {r for r, (_, here) in by_release.items() if here.has(name)}
        kind = types.get(name, {"any"})
        flags = span(present, order)
        if name in old:
            flags = " ".join(filter(None, ["dep", flags]))
        default = defaults.get(name, "")
        kind = TYPES.get(name) or (kind.pop() if len(kind) == 1 else "any")
        rows.append([name, kind, default if len(default) < 60 and default.isprintable() else "", module, flags, ""])
    versions = ", ".join(f"{r}: {' and '.join(v for v, _ in homes)}" for r, (homes, _) in by_release.items())
    return rows, versions


def vllm(cache):
    rows, versions = engine(cache, "vllm", vllm_declared, "VLLM_", r"^VLLM_TEST_|_$")
    head = [
        "vLLM: `environment_variables` of `vllm/envs.py`, and what other sources ask for, of the wheels that Dynamo pins.",
        f"Dynamo's release with vLLM's: {versions}.",
        "flags: first and last release of Dynamo (0.4 to now) whose vLLM names it. type: python-int and python-float = the engine stops on anything",
        "else, on:WORDS = on for these words and off for all others, one-of = refused otherwise; any = text, or not the same in all releases.",
    ]
    write("vllm", head, rows)


def sglang(cache):
    rows, versions = engine(cache, "sglang", sglang_declared, ("SGLANG_", "SGL_"), r"^SGLANG_TEST_|^SGLANG_CI_|_$")
    head = [
        "SGLang: `sglang/srt/environ.py`, and what other sources ask for, of the wheels that Dynamo pins. Names of its own tests are left out.",
        f"Dynamo's release with SGLang's: {versions}.",
        "flags: first and last release of Dynamo (0.4 to now) whose SGLang names it; dep = read with a notice, under a new name.",
        "type: sglang-bool, sglang-int and sglang-float keep the default on anything else.",
    ]
    write("sglang", head, rows)


def aiperf_type(hint):
    """What pydantic makes of the text for a field of that type."""
    text = ast.unparse(hint).removesuffix(" | None")
    if text in ("int", "float"):
        return f"python-{text}"
    if text == "bool":
        return "one-of:true|false|1|0|yes|no|on|off|t|f|y|n"
    words = re.fullmatch(r"Literal\[(.*)\]", text)
    return "one-of-exact:" + "|".join(re.findall(r"'([^']*)'", words[1])) if words else "any"


def aiperf_declared(home):
    """`X: int = Field(…)` in a class of settings, behind the `env_prefix` of its `model_config`."""
    for cls in (n for n in ast.walk(ast.parse((home / "aiperf/common/environment.py").read_text())) if isinstance(n, ast.ClassDef)):
        config = next((n.value for n in cls.body if isinstance(n, ast.Assign) and name_of(n.targets[0]) == "model_config"), None)
        prefix = next((k.value.value for k in getattr(config, "keywords", []) if k.arg == "env_prefix"), None)
        for line in (n for n in cls.body if isinstance(n, ast.AnnAssign) and name_of(n.target).isupper() and prefix):
            # A section of the settings, and what only code can give.
            if not ast.unparse(line.annotation).startswith("_"):
                given = {k.arg: k.value for k in getattr(line.value, "keywords", [])}
                default = given.get("default")
                yield prefix + line.target.id, aiperf_type(line.annotation), str(default.value) if isinstance(default, ast.Constant) and default.value is not None else ""


def aiperf(cache):
    homes = {}
    for version in released.AIPERF:
        home = sources(cache, "aiperf", version, released.AIPERF_KEEP)
        declared = list(aiperf_declared(home))
        # What else occurs and is no prefix may be read as well.
        others = {n for n in Names(home).named if not n.endswith("_")} - {n for n, _, _ in declared}
        homes[minor(short(version))] = declared + [(n, "any", "") for n in others]
    rows = []
    for name in {n for found in homes.values() for n, _, _ in found}:
        said = [(r, kind, default) for r, found in homes.items() for n, kind, default in found if n == name]
        kinds = {kind for _, kind, _ in said}
        rows.append([name, kinds.pop() if len(kinds) == 1 else "any", said[-1][2], "aiperf", span({r for r, _, _ in said}, list(homes)), ""])
    head = [
        f"aiperf: the settings of `aiperf/common/environment.py` in the wheels of {', '.join(released.AIPERF)}.",
        "flags: first and last of these that has it. type: pydantic refuses anything else, and aiperf does not start.",
    ]
    write("aiperf", head, rows)


# ------------------------------------------------------------------- Dynamo

def dynamo_names(cache):
    """By minor: what the Python sources, the native core and KVBM's wheel name."""
    out = {}
    for release in RELEASES:
        homes = []
        for patch in [*EARLIER.get(release, []), release]:
            homes += [sources(cache, "ai-dynamo", patch, r"dynamo/"), sources(cache, "ai-dynamo-runtime", patch)]
        if RELEASES.index(release) >= RELEASES.index("0.7.1"):
            homes.append(sources(cache, "kvbm", release))
        names = Names(*homes)
        names.named.update(dynamo_crates(cache, release))
        out[minor(release)] = names
    return out


def dynamo_span(by_release, name):
    if name.startswith(COMPOSED):
        return ""
    return span({r for r, names in by_release.items() if names.has(name)}, list(by_release))


def dynamo_crates(cache, release):
    """Names that the crates of a release spell out, with the place that does."""
    out = {}
    for name in CRATES:
        if RELEASES.index(release) >= RELEASES.index(FIRST_CRATE.get(name, RELEASES[0])):
            out.update(crate(cache, name, release, PREFIXES))
    return out


# ---------------------------------------------------------------- libraries

def library(cache, *packages):
    """By release of a library: the names in it."""
    return {short(v): Names(sources(cache, p, v)) for p in packages for v in LIBRARIES[p].split()}


def nccl(cache):
    """When NCCL's variables came and went, and the names in the newest library."""
    by_release = library(cache, "nvidia-nccl-cu12")
    order = [minor(r) for r in by_release]
    known = {minor(r): names for r, names in by_release.items()}
    newest = list(by_release)[-1]
    return (lambda name: span({r for r in order if name in known[r].alone}, order)), newest, known[order[-1]].alone


def ucx(cache):
    """The variables that `ucx_info -f` of each release prints, with the parts that a wheel has (no adapters)."""
    printed = {short(v): (sources(cache, "libucx-cu12", v) / "ucx_info.txt").read_text() for v in LIBRARIES["libucx-cu12"].split()}
    return {minor(r): set(re.findall(r"^#?\s?(UCX_[A-Z0-9_]+)=", text, re.M)) for r, text in printed.items()}


def first_named(cache, *packages):
    """`since:X` by the first release whose libraries spell a name. That a later one does not spell it says nothing: a compiler
    may make numbers of a short text."""
    by_release = library(cache, *packages)
    order = list(by_release)
    return lambda name: span({r for r in order if by_release[r].has(name)} | {order[-1]}, order) if any(n.has(name) for n in by_release.values()) else ""


def core(cache, by_flag, by_hand):
    """Variables that no flag stands for: what the crates spell out, and what Python asks for."""
    by_release = dynamo_names(cache)
    found = {}
    for release in by_release.values():
        found.update(dict.fromkeys((n for n in release.read if n.startswith(tuple(PREFIXES))), "Python sources"))
    for release in RELEASES:
        found.update(dynamo_crates(cache, release))
    rows = []
    for name, source in found.items():
        if name in by_flag or name in by_hand or "TEST" in name or name == "DYN_FOO" or name.endswith("_"):
            continue
        rows.append([name, "any", "", "kvbm" if name.startswith("DYN_KVBM_") else "dynamo", dynamo_span(by_release, name), source])
    every = [p for r in RELEASES for p in [*EARLIER.get(r, []), r]]
    head = [
        f"Variables of Dynamo that no flag stands for: what the crates {', '.join(CRATES)} spell out, and what the Python sources ask for.",
        f"flags: first and last release (0.4 to now) that names it in the wheels of ai-dynamo, ai-dynamo-runtime and kvbm: {', '.join(every)}.",
    ]
    write("dynamo-core", head, rows)
    return found


def contradictions(cache, found):
    """Rows of `dynamo-runtime.tsv`, which is kept by hand, that the wheels speak against."""
    by_release = dynamo_names(cache)
    newest = list(by_release.values())[-1]
    for row in (HERE / "variables/dynamo-runtime.tsv").read_text().splitlines():
        cells = row.split("\t")
        if row.startswith("#") or cells[0] == "name":
            continue
        name, kind, default, owner, flags, _ = cells
        if owner == "nobody" and (name in newest.read or name in newest.alone):
            yield f"dynamo-runtime.tsv: `{name}`: {list(by_release)[-1]} names it"
        if owner != "nobody" and name in found and (kind, default, flags) == ("any", "", ""):
            yield f"dynamo-runtime.tsv: `{name}`: generated from {found[name]} as well"


if __name__ == "__main__":
    where = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else CACHE
    vllm(where)
    sglang(where)
    aiperf(where)
