"""What is kept by hand, held against the wheels: a row that they contradict is told, and the refresh fails.

Judgement stays by hand (what to write instead, in which mode a setting counts); since when an option is deprecated, accepted,
gone or another name for something is in the wheels.
"""

import pathlib
import re

import named
from released import EARLIER, RELEASES, SGLANG, VLLM, pins
from wheels import sources

HERE = pathlib.Path(__file__).resolve().parent
WORKERS = ["dynamo-vllm", "dynamo-sglang", "dynamo-trtllm"]


def table(name):
    for row in (HERE / name).read_text().splitlines():
        if row and not row.startswith("#"):
            yield row.split("\t")


def order(release):
    return tuple(map(int, release.split(".")))


class Flags:
    """One table of `flags/`: which spelling which release takes, and what each option is."""

    def __init__(self, component):
        self.component, self.spellings, self.rows, self.reads = component, {}, {}, {}
        for line in (HERE / f"flags/{component}.tsv").read_text().splitlines():
            if line.startswith("# releases: "):
                self.releases = line.split()[2:]
        columns = lambda marks: {r for r, mark in zip(self.releases, marks) if mark in "yh"}
        for flag, aliases, env, kind, choices, default, present in list(table(f"flags/{component}.tsv"))[1:]:
            whole, _, own = present.partition("/")
            self.rows[flag] = (env, kind, choices, default, whole)
            for spelling, marks in [(flag, own or whole), *((a.partition("=")[0], a.partition("=")[2] or whole) for a in aliases.split())]:
                self.spellings.setdefault(spelling, {}).update(dict.fromkeys(columns(marks), flag))
            for variable in env.split():
                name, _, marks = variable.partition("=")
                self.reads.setdefault(name, set()).update(columns(marks or whole))

    def takes(self, spelling, release):
        """The option that a spelling is in a release."""
        return self.spellings.get(spelling, {}).get(release)


def tables(component):
    if component == "any":
        return [Flags(c) for c in ["frontend", *WORKERS]]
    return [Flags(f"dynamo-{component}" if component in ("vllm", "sglang", "trtllm") else component)]


def earlier(flags, since):
    return [r for r in flags.releases if order(r) < order(since)]


def later(flags, since):
    return [r for r in flags.releases if order(r) >= order(since)]


def refused(cache, component, flag, release):
    """Whether the sources of a release's worker say that an option is supported no more."""
    said = re.compile(rf"{flag} is (?:no longer supported|deprecated|removed)")
    return component in ("vllm", "sglang", "trtllm") and any(said.search(text) for text in texts(cache, component, release))


def renames(cache):
    names = named.dynamo_names(cache)
    for old, component, kind, new, since, effect, _ in list(table("renames.tsv"))[1:]:
        where = f"renames.tsv: `{old}` of {component}, {effect} since {since}"
        for flags in tables(component):
            after = later(flags, since)
            if kind == "flag":
                taken = [r for r in after if flags.takes(old, r)]
                # an option may still be there to say that it is not
                taken = [r for r in taken if effect != "rejected" or not refused(cache, component, old, r)]
                if effect == "rejected" and taken:
                    yield f"{where}: {flags.component} of {', '.join(taken)} takes it"
                if effect in ("alias", "mapped", "ignored") and len(taken) != len(after):
                    yield f"{where}: {flags.component} of {', '.join(r for r in after if r not in taken)} does not take it"
                if effect == "alias":
                    for release in after:
                        if flags.takes(new, release) and flags.takes(old, release) != flags.takes(new, release) and component == "frontend":
                            yield f"{where}: {flags.component} of {release} has two options"
            else:
                reading = [r for r in after if r in flags.reads.get(old, ())]
                if effect == "dead" and reading:
                    yield f"{where}: {flags.component} of {', '.join(reading)} reads it"
            for successor in new.split():
                live = [r for r in after if flags.takes(successor, r) or r in flags.reads.get(successor, ()) or names[r].has(successor)]
                if component != "any" and not live:
                    yield f"{where}: no release from then on knows `{successor}`"
        if kind == "flag" and effect == "rejected" and not any(flags.takes(old, r) for flags in tables(component) for r in earlier(flags, since)):
            yield f"{where}: no release before took it"
        if kind == "env" and effect in ("alias", "mapped", "ignored") and not all(n.has(old) for r, n in names.items() if order(r) >= order(since)):
            yield f"{where}: not every release from then on names it"


