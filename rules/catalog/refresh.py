#!/usr/bin/env python3
"""Turn raw tool dumps and source-derived tables into the catalog's data files.

    python3 rules/catalog/refresh.py [REFERENCE [CRDS]]

Without REFERENCE only what is made from packages of the registries. REFERENCE holds `vars/` (variable tables read from source, `ucx_info -f`, `fi_info -e`); CRDS holds the operator's CustomResourceDefinition files. `docs/catalog.md` says how each was made.

Nothing here guesses: what a dump does not say is left open, and an open type accepts every value.
"""

import json
import pathlib
import re
import sys

import held
import named
from released import dated
from wheels import CACHE

HERE = pathlib.Path(__file__).resolve().parent


def write(path, header, columns, rows):
    """One tab-separated file: comment lines, the column line, sorted rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"# {line}" for line in header] + ["\t".join(columns)]
    for row in sorted(rows):
        assert len(row) == len(columns), row
        assert all("\t" not in cell and "\n" not in cell for cell in row), row
        lines.append("\t".join(row))
    changed = dated(path, lines)
    print(f"{path.relative_to(HERE)}: {len(rows)} rows{'' if changed else ', as before'}")


def table(path):
    """Rows of a reference table: tab-separated, comment lines skipped."""
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            yield line.split("\t")


# ---------------------------------------------------------------- variables

COLUMNS = ["name", "type", "default", "owner", "flags", "source"]

# Tables that `ucx_info -f` of a build without that module does not print.
UCX_ENUMS = {
    "uct_dc_tx_policy_names": "dcs|dcs_quota|dcs_hybrid|rand|hw_dcs",
    "uct_rc_fence_mode_values": "none|weak|auto",
    "ucs_log_level_names": "fatal|error|warn|diag|info|debug|trace|req|data|async|func|poll|print",
}


def ucx_syntax(path):
    """Variable name to the `syntax:` line that `ucx_info -f` prints above it, and to its default."""
    found, defaults, syntax = {}, {}, ""
    for line in path.read_text().splitlines():
        if match := re.match(r"# syntax:\s+(.*)", line):
            syntax = match[1]
        elif match := re.match(r"#?\s?(UCX_[A-Za-z0-9_]+)=(.*)", line):
            found[match[1]], defaults[match[1]] = syntax, match[2]
    return found, defaults


def ucx_value_type(text):
    """A syntax line as one of our types; empty when we do not know it."""
    if text.startswith("time value") and "inf" in text:
        return "TIME_UNITS"
    exact = {
        "<y|n>": "BOOL",
        "<yes|no|try>": "TERNARY",
        "<yes|no|try|auto>": "TERNARY_AUTO",
        "<on|off|auto>": "ON_OFF_AUTO",
        "integer": "INT",
        "unsigned integer": "UINT",
        "unsigned long": "ULONG",
        "floating point number": "DOUBLE",
        'hex representation of a number or "auto"': "HEX",
    }
    if text in exact:
        return exact[text]
    for start, name in [
        ("time value", "TIME"),
        ("unsigned long:", "ULUNITS"),
        ("positive floating point number or", "POS_DOUBLE"),
        ("bandwidth value", "BW"),
        ("memory units", "MEMUNITS"),
        ("system signal", "SIGNO"),
        ("numbers range", "RANGE_SPEC"),
        ("string", "STRING"),
    ]:
        if text.startswith(start):
            return name
    if match := re.fullmatch(r"\[([^\]]+)\]", text):
        return f"ENUM({match[1].lower()})"
    return ""


def ucx_type(kind, syntax, enums):
    """The type column: C table names replaced by their values."""
    if match := re.fullmatch(r"(U?I?N?T?_?ENUM|BITMAP)\((\w+)\)", kind):
        values = enums.get(match[2], "")
        return f"{match[1]}({values})" if values else "ANY"
    if kind == "LOG_COMP":
        return f"ENUM({UCX_ENUMS['ucs_log_level_names']})"
    if kind == "KEY_VALUE":
        match = re.match(r"comma-separated list of value or key:value pairs, where key is one of \[([^\]]+)\] and value is: (.*?)\. A value", syntax)
        value = ucx_value_type(match[2]) if match else ""
        return f"KEY_VALUE({match[1]};{value})" if value else "ANY"
    if kind == "ARRAY":
        match = re.match(r"comma-separated list of: (.*)", syntax)
        value = ucx_value_type(match[1]) if match else ""
        return f"ARRAY({value})" if value else "ANY"
    if kind == "ALLOW_LIST" and "ranges" in syntax:
        return "ALLOW_LIST_RANGES"
    if kind in ("?", "DEPRECATED"):
        return "ANY"
    # where a macro declares a field, the running library knows better than the extraction from source
    return ucx_value_type(syntax) or kind or "ANY"


def ucx(reference):
    raw = list(table(reference / "vars/ucx_vars.txt"))
    syntax, defaults = ucx_syntax(reference / "vars/ucx_info_f.txt")
    # modules that the printing build lacks declare their pools with the same macro
    for name, *_ in raw:
        for suffix in ["_GROW_FACTOR", "_MAX_BUFS", "_MAX_CHUNK_SIZE"]:
            if name.endswith(suffix):
                twin = next(n for n in syntax if n.endswith(suffix))
                syntax.setdefault(name, syntax[twin])
    known = {row[0] for row in raw}
    raw += [[name, "", defaults[name], "since:1.22", "ucx_info -f of 1.22.0"] for name in syntax if name not in known]
    enums = dict(UCX_ENUMS)
    for name, kind, *_ in raw:
        if match := re.fullmatch(r"(?:UINT_ENUM|ENUM|BITMAP)\((\w+)\)", kind):
            if values := re.search(r"\[([^\]]+)\]", syntax.get(name, "")):
                enums.setdefault(match[1], values[1].lower())
    rows = []
    old, _ = ucx_syntax(reference / "vars/ucx_info_f-debian-1.13.1.txt")
    known = {row[0] for row in raw}
    raw += [[name, "?", "", "removed:v1.13.1", "ucx_info -f of 1.13.1, absent from 1.21.0 and 1.22.0"] for name in old if name not in known]
    printed = named.ucx(CACHE)
    order = list(printed)
    for name, kind, default, flags, source in raw:
        if flags.startswith("removed:") and name in defaults:  # the running library still has it
            kind, flags, source = "", "", "ucx_info -f of 1.22.0"
        if default == "UCP_RSC_CONFIG_ALL":
            default = "all"
        if default in ("", "x") or re.search(r"[A-Z]{2}\w*_|\"", default):
            default = defaults.get(name, "")
        if default == "NULL":
            default = ""
        flags = flags.strip("-")
        # the wheels have no adapters: what none of them prints they say nothing of
        have = [r for r in order if name in printed[r]]
        if not flags and have and have[0] != order[0]:
            flags = f"since:{have[0]}"
        if flags.startswith("removed:") and name in printed[order[-1]]:
            sys.exit(f"{name}: {flags}, and `ucx_info -f` of {order[-1]} prints it")
        rows.append([name, "ucx:" + ucx_type(kind, syntax.get(name, ""), enums), default, "ucx", flags, source])
    listed = {row[0] for row in rows}
    for name in sorted(set().union(*printed.values()) - listed):
        last = [r for r in order if name in printed[r]][-1]
        rows.append([name, "ucx:ANY", "", "ucx", "" if last == order[-1] else f"removed:{last}", f"ucx_info -f of libucx-cu12 {last}"])
    write(
        HERE / "variables/ucx.tsv",
        [
            "UCX v1.21.0 and v1.22.0, from the configuration tables in source; enum values and key lists from `ucx_info -f` of 1.22.0.",
            f"since and removed: `ucx_info -f` of the wheels of libucx-cu12 {named.LIBRARIES['libucx-cu12'].replace(' ', ', ')}, which have no adapters.",
            "type: the parser in src/ucs/config/parser.c; ANY where the table does not say. flags: dep, alias, since:<tag>, removed:<last tag that has it>.",
        ],
        COLUMNS,
        rows,
    )


NCCL_TYPES = {
    "NCCL_IB_HCA": "nccl-filter",
    "NCCL_SOCKET_IFNAME": "nccl-filter",
    "NCCL_OOB_NET_IFNAME": "nccl-filter",
    "NCCL_P2P_LEVEL": "nccl-level",
    "NCCL_NET_GDR_LEVEL": "nccl-level",
    "NCCL_NET_MERGE_LEVEL": "nccl-level",
    "NCCL_P2P_DISABLE": "nccl-int",
    "NCCL_DEBUG": "one-of:VERSION|WARN|INFO|ABORT|TRACE",
    "NCCL_GRAPH_MIXING_SUPPORT": "nccl-int",
    "NCCL_SYM_CTAS": "nccl-int",
    # read through ncclGetEnv or the typed parameter registry, not through strtoll
    "NCCL_DEBUG_FILE": "any",
    "NCCL_DEBUG_SUBSYS": "any",
    "NCCL_DEBUG_TIMESTAMP_FORMAT": "any",
    "NCCL_DEBUG_TIMESTAMP_LEVELS": "any",
    "NCCL_NO_CACHE": "any",
    "NCCL_PARAM_DUMP_ALL": "any",
    "NCCL_SET_THREAD_NAME": "any",
    "NCCL_WARN_ENABLE_DEBUG_INFO": "any",
}


def nccl(reference):
    rows, text = {}, (reference / "vars/nccl_vars.txt").read_text()
    for line in text.splitlines():
        if match := re.match(r"# BAD (\S+)\t(.*)", line):
            rows[match[1]] = [match[1], "any", "", "nobody", "unread", match[2]]
            continue
        if not line.startswith("NCCL_"):
            continue
        cells = (line.split("\t") + [""] * 4)[:4]
        name, default, flags, source = cells
        if default.endswith(")") and flags == "":  # a macro that the extraction cut at a line end
            default, flags, source = default.rstrip(")"), "", "src (macro)"
        owner = "nccl"
        if flags.startswith("external:"):
            owner, flags = flags.split(" (")[0], ""
            source = source or "names seen in public manifests"
        kind = NCCL_TYPES.get(name) or ("nccl-int" if default and owner == "nccl" else "any")
        if default == "(literal)":
            default = ""
        if re.fullmatch(r"NCCL_[A-Z0-9_]+", name):
            rows[name] = [name, kind, default, owner, flags.strip("-"), source]
    # a rule asks for these by name; the registry spells the flag once for both
    for name in ["NCCL_GRAPH_MIXING_SUPPORT", "NCCL_LAUNCH_RACE_FATAL"]:
        rows[name] = [name, "nccl-int", "1", "nccl", "only:2.28", "src/misc/strongstream.cc:157"]
    rows["NCCL_SYM_CTAS"] = ["NCCL_SYM_CTAS", "nccl-int", "0", "nccl", "only:2.28", "src/sym_kernels.cc:104"]
    # a release has a variable when its library has the name; of what no library has (plugins, names that are put together) the
    # source speaks
    when, newest, strings = named.nccl(CACHE)
    for name, row in rows.items():
        if row[3] == "nobody" and name in strings:
            sys.exit(f"{name}: `nobody`, and libnccl.so.2 {newest} has it")
        if row[3] == "nccl" and (name in strings or when(name)):
            row[4] = when(name)
    write(
        HERE / "variables/nccl.tsv",
        [
            "NCCL v2.30.7-1 and v2.28.9-1, from source; names that plugins, torch or images own, and names that nothing reads (owner `nobody`).",
            "type: nccl-int = strtoll base 0 (src/misc/param.cc). flags: since and removed (last that has it) by the strings of libnccl.so.2 of",
            f"nvidia-nccl-cu12 {named.LIBRARIES['nvidia-nccl-cu12'].replace(' ', ', ')};",
            "removed:<first..last sampled tag>: before them, from the source's history; unread.",
        ],
        COLUMNS,
        list(rows.values()),
    )


def nccl_binary():
    """Names in the newest libnccl.so.2 that the source tables do not have: known, but of unknown grammar."""
    known = {line.split("\t")[0] for line in (HERE / "variables/nccl.tsv").read_text().splitlines()}
    when, newest, strings = named.nccl(CACHE)
    fresh = sorted(n for n in strings if n not in known and re.fullmatch(r"NCCL_[A-Z0-9_]+[A-Z0-9]", n))
    write(
        HERE / "variables/nccl-2.32.tsv",
        [
            f"Strings that look like variable names in libnccl.so.2 of nvidia-nccl-cu12 {newest} and that the source tables of 2.30.7 lack.",
            "Some are C enum names; the list only keeps a newer name from being called a typo.",
        ],
        COLUMNS,
        [[n, "any", "", "nccl", "binary", f"libnccl.so.2 {newest}"] for n in fresh],
    )


def nixl(reference):
    rows = []
    kinds = [
        (r"bool$", "nixl-bool"),
        (r"enum (\S+) ", None),
        (r"uint16", "uint:65535"),
        (r"uint", "uint"),
        (r"existence only", "presence"),
    ]
    when = named.first_named(CACHE, "nixl", "nixl-cu12")
    for name, kind, default, flags, source in table(reference / "vars/nixl_vars.txt"):
        out = "any"
        for pattern, mapped in kinds:
            if match := re.match(pattern, kind):
                out = mapped or f"one-of:{match[1]}"
                break
        rows.append([name, out, default.split(" (")[0], "nixl", flags.strip("-") or when(name), source])
    for line in (reference / "vars/nixl_vars.txt").read_text().splitlines():
        if match := re.match(r"# BAD ([A-Z0-9_, ]+)\t(.*)", line):
            for name in match[1].split(", "):
                rows.append([name, "any", "", "nobody", "unread", match[2]])
    write(
        HERE / "variables/nixl.tsv",
        ["NIXL v1.3.2 and v1.4.0, from source, and names that nothing reads (owner `nobody`).", f"since: first wheel that spells the name, of nixl {named.LIBRARIES['nixl']} and nixl-cu12 {named.LIBRARIES['nixl-cu12']}.", "type nixl-bool: anything else throws (src/utils/common/configuration.*)."],
        COLUMNS,
        rows,
    )


def libfabric(reference):
    types = {}
    for match in re.finditer(r"^# (FI_\w+): (\S+)", (reference / "vars/fi_info_e.txt").read_text(), re.M):
        types[match[1]] = {"Boolean": "fi-bool", "Integer": "fi-int"}.get(match[2], "any")
    fixed = {"FI_EFA_ENABLE_SHM_TRANSFER": "fi-int", "FI_EFA_USE_DEVICE_RDMA": "fi-bool"}
    rows = []
    for name, flags, source in table(reference / "vars/fi_vars.txt"):
        rows.append([name, fixed.get(name) or types.get(name, "any"), "", "libfabric", flags.strip("-"), source])
    have = {row[0] for row in rows}
    for name, kind in types.items():
        if name not in have:
            rows.append([name, kind, "", "libfabric", "", "fi_info -e"])
    for line in (reference / "vars/fi_vars.txt").read_text().splitlines():
        if match := re.match(r"# BAD (\S+)\t(.*)", line):
            rows.append([match[1], "any", "", "nobody", "unread", match[2]])
    write(
        HERE / "variables/libfabric.tsv",
        ["libfabric v2.4.0, from source; types from `fi_info -e`.", "flags: abort-if-set = prov/efa calls abort() (prov/efa/src/efa_env.c:57-65), dep = ignored with a notice."],
        COLUMNS,
        rows,
    )


def other(reference):
    """What has no table of its own. The engines have, of every release (named.py)."""
    rows = []
    when = named.first_named(CACHE, "mooncake-transfer-engine")
    for name, owner, note in table(reference / "vars/other_transport_vars.txt"):
        if owner.startswith(("SGLang", "vLLM")):
            continue
        who = {
            "NVSHMEM": "nvshmem",
            "aws-ofi-nccl": "aws-ofi-nccl",
            "Mooncake": "mooncake",
            "TensorRT-LLM": "trtllm",
            "SGLang": "sglang",
            "vLLM (0.27-era)": "vllm",
            "misc": "misc",
        }.get(owner.split("@")[0], "kvbm" if name.startswith("DYN_KVBM") else owner.split("@")[0])
        kind, default = "any", ""
        if who == "trtllm":
            if note == "1 only":
                kind = "exactly-1"
            elif "unit mandatory" in note:
                kind, default = "size-unit", "512MB"
            elif note.startswith("UCX|LIBFABRIC"):
                kind, default = "one-of-exact:UCX|LIBFABRIC", "UCX"
            elif note == "uint16":
                kind = "uint:65535"
        elif who == "kvbm":
            kind = "kvbm-bool"
        elif name == "NVIDIA_GDRCOPY":
            kind = "one-of-exact:enabled"
        flags = "removed" if note.endswith(" removed") else "dep" if note.endswith(" deprecated") else ""
        if who == "mooncake":
            flags = flags or when(name)
        rows.append([name, kind, default, who, flags, owner])
    write(
        HERE / "variables/other.tsv",
        ["NVSHMEM v3.4.5, aws-ofi-nccl v1.21.1, Mooncake, TensorRT-LLM, KVBM and the container toolkit, from source.", f"since of Mooncake: first wheel that spells the name, of mooncake-transfer-engine {named.LIBRARIES['mooncake-transfer-engine'].replace(' ', ', ')}.", "type exactly-1: TensorRT-LLM getBoolEnv is true for `1` only."],
        COLUMNS,
        rows,
    )


# --------------------------------------------------- variables behind flags

def dynamo():
    """Variables that supply a flag's default; the type is the flag's. A variable is there from the first release to the last whose
    flags read it, or whose sources name it at all: options move from one program to another."""
    rows, read = {}, {}
    names = named.dynamo_names(CACHE)
    order = list(names)
    for component in ["frontend", "dynamo-vllm", "dynamo-sglang", "dynamo-trtllm", "mocker", "router", "global_router"]:
        for row in (HERE / f"flags/{component}.tsv").read_text().splitlines():
            if row.startswith("# releases: "):
                releases = row.split()[2:]
            cells = row.split("\t")
            if row.startswith("#") or len(cells) < 7:
                continue
            for variable in cells[2].split():
                name, _, marks = variable.partition("=")
                if not re.match(r"DYN_|NATS_", name):
                    continue
                marks = marks or cells[6].split("/")[0]
                read.setdefault(name, set()).update(r for r, mark in zip(releases, marks) if mark == "y")
                # choices are argparse's: a value from the environment is not held against them
                kind = "python-bool" if cells[3].split(" ")[0].rstrip("!") == "bool" else "any"
                rows.setdefault(name, [name, kind, cells[5], "dynamo", "", f"{component} {cells[0]}"])
    for name, row in rows.items():
        read[name].update(r for r in order if names[r].has(name))
        row[4] = "" if name.startswith(named.COMPOSED) else named.span(read[name], order)
    more = {line.split("\t")[0] for line in (HERE / "variables/dynamo-runtime.tsv").read_text().splitlines()}
    rows = [row for name, row in rows.items() if name not in more]
    head = [
        "Variables that supply the default of a flag; see flags/. Python reads them.",
        "flags: since:<first release of 0.4 to now whose wheels (ai-dynamo, ai-dynamo-runtime, kvbm) name it>, removed:<last one that does>.",
    ]
    write(HERE / "variables/dynamo.tsv", head, COLUMNS, rows)
    found = named.core(CACHE, {row[0] for row in rows}, more)
    wrong = list(named.contradictions(CACHE, found))
    if wrong:
        sys.exit("\n".join(wrong))


# ----------------------------------------------------------------- schemas

def schemas(folder):
    """The CRDs' schemas as a list of distinct nodes: a pod spec occurs many times and is stored once."""
    try:
        import yaml
    except ImportError:
        sys.exit("schemas need PyYAML")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    nodes, roots = {}, []

    def intern(node):
        key = json.dumps(node, sort_keys=True)
        return nodes.setdefault(key, len(nodes))

    def convert(schema):
        node = {}
        if "type" in schema:
            node["type"] = schema["type"]
        for ours, theirs in [
            ("open", "x-kubernetes-preserve-unknown-fields"),
            ("int-or-string", "x-kubernetes-int-or-string"),
            ("embedded", "x-kubernetes-embedded-resource"),
            ("nullable", "nullable"),
            ("list", "x-kubernetes-list-type"),
            ("keys", "x-kubernetes-list-map-keys"),
            ("enum", "enum"),
            ("pattern", "pattern"),
            ("default", "default"),
            ("min", "minimum"),
            ("max", "maximum"),
            ("min-length", "minLength"),
            ("max-length", "maxLength"),
            ("max-items", "maxItems"),
        ]:
            if theirs in schema:
                node[ours] = schema[theirs]
        if "required" in schema:
            node["required"] = sorted(schema["required"])
        # `allOf` with a bare enum or default is how controller-gen repeats a reference
        for part in schema.get("allOf", []):
            if "enum" in part:
                node["enum"] = part["enum"]
        if "properties" in schema:
            node["fields"] = {name: convert(child) for name, child in sorted(schema["properties"].items())}
        if isinstance(schema.get("items"), dict):
            node["items"] = convert(schema["items"])
        extra = schema.get("additionalProperties")
        if isinstance(extra, dict):
            node["values"] = convert(extra)
        elif extra is True:
            node["open"] = True
        return intern(node)

    for path in sorted(folder.glob("*.yaml")):
        crd = yaml.load(path.read_text(), loader)
        for version in crd["spec"]["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            for known in ("metadata", "status"):
                if known in schema["properties"]:
                    schema["properties"][known] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
            roots.append({"kind": crd["spec"]["names"]["kind"], "version": version["name"], "root": convert(schema)})
    lines = [
        "# Schemas of the operator's CRDs, one distinct node a line; numbers are lines counted from the first node, from 0.",
        "# open = unknown fields are kept, fields = properties, values = schema of a map's values, list/keys = merge behaviour.",
        "# `metadata` and `status` of an object are left open: the API server knows the one, nobody writes the other.",
    ]
    lines += list(nodes)
    lines += [json.dumps(root) for root in roots]
    (HERE / "schemas.jsonl").write_text("\n".join(lines) + "\n")
    print(f"schemas.jsonl: {len(nodes)} nodes, {len(roots)} roots")


def main():
    if len(sys.argv) > 1:
        reference = pathlib.Path(sys.argv[1])
        ucx(reference)
        nccl(reference)
        nixl(reference)
        libfabric(reference)
        other(reference)
    nccl_binary()
    named.vllm(CACHE)
    named.sglang(CACHE)
    named.aiperf(CACHE)
    dynamo()
    if len(sys.argv) > 2:
        schemas(pathlib.Path(sys.argv[2]))
    wrong = list(held.contradictions(CACHE))
    if wrong:
        sys.exit("\n".join(wrong))
    print("kept by hand: renames.tsv, worker-flags.tsv, router-knobs.tsv and dynamo-runtime.tsv say nothing that the wheels contradict")


if __name__ == "__main__":
    main()