def texts(cache, component, release):
    """The sources of one release's worker, its engine's among them."""
    for patch in [p for r in RELEASES if named.minor(r) == release for p in [*EARLIER.get(r, []), r]]:
        home = sources(cache, "ai-dynamo", patch, r"dynamo/")
        yield from (p.read_text() for p in (home / "dynamo" / component).rglob("*.py"))
        if component in ("vllm", "sglang"):
            engine = sources(cache, component, pins(home)[component], VLLM if component == "vllm" else SGLANG)
            yield from (p.read_text() for p in engine.rglob("*.py"))


def noticed(cache, component, flag, release):
    """Whether a release says of an option that it is deprecated: by its action, its help or the notice it logs."""
    field = flag[2:].replace("-", "_")
    near = re.compile(rf"(?:[\"'`]{flag}\b(?!-)|\b{field}\b)(?:.|\n){{0,700}}?deprecat|deprecat(?:.|\n){{0,300}}?(?:{flag}\b(?!-)|\b{field}\b)", re.I)
    return any(near.search(text) for text in texts(cache, component, release))


def worker_flags(cache):
    for flag, component, now, deprecated, gone, _ in list(table("worker-flags.tsv"))[1:]:
        where = f"worker-flags.tsv: `{flag}` of {component}"
        for flags in [Flags(w) for w in WORKERS] if component == "any" else tables(component):
            if gone and any(flags.takes(flag, r) for r in later(flags, gone)):
                yield f"{where}: taken by {flags.component} after {gone}"
        if gone and not any(f.takes(flag, r) for f in ([Flags(w) for w in WORKERS] if component == "any" else tables(component)) for r in earlier(f, gone)):
            yield f"{where}: no release before {gone} took it"
        if not deprecated:
            continue
        (flags,) = tables(component)
        if not flags.takes(flag, deprecated):
            yield f"{where}: {deprecated} does not take it"
        elif not noticed(cache, component, flag, deprecated):
            yield f"{where}: the sources of {deprecated} say nothing of a deprecation"
        for successor in re.findall(r"--[a-z][a-z0-9-]+", now):
            if not any(flags.takes(successor, r) for r in later(flags, deprecated)):
                yield f"{where}: no release from {deprecated} on takes `{successor}`"


def knobs():
    flags = Flags("frontend")
    for flag, variable, since, kind, _, _, default, _ in list(table("router-knobs.tsv"))[1:]:
        where = f"router-knobs.tsv: `{flag}`"
        taking = [r for r in flags.releases if flags.takes(flag, r) and order(r) >= (1, 0)]
        if not taking or taking[0] != since:
            yield f"{where}: since {since}, and the wheels say {taking[:1]}"
            continue
        row = flags.rows[flags.takes(flag, taking[-1])]
        if not set(taking) <= flags.reads.get(variable, set()):
            yield f"{where}: not every release reads `{variable}`"
        told, (word, _, detail) = row[1].split(" ")[0].rstrip("!"), kind.partition(":")
        legal = {"bool": {"bool"}, "int": {"value:int"}, "float": {"value:float"}}.get(word, {"value", "value:any", "optional", "value:json"})
        if word.endswith("?"):
            legal = {"value:any"}
        if told not in legal:
            yield f"{where}: {kind}, and the wheels say {told}"
        words = set(re.split(r"[| ]", re.sub(r"[y.]+=", "", row[2]))) - {""}
        if word == "one-of" and words and words != set(detail.split("|")):
            yield f"{where}: {detail}, and the wheels say {'|'.join(sorted(words))}"
        same = lambda a, b: a.lower() == b.lower() or (re.fullmatch(r"[\d.]+", a or "x") and re.fullmatch(r"[\d.]+", b or "x") and float(a) == float(b))
        if default and row[3] and not same(default, row[3]):
            yield f"{where}: default {default}, and the wheels say {row[3]}"


def contradictions(cache):
    yield from renames(cache)
    yield from worker_flags(cache)
    yield from knobs()
