#!/usr/bin/env python3
"""Options of Dynamo's programs, their engines and aiperf, read out of the wheels of every released minor.

    python3 rules/catalog/released.py [CACHE]

Downloads the `ai-dynamo` wheels, and of the engines exactly the releases that they pin, keeps their Python sources in
CACHE (default `~/.cache/dynlint/catalog`, see wheels.py), and reads argument definitions and config classes out of the syntax trees: nothing
of them is imported or run, but for the runtime's own list of parsers. Writes all of `flags/`, `json-keys.tsv`, and
`engine-keys.tsv`.

`ai-dynamo` 0.1 to 0.3 have none of these programs in their wheels (`dynamo serve` started everything): 0.4 is the first.
"""

import ast
import datetime
import json
import pathlib
import re
import sys

from wheels import CACHE, sources

HERE = pathlib.Path(__file__).resolve().parent
OLD = ["0.4.1", "0.5.1", "0.6.1", "0.7.1", "0.8.1", "0.9.1"]
# Earlier patches of a minor that took something its last one does not. All others only ever added to what they take.
EARLIER = {"0.4.1": ["0.4.0"], "0.5.1": ["0.5.0"]}
NEW = ["1.0.2", "1.1.1", "1.2.1", "1.3.1", "1.4.2", "1.5.1", "1.6.1"]
RELEASES = [*OLD, *NEW]
AIPERF_KEEP = r"aiperf/.*(config|cli|common/environment)"
AIPERF = ["0.6.0.post1", "0.7.0", "0.8.0", "0.9.0", "0.10.0", "0.11.0", "0.12.0", "0.13.0"]


# ------------------------------------------------------------------ sources

def parsers(cache, release):
    """Names of tool-call and reasoning parsers that a release's workers take, as its runtime's native module says them."""
    tools, reasoning = json.loads((sources(cache, "ai-dynamo-runtime", release) / "parsers.json").read_text())
    return {"--dyn-tool-call-parser": tools, "--dyn-reasoning-parser": reasoning}


def pins(home):
    """The engine releases that an `ai-dynamo` wheel asks for."""
    text = next(home.glob("*.dist-info/METADATA")).read_text()
    return dict(re.findall(r"^Requires-Dist: (vllm|sglang)(?:\[[^]]*\])?==([0-9A-Za-z.]+)", text, re.M))


# ------------------------------------------------------------- small values

class World:
    """Names that an argument definition may use: constants, aliases of types, enums, classes with fields."""

    def __init__(self, files):
        self.names, self.classes, self.functions = {}, {}, {}
        for path in files:
            try:
                tree = ast.parse(path.read_text())
            except SyntaxError:
                continue
            for node in tree.body:
                self.add(node)

    def add(self, node):
        if isinstance(node, ast.ClassDef):
            self.classes.setdefault(node.name, node)
        elif isinstance(node, ast.FunctionDef):
            self.functions.setdefault(node.name, node)
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            self.names.setdefault(node.targets[0].id, node.value)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            self.names.setdefault(node.target.id, node.value)
        elif isinstance(node, (ast.If, ast.Try)):
            for inner in node.body:
                self.add(inner)

    def value(self, node, local=None, depth=0):
        """A constant expression's value; raises LookupError for what is worked out at run time."""
        if depth > 20 or node is None:
            raise LookupError
        go = lambda n: self.value(n, local, depth + 1)
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            out = []
            for item in node.elts:
                if isinstance(item, ast.Starred):
                    out += list(go(item.value))
                else:
                    out.append(go(item))
            return out
        if isinstance(node, ast.Dict):
            return {go(k): None for k in node.keys}
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Pow, ast.Mult)):
            left, right = go(node.left), go(node.right)
            if not (isinstance(left, int) and isinstance(right, int) and 0 <= right < 64):
                raise LookupError
            return left**right if isinstance(node.op, ast.Pow) else left * right
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "str" and len(node.args) == 1:
            return str(go(node.args[0]))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = go(node.left), go(node.right)
            return left + right if type(left) is type(right) else list(left) + list(right)
        if isinstance(node, ast.Name):
            if local and node.id in local:
                return go(local[node.id])
            if node.id in self.names:
                return go(self.names[node.id])
            raise LookupError
        if isinstance(node, ast.Attribute) and name_of(node.value) in self.classes:
            # a member of an enum, or a constant of a class
            name = "value" if node.attr == "value" else node.attr
            for line in self.classes[name_of(node.value)].body:
                if isinstance(line, (ast.Assign, ast.AnnAssign)) and name_of(line.targets[0] if isinstance(line, ast.Assign) else line.target) == name:
                    return go(line.value)
            raise LookupError
        if isinstance(node, ast.Attribute) and node.attr == "value":
            return go(node.value)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("list", "tuple", "sorted", "set") and len(node.args) == 1:
            return list(go(node.args[0]))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.args and node.func.id in self.functions:
            # a function that says what there is: the first of its answers that can be read
            for answer in (n for n in ast.walk(self.functions[node.func.id]) if isinstance(n, ast.Return)):
                try:
                    return go(answer.value)
                except LookupError:
                    pass
            raise LookupError
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "get_args":
            return self.literal(node.args[0])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "keys":
            return list(go(node.func.value))
        if isinstance(node, ast.ListComp) and len(node.generators) == 1 and not node.generators[0].ifs:
            return self.members(node)
        raise LookupError

    def members(self, node):
        """`[m.value for m in SomeEnum]`"""
        source, element = node.generators[0].iter, node.elt
        if isinstance(source, ast.Name) and source.id in self.classes and isinstance(element, ast.Attribute):
            body = self.classes[source.id].body
            lines = [l for l in body if isinstance(l, ast.Assign) and isinstance(l.targets[0], ast.Name)]
            if element.attr == "value":
                return [self.value(l.value) for l in lines]
            if element.attr == "name":
                return [l.targets[0].id for l in lines]
        raise LookupError

    def literal(self, node):
        """The words of a `Literal`, through aliases and unions."""
        if isinstance(node, ast.Name) and node.id in self.names:
            return self.literal(self.names[node.id])
        if isinstance(node, ast.Subscript) and name_of(node.value) == "Literal":
            inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            out = []
            for item in inner:
                try:
                    out.append(self.value(item))
                except LookupError:
                    out += self.literal(item)
            return out
        raise LookupError

    def fields(self, name):
        """Annotations of a class's fields, those of its bases among them."""
        out = {}
        node = self.classes.get(name)
        if node is None:
            return out
        for base in node.bases:
            out |= self.fields(name_of(base))
        for line in node.body:
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                out[line.target.id] = line.annotation
        return out


def name_of(node):
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    return ""


def kwargs_of(call):
    return {k.arg: k.value for k in call.keywords if k.arg}


# -------------------------------------------------------------- definitions

class Option:
    def __init__(self, names, kind="value", type="", choices=(), env="", exact=False):
        self.names, self.kind, self.type, self.choices, self.env = names, kind, type, tuple(choices), env
        self.default, self.exact = "", exact


TYPES = {"str": "", "Path": "", "pathlib.Path": "", "int": "int", "float": "float", "human_readable_int": "human-int", "human_readable_int_or_auto": "human-int", "json.loads": "json", "loads": "json"}


def plain(call, world, local=None):
    """`parser.add_argument("--x", …)` as an option."""
    words = [(local or {}).get(name_of(a), a) for a in call.args]
    names = [a.value for a in words if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    if not names or not all(n.startswith("-") for n in names):
        return None
    return described(names, kwargs_of(call), world, local)


def variable(default, world):
    """The variable and the default behind `os.environ.get("X", "y")`, `int(os.getenv("X", "1"))`, `env_or_default("X", y)`."""
    for call in (n for n in ast.walk(default) if isinstance(n, ast.Call)):
        if ast.unparse(call.func) in ("os.environ.get", "os.getenv", "env_or_default"):
            try:
                return world.value(call.args[0]), call.args[1] if len(call.args) > 1 else None
            except LookupError:
                pass
    return "", default


def described(names, given, world, local=None):
    option = Option(names)
    if given.get("default") is not None:
        option.env, given["default"] = variable(given["default"], world)
    action = given.get("action")
    word = action.value if isinstance(action, ast.Constant) else name_of(action) if action else ""
    if word in ("store_true", "store_false", "store_const", "count", "help", "version"):
        option.kind = "switch"
    elif word == "BooleanOptionalAction" or (word in world.classes and any(name_of(b) == "BooleanOptionalAction" for b in world.classes[word].bases)):
        option.kind = "bool"
    elif action is not None and word not in ("store", "append", "extend"):
        # an action of the program's own: what it takes its class says
        given = dict(given)
        if "nargs" not in given and word in ("DeprecatedStoreTrueAction", "DeprecatedAction"):
            option.kind = "switch" if word == "DeprecatedStoreTrueAction" else "optional"
    if "nargs" in given:
        try:
            count = world.value(given["nargs"], local)
        except LookupError:
            count = "*"
        option.kind = {"?": "optional", "*": "values0", "+": "values1"}.get(count, "values1" if count not in (0,) else "switch")
    kind = given.get("type") or given.get("arg_type")
    if kind is not None:
        option.type = TYPES.get(ast.unparse(kind), "any")
    if "choices" in given:
        try:
            option.choices = [str(c) for c in world.value(given["choices"], local) if c is not None]
        except (LookupError, TypeError):
            pass
    try:
        default = world.value(given.get("default"), local)
        option.default = "" if default is None else " ".join(str(default).split())
    except (LookupError, TypeError):
        pass
    return option


def calls(tree):
    return (n for n in ast.walk(tree) if isinstance(n, ast.Call))


class Worker(ast.NodeTransformer):
    """Leaves out what a group of options adds for the frontend alone."""

    def visit_If(self, node):
        return None if getattr(node.test, "attr", "") == "include_frontend_only" else self.generic_visit(node)


def dynamo(files, world, frontend=False):
    """Dynamo's own `add_argument(group, flag_name=…, env_var=…)`, its boolean sister, and argparse's."""
    for path in files:
        tree = ast.parse(path.read_text())
        if not frontend:
            tree = Worker().visit(tree)
        yield from looped(tree, world)
        for call in calls(tree):
            word, given = name_of(call.func), kwargs_of(call)
            if word in ("add_argument", "add_negatable_bool_argument", "add_bool_argument") and "flag_name" in given:
                try:
                    names = [world.value(given["flag_name"])]
                    names += [world.value(given[k]) for k in ("alias", "obsolete_flag") if k in given and world.value(given[k])]
                except LookupError:
                    continue
                option = described(names, given, world)
                if "negatable" in word or "bool" in word:
                    option.kind = "bool"
                if "env_var" in given:
                    try:
                        option.env = world.value(given["env_var"]) or ""
                    except LookupError:
                        pass
                yield option
            elif word == "add_argument" and isinstance(call.func, ast.Attribute):
                option = plain(call, world)
                if option:
                    yield option


def looped(tree, world):
    """`for flag, env, _ in TABLE: add_argument(group, flag_name=flag, …)`, and names put together of a prefix and a key."""
    fields = next((n.value for n in tree.body if isinstance(n, (ast.Assign, ast.AnnAssign)) and name_of(n.targets[0] if isinstance(n, ast.Assign) else n.target) == "_FIELDS"), None)
    for call in calls(tree) if isinstance(fields, ast.Dict) else ():
        prefixes = [a.left.value for a in call.args if isinstance(a, ast.BinOp) and isinstance(a.left, ast.Constant)]
        if name_of(call.func) == "add_argument" and prefixes and all(str(p).startswith("--") for p in prefixes):
            for key in fields.keys:
                option = Option([p + key.value.replace("_", "-") for p in prefixes], type="any")
                option.env = f"DYN_AIC_{key.value.upper()}"
                yield option
    for loop in (n for n in ast.walk(tree) if isinstance(n, ast.For) and isinstance(n.target, ast.Name)):
        for call in (c for c in calls(loop) if name_of(c.func) == "add_argument" and c.args and isinstance(c.args[0], ast.JoinedStr)):
            try:
                words = world.value(loop.iter)
            except LookupError:
                continue
            for word in words:
                # `f"--x-{word}-y"`
                parts = [p.value if isinstance(p, ast.Constant) else word for p in call.args[0].values]
                yield described(["".join(parts)], kwargs_of(call), world)
    local = {n.targets[0].id: n.value for n in ast.walk(tree) if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)}
    for loop in (n for n in ast.walk(tree) if isinstance(n, ast.For) and isinstance(n.target, ast.Tuple)):
        targets = [name_of(t) for t in loop.target.elts]
        for call in (c for c in calls(loop) if name_of(c.func) == "add_argument"):
            given = kwargs_of(call)
            if name_of(given.get("flag_name")) not in targets:
                continue
            try:
                table = world.value(loop.iter, local)
            except LookupError:
                continue
            for row in table:
                bound = dict(zip(targets, row))
                option = described([bound[name_of(given["flag_name"])]], given, world)
                option.default = ""
                option.env = bound.get(name_of(given.get("env_var")), "")
                yield option


def tabled(path, world):
    """Options of SGLang's worker before 1.0: `DYNAMO_ARGS = {"endpoint": {"flags": ["--endpoint"], "type": str}}`."""
    table = World([path]).names.get("DYNAMO_ARGS")
    for entry in table.values if isinstance(table, ast.Dict) else ():
        given = {k.value: v for k, v in zip(entry.keys, entry.values)}
        yield described(world.value(given["flags"]), given, world)


def compatible(path, world):
    """Old spellings that Dynamo adds to SGLang's parser."""
    for function in (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef) and n.name == "add_sglang_cli_compat"):
        local = {n.targets[0].id: n.value for n in ast.walk(function) if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)}
        for call in (c for c in calls(function) if name_of(c.func) == "add_argument"):
            if option := plain(call, world, local):
                yield option


def expanded(files):
    """Switches that a program takes off its command line by hand: `if flag == "--x"`."""
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq):
                word = getattr(node.comparators[0], "value", None)
                if isinstance(word, str) and re.fullmatch(r"--(?!no-)[a-z][a-z-]+", word):
                    yield Option([word], "bool")


def vllm_kind(annotation, world, field):
    """What `get_kwargs` of vLLM makes of a field's type."""
    hints, seen = set(), set()
    choices = []

    def collect(node):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            collect(node.left), collect(node.right)
        elif isinstance(node, ast.Constant) and node.value is None:
            hints.add("None")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            collect(ast.parse(node.value, mode="eval").body)
        elif isinstance(node, ast.Subscript):
            head = name_of(node.value)
            parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            if head in ("Optional", "Union", "Annotated", "SkipValidation", "InitVar"):
                for part in parts[:1] if head == "Annotated" else parts:
                    collect(part)
                if head == "Optional":
                    hints.add("None")
            elif head == "Literal":
                hints.add("Literal")
                try:
                    choices.extend(world.literal(node))
                except LookupError:
                    hints.add("open")
            else:
                hints.add(head)
        elif isinstance(node, ast.Name) and node.id in world.names and node.id not in seen and node.id not in ("bool", "int", "str", "float"):
            seen.add(node.id)
            collect(world.names[node.id])
        elif isinstance(node, (ast.Name, ast.Attribute)):
            hints.add(name_of(node))

    collect(annotation)
    kind, value = "value", ""
    model = next((h for h in hints if h in world.classes and h.endswith("Config")), None)
    if model:
        value = "json"
    elif hints - {"None"} == {"bool", "str"}:
        kind = "optional"
    elif "bool" in hints:
        kind = "bool"
    elif "Literal" in hints:
        if "open" in hints or hints - {"Literal", "None"}:
            choices = []
    elif hints & {"tuple", "list", "set", "Sequence"}:
        kind = "values1"
    elif "int" in hints:
        value = "any" if hints - {"int", "None"} else "int"
        if field in ("max_model_len", "max_num_batched_tokens", "max_num_scheduled_tokens", "kv_cache_memory_bytes", "safetensors_prefetch_block_size", "max_num_queued_tokens"):
            value = "human-int"
    elif "float" in hints:
        value = "any" if hints - {"float", "None"} else "float"
    elif "dict" in hints:
        value = "any" if "str" in hints else "json"
    return kind, value, [str(c) for c in choices if c is not None] if "Literal" in hints else []


def vllm(home):
    """`EngineArgs.add_cli_args` and `AsyncEngineArgs.add_cli_args`: names here, types in the fields of the config classes."""
    root = home / "vllm"
    world = World([*sorted((root / "config").glob("*.py")), *sorted((root / "model_executor/layers/quantization").glob("__init__.py")), root / "engine/arg_utils.py"])
    tree = ast.parse((root / "engine/arg_utils.py").read_text())
    for method in (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name in ("add_cli_args", "_async_engine_args_parser")):
        configs, local = {}, {}
        for node in ast.walk(method):
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                local[node.targets[0].id] = node.value
                value = node.value
                if isinstance(value, ast.Call) and name_of(value.func) == "get_kwargs":
                    configs[node.targets[0].id] = name_of(value.args[0])
        for call in calls(method):
            if name_of(call.func) != "add_argument":
                continue
            names = [a.value for a in call.args if isinstance(a, ast.Constant)]
            if not names or not str(names[0]).startswith("-"):
                continue
            option = described(names, kwargs_of(call), world, local)
            for keyword in call.keywords:
                star = keyword.value
                if isinstance(star, ast.Dict):
                    # `**{**cache_kwargs["x"], "default": None}`
                    star = next((v for k, v in zip(star.keys, star.values) if k is None), star)
                if keyword.arg or not (isinstance(star, ast.Subscript) and name_of(star.value) in configs):
                    continue
                field = star.slice.value
                annotation = world.fields(configs[name_of(star.value)]).get(field)
                if annotation is None:
                    option.type = option.type or "any"
                    continue
                kind, value, choices = vllm_kind(annotation, world, field)
                given = kwargs_of(call)
                if "action" not in given and "nargs" not in given:
                    option.kind = kind
                if "type" not in given:
                    option.type = value
                if "choices" not in given:
                    option.choices = choices
            if any(k.arg is None and not isinstance(k.value, (ast.Subscript, ast.Dict)) for k in call.keywords):
                option.type, option.choices = "any", ()
            yield option


def sglang(home):
    """`add_argument` calls, and fields that declare themselves: `x: A[int, "help"]`, `A[str, Arg(…)]`."""
    root = home / "sglang/srt"
    files = [root / "server_args.py", *sorted((root / "arg_groups").rglob("*.py"))]
    world = World([f for f in files if f.exists()] + [*root.rglob("*reasoning_parser.py"), *root.rglob("function_call_parser.py")])
    for path in (f for f in files if f.exists() and f.name not in ("arg_utils.py",)):
        tree = ast.parse(path.read_text())
        local = {n.targets[0].id: n.value for n in ast.walk(tree) if isinstance(n, ast.Assign) and name_of(n.targets[0]).endswith("_parser_choices")}
        for call in calls(tree):
            if name_of(call.func) == "add_argument":
                option = plain(call, world, local)
                if option:
                    yield option
        for cls in (n for n in ast.walk(tree) if isinstance(n, ast.ClassDef)):
            for line in cls.body:
                if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                    option = declared(line, world)
                    if option:
                        yield option


def declared(line, world):
    hint = line.annotation
    if not (isinstance(hint, ast.Subscript) and name_of(hint.value) in ("A", "Annotated") and isinstance(hint.slice, ast.Tuple)):
        return None
    inner, *rest = hint.slice.elts
    arg = next((r for r in rest if (isinstance(r, ast.Call) and name_of(r.func) == "Arg") or (isinstance(r, (ast.Constant, ast.JoinedStr)))), None)
    if arg is None:
        return None
    given = kwargs_of(arg) if isinstance(arg, ast.Call) else {}
    if "no_cli" in given and getattr(given["no_cli"], "value", False):
        return None
    names = ["--" + line.target.id.replace("_", "-")]
    if "cli_name" in given:
        names = [given["cli_name"].value]
    if "aliases" in given:
        names += world.value(given["aliases"])
    optional = isinstance(inner, ast.Subscript) and name_of(inner.value) == "Optional"
    if optional:
        inner = inner.slice
    elif isinstance(inner, ast.BinOp):
        sides = [n for n in (inner.left, inner.right) if not (isinstance(n, ast.Constant) and n.value is None)]
        inner = sides[0] if len(sides) == 1 else inner
    option = Option(names)
    word = ast.unparse(inner)
    option.type = {"int": "int", "float": "float", "str": "", "bool": ""}.get(word, "any")
    if "type_parser" in given:
        option.type = TYPES.get(ast.unparse(given["type_parser"]), "any")
    if word == "bool" and "action" not in given and "nargs" not in given and "type_parser" not in given:
        option.kind = "switch"
    if word.startswith(("list", "List")) and "type_parser" not in given:
        option.kind = "values1"
    if "action" in given or "nargs" in given:
        option.kind = described(names, given, world).kind
    try:
        if "choices" in given:
            option.choices = [str(c) for c in world.value(given["choices"])]
        elif word.startswith("Literal"):
            # `_infer_type_func` takes words as they are, `_unwrap_literal` makes them the choices.
            option.type, option.choices = "", [str(c) for c in world.literal(inner)]
    except LookupError:
        pass
    return option


def aiperf(home):
    """Fields of the configuration classes that declare themselves: `x: Annotated[int, Field(…), CLIParameter(name=…)]`."""
    for path in sorted((home / "aiperf").rglob("*.py")):
        for cls in (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ClassDef)):
            for line in cls.body:
                if not (isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)):
                    continue
                hint = line.annotation
                if not (isinstance(hint, ast.Subscript) and name_of(hint.value) == "Annotated" and isinstance(hint.slice, ast.Tuple)):
                    continue
                inner, *rest = hint.slice.elts
                said = next((kwargs_of(r) for r in rest if isinstance(r, ast.Call) and name_of(r.func) == "CLIParameter"), None)
                if said is None:
                    continue
                names = ["--" + line.target.id.replace("_", "-")]
                if "name" in said:
                    given = ast.literal_eval(said["name"])
                    names = [given] if isinstance(given, str) else list(given)
                names = [n for n in names if n.startswith("-")]
                if names:
                    yield Option(names, "switch" if ast.unparse(inner) in ("bool", "bool | None") else "values0")


# ------------------------------------------------------------------- tables

COLUMNS = ["flag", "aliases", "env", "kind", "choices", "default", "present"]


def merge(options):
    """Options of one release by their first long spelling; of two definitions the first counts."""
    out = {}
    for option in options:
        longs = [n for n in option.names if n.startswith("--")]
        name = (longs or option.names)[0]
        if name in ("--help", "--version", "-h"):
            continue
        if name in out:
            # one setting in two classes may have more spellings in the second
            out[name].names += [n for n in option.names if n not in out[name].names]
            continue
        out[name] = option
    return out


def shape(option):
    """`value:int!`: what an option takes, what that must be, and whether its name has to be written in full."""
    value = f":{option.type}" if option.type and option.kind in ("value", "optional") else ""
    return option.kind + value + "!" * option.exact


def widest(options):
    """What accepts most of several shapes: nothing is said against a command line whose release is not known."""
    kinds, types = {o.kind for o in options}, {o.type for o in options}
    kind = options[-1].kind if len(kinds) == 1 else "bool" if kinds == {"switch", "bool"} else "values0"
    return shape(Option([], kind, options[-1].type if len(types) == 1 else "any", exact=all(o.exact for o in options)))


def rows(by_release, old=0):
    """One row an option over all releases. Spellings that ever were one option are one; the newest first spelling is its name.
    What holds where the release is not known is said without the first `old` releases, unless an option went with them."""
    width = len(by_release)
    owner = {}

    def root(name):
        while owner.setdefault(name, name) != name:
            name = owner[name]
        return name

    for options in by_release:
        for name, option in options.items():
            for spelling in option.names:
                owner[root(spelling)] = root(name)
    # `--no-x` of its own is the other half of what is `--x | --no-x` in another release
    both = {n for options in by_release for o in options.values() if o.kind == "bool" for n in o.names if n.startswith("--")}
    for name in [n for n in owner if n.startswith("--no-") and f"--{n[5:]}" in both]:
        owner[root(name)] = root(f"--{name[5:]}")
    groups = {}
    for column, options in enumerate(by_release):
        for name, option in options.items():
            groups.setdefault(root(name), {}).setdefault(column, []).append(option)
    marks = lambda columns: "".join("y" if i in columns else "." for i in range(width))
    out = []
    for have in groups.values():
        newest = have[max(have)][0]
        name = next((n for n in newest.names if n.startswith("--")), newest.names[0])
        spelled, negated = {}, {}
        for column, options in have.items():
            for option in options:
                for spelling in option.names:
                    other = negated if spelling.startswith("--no-") and f"--{spelling[5:]}" in both else spelled
                    other.setdefault(spelling, set()).add(column)
                    if option.kind == "bool" and spelling.startswith("--"):
                        negated.setdefault(f"--no-{spelling[2:]}", set()).add(column)
        every = set(have)
        text = [a if v == every else f"{a}={marks(v)}" for a, v in sorted(spelled.items()) if a != name]
        # `--no-` forms go without saying where they came and went with the other
        text += [f"{a}={marks(v)}" for a, v in sorted(negated.items()) if v != spelled.get(f"--{a[5:]}")]
        told = {c: o for c, o in have.items() if c >= old} or have
        shapes, lists = {}, {}
        for column, options in have.items():
            shapes.setdefault(widest(options), set()).add(column)
            words = list(dict.fromkeys(c for o in options for c in o.choices))
            if words and all(o.choices for o in options) and all(re.fullmatch(r"[^|=\s]+", w) for w in words):
                lists[column] = words
        kind = widest([o for c in sorted(told) for o in told[c]])
        if len(shapes) > 1:
            kind = " ".join([kind, *(f"{marks(c)}={s}" for s, c in sorted(shapes.items()) if s != kind)])
        choices = worded_by_release(lists, every, marks)
        whole, own = marks(every), marks(spelled[name])
        default = next((o.default for c in sorted(have, reverse=True) for o in have[c] if o.default), "")
        read = {}
        for column in sorted(have, reverse=True):
            for variable in (o.env for o in have[column] if o.env):
                read.setdefault(variable, set()).add(column)
        env = " ".join(v if columns == every else f"{v}={marks(columns)}" for v, columns in read.items())
        out.append([name, " ".join(text), env, kind, choices, default, whole if whole == own else f"{whole}/{own}"])
    return sorted(out)


def worded_by_release(lists, every, marks):
    """Words by the releases that take them: all of a release's words stand behind marks that it has."""
    have = {}
    for column in sorted(lists):
        for word in lists[column]:
            have.setdefault(word, set()).add(column)
    groups = {}
    for word, columns in have.items():
        groups.setdefault(frozenset(columns), []).append(word)
    if set(groups) == {frozenset(every)}:
        return "|".join(have)
    return " ".join(f"{marks(columns)}={'|'.join(words)}" for columns, words in groups.items())


def write(path, header, by_release, old=0):
    table = rows(by_release, old)
    lines = [f"# {line}" for line in header] + ["\t".join(COLUMNS)]
    for row in table:
        assert all("\t" not in cell and "\n" not in cell for cell in row), row
        lines.append("\t".join(row))
    changed = dated(path, lines)
    print(f"{path.relative_to(HERE)}: {len(table)} rows{'' if changed else ', as before'}")


def dated(path, lines):
    """Writes a table with the day it was read; one that says what it said before keeps its day. Tells whether it changed."""
    before = path.read_text().splitlines() if path.exists() else []
    stamped = [line for line in before if line.startswith("# read: ")]
    if stamped and [line for line in before if line not in stamped] == lines:
        return False
    head = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    lines = [*lines[:head], f"# read: {datetime.date.today()}", *lines[head:]]
    path.write_text("\n".join(lines) + "\n")
    return True


# Engines that the images of a release have and its wheel does not ask for: the support matrix of Dynamo 0.9.0 and 1.0.0 says
# vLLM 0.11.0 of 0.6.0 to 0.6.1.post1. Who builds an image from the wheel gets the other one, so both are right.
IMAGES = {("0.6.1", "vllm"): ["0.11.0"]}


def engines(home, release, module):
    """The engine releases that come with a release of Dynamo: that of its wheel first."""
    return [pins(home)[module], *IMAGES.get((release, module), [])] if module in pins(home) else []


def header(what, releases, abbreviations, complete, style, notes=()):
    short = " ".join(".".join(r.split(".")[:2]) for r in releases)
    return [what, *notes, f"releases: {short}", f"abbreviations: {abbreviations}", f"complete: {complete}", f"style: {style}"]


NOTES = [
    "present: one mark a release; after a slash, the releases that accept this spelling (aliases: after `=`).",
    "env: the variable that supplies the default, the present one first; the releases that read it behind `=`.",
    "kind: behind the colon what a value must be (any = not known, nothing = text), `!` = no beginning of the name is taken for it; what a release",
    "takes differently stands behind its marks.",
]


def worker(cache, release, module):
    """Options of one release's worker: Dynamo's own and the engine's."""
    home = sources(cache, "ai-dynamo", release, r"dynamo/")
    root, old = home / "dynamo", release.startswith("0.")
    common = sorted((root / "common").rglob("*.py"))
    mine = sorted(p for p in (root / module).rglob("*.py") if "tests" not in p.parts)
    entry = [p for p in mine if p.parent == root / module and p.name in ("args.py", "backend_args.py", "cli_args.py", "utils.py", "main.py")]
    if old:
        entry += [p for p in mine if p.name == "trtllm_utils.py"] + [p for p in common if p.name == "config_dumper.py"]
    text = "".join(p.read_text() for p in entry)
    # a group of options is a worker's where its parser asks for it: the router's from 1.5 on
    wanted = ["runtime_args.py"] + ["frontend_decoding_args.py"] * ("frontend_decoding_args" in text)
    if "router_args" in text:
        wanted += ["router_args.py", "kv_router_args.py"]
    groups = [p for p in common if p.name in wanted]
    world = World([*common, *mine])
    options = list(dynamo([*entry, *groups], world))
    if old and module == "sglang":
        options += [o for p in entry if p.name == "args.py" for o in tabled(p, world)]
    asked = {"get_tool_parser_names", "get_reasoning_parser_names"}
    if asked & {name_of(n.func) for p in [*entry, *groups] for n in calls(ast.parse(p.read_text()))}:
        for option in options:
            option.choices = tuple(parsers(cache, release).get(option.names[0], option.choices))
    for option in options:
        if option.names[0] == "--frontend-decoding":
            option.env = f"DYN_{'SGL' if module == 'sglang' else module.upper()}_FRONTEND_DECODING"
    if module == "trtllm":
        options += expanded(entry)
    if module == "vllm":
        # its own parser has `allow_abbrev=False`; what that leaves over goes to the engine's, which has not
        for option in options:
            option.exact = not old
        for engine in engines(home, release, module):
            options += vllm(sources(cache, "vllm", engine, VLLM))
        options.append(Option(["--config"]))  # `FlexibleArgumentParser` reads the file itself
    elif module == "sglang":
        for engine in engines(home, release, module):
            options += sglang(sources(cache, "sglang", engine, SGLANG))
        options += [o for p in mine if p.name == "_compat.py" for o in compatible(p, world)]
        for option in options:
            if option.names[0] == "--load-format" and option.choices:
                option.choices += ("gms",)  # `dynamo/sglang/args.py` adds it
            # It puts SGLang's words in for Dynamo's.
            if option.names[0] == "--disaggregation-mode" and any("_set_cli_flag_value" in p.read_text() for p in mine):
                option.choices += ("agg", "pd", "encode")
    return options


VLLM = (
    r"vllm/(config[/.]|engine/|envs\.py|model_executor/layers/quantization/__init__|reasoning/__init__|tool_parsers/__init__"
    r"|entrypoints/openai/tool_parsers/__init__|utils/(__init__|argparse_utils)|distributed/kv_transfer/kv_connector/factory"
    r"|v1/attention/backends/registry|attention/backends/registry|model_executor/models/registry)"
)
SGLANG = r"sglang/srt/(server_args|arg_groups/|environ\.py|disaggregation/kv_events|function_call/function_call_parser|(parser/)?reasoning_parser|parser/)"


def workers(cache):
    for module in ("vllm", "sglang", "trtllm"):
        by_release = [merge(o for patch in [r, *EARLIER.get(r, [])] for o in worker(cache, patch, module)) for r in RELEASES]
        every = [patch for r in RELEASES for patch in [*EARLIER.get(r, []), r]]
        what = f"`python -m dynamo.{module}`, from the argument definitions in the wheels of ai-dynamo {', '.join(every)}"
        if module != "trtllm":
            pinned = [" and ".join(engines(sources(cache, "ai-dynamo", r, r"dynamo/"), r, module)) for r in every]
            what += f" and the {module} that each pins or has in its images: {', '.join(pinned)}"
        style = "vllm" if module == "vllm" else "plain"
        write(HERE / f"flags/dynamo-{module}.tsv", header(what + ".", RELEASES, "yes", "no", style, NOTES), by_release, len(OLD))


# Programs with the first release that has them and the last, and the files that may hold their parser, newest first.
PROGRAMS = {
    "frontend": ("0.4.1", "", ["frontend/frontend_args.py", "frontend/main.py"]),
    "mocker": ("0.4.1", "", ["mocker/args.py", "mocker/main.py"]),
    "router": ("0.6.1", "", ["router/args.py", "router/__main__.py"]),
    "global_router": ("1.0.2", "", ["global_router/__main__.py"]),
    "global_planner": ("1.0.2", "", ["global_planner/argparse_config.py"]),
    "planner": ("1.0.2", "", ["planner/__main__.py"]),
    "planner.planner_sla": ("0.4.1", "0.9.1", ["planner/utils/planner_argparse.py", "planner/planner_sla.py"]),
}


def program(cache, release, name, candidates):
    """Options of one release of something that Dynamo starts beside the workers; none before it has that."""
    root = sources(cache, "ai-dynamo", release, r"dynamo/") / "dynamo"
    common = sorted((root / "common").rglob("*.py"))
    entry = [p for p in map(root.joinpath, candidates) if p.exists()][:1]
    entry += [p for e in entry for p in [e.with_name("backend_args.py")] if p.exists()]
    text = "".join(p.read_text() for p in entry)
    # a group of options is the program's where its parser asks for it, and what such a group asks for
    groups, size = [], -1
    while len(groups) != size:
        size = len(groups)
        for path in (p for p in common if p not in groups and p.name != "arg_group.py"):
            source = path.read_text()
            made = re.findall(r"^class (\w+ArgGroup)\b|^def (add_\w+_arg(?:ument)?s)\b", source, re.M)
            if any(re.search(rf"\b{a or b}\(", text) for a, b in made):
                groups.append(path)
                text += source
    mode = re.search(r'default_router_mode="([\w-]+)"', text)
    for option in dynamo([*entry, *groups], World([*common, *entry]), frontend=name == "frontend"):
        if option.names[0] == "--router-mode" and mode:
            option.default = mode[1]  # an argument of the group of options
        yield option


def programs(cache):
    for name, (first, last, candidates) in PROGRAMS.items():
        releases = RELEASES[RELEASES.index(first) : RELEASES.index(last or NEW[-1]) + 1]
        by_release = [merge(o for patch in [r, *EARLIER.get(r, [])] for o in program(cache, patch, name, candidates)) for r in releases]
        every = [patch for r in releases for patch in [*EARLIER.get(r, []), r]]
        what = f"`python -m dynamo.{name}`, from the argument definitions in the wheels of ai-dynamo {', '.join(every)}."
        old = sum(r in OLD for r in releases) if not last else 0
        write(HERE / f"flags/{name}.tsv", header(what, releases, "yes", "yes", "plain", NOTES), by_release, old)


def perf(cache):
    homes = [sources(cache, "aiperf", r, AIPERF_KEEP) for r in AIPERF]
    what = f"`aiperf profile`, from the option definitions in the wheels of aiperf {', '.join(AIPERF)}."
    write(HERE / "flags/aiperf.tsv", header(what, AIPERF, "no", "no", "plain"), [merge(aiperf(h)) for h in homes])


AICONFIGURATOR = "0.12.0"


def engine_keys(cache):
    """Keys of TensorRT-LLM's engine configs, out of the templates that aiconfigurator keeps for its releases: no registry serves
    TensorRT-LLM itself."""
    home = sources(cache, "aiconfigurator", AICONFIGURATOR, r"aiconfigurator/generator/config/backend_templates/trtllm/extra_engine_args")
    templates = {}
    for path in home.rglob("extra_engine_args.*.yaml.j2"):
        release = path.name.removeprefix("extra_engine_args.").removesuffix(".yaml.j2")
        order = [int(n) for n in re.findall(r"\d+", release.replace("rc", ".").replace("post", "."))]
        # 1.0.0 comes behind 1.0.0rc6
        templates[(*order[:3], *(order[3:] or [999]))] = (release, path)
    releases = [release for _, (release, _) in sorted(templates.items())]
    found = {}
    for release, path in templates.values():
        section = ""
        text = re.sub(r"\{#.*?#\}|\{%.*?%\}", "", path.read_text(), flags=re.S)
        for line in text.splitlines():
            match = re.match(r"( *)([a-z_][a-z0-9_]*)\s*:", line)
            if match and match[1]:
                found.setdefault((section, match[2]), set()).add(release)
            elif match:
                section = match[2]
                found.setdefault(("", section), set()).add(release)
    lines = [
        f"# Keys of TensorRT-LLM's engine config, from the templates in the wheel of aiconfigurator {AICONFIGURATOR}.",
        "# section: empty = top level. present: one mark a template; aiconfigurator uses the one of the nearest release before.",
        f"# releases: {' '.join(releases)}",
        "section\tkey\tpresent",
    ]
    lines += [f"{section}\t{key}\t{''.join('y' if r in have else '.' for r in releases)}" for (section, key), have in sorted(found.items())]
    changed = dated(HERE / "engine-keys.tsv", lines)
    print(f"engine-keys.tsv: {len(found)} rows{'' if changed else ', as before'}")


# ------------------------------------------------------------ JSON options

def decorated(cls, default):
    """Whether a config class refuses keys that it has not, is a plain dataclass (which refuses them when called), or passes
    them over. `default` is what `@config` does in that release."""
    for mark in cls.decorator_list:
        text = ast.unparse(mark)
        if "extra='forbid'" in text:
            return True
        if re.search(r"extra='(allow|ignore)'", text):
            return False
    for line in cls.body:
        if isinstance(line, ast.Assign) and name_of(line.targets[0]) == "model_config":
            return "extra='forbid'" in ast.unparse(line.value)
    return default and any(name_of(m.func if isinstance(m, ast.Call) else m) == "config" for m in cls.decorator_list)


def validators(cls):
    """Fields that a validator looks at before their type does, with its text; behind `""` what looks at the whole object."""
    out = {}
    for function in (n for n in cls.body if isinstance(n, ast.FunctionDef)):
        for mark in (m for m in function.decorator_list if isinstance(m, ast.Call)):
            mode = getattr(kwargs_of(mark).get("mode"), "value", "")
            if name_of(mark.func) == "field_validator" and mode in ("before", "plain"):
                for field in (a.value for a in mark.args if isinstance(a, ast.Constant)):
                    out[field] = ast.unparse(function)
            elif name_of(mark.func) == "model_validator" and mode in ("before", "wrap"):
                out[""] = out.get("", "") + ast.unparse(function)
    return out


def worded(annotation, world, before):
    """What a value must be: `int`, `float`, `bool`, words of a list (`~` in front: in any case), or nothing that is known."""
    hints, words = set(), []

    def collect(node, depth=0):
        if depth > 12:
            hints.add("?")
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            collect(node.left, depth + 1), collect(node.right, depth + 1)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            collect(ast.parse(node.value, mode="eval").body, depth + 1)
        elif isinstance(node, ast.Constant) and node.value is None:
            hints.add("None")
        elif isinstance(node, ast.Subscript) and name_of(node.value) in ("Optional", "Union", "SkipValidation"):
            parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            hints.update({"None"} if name_of(node.value) == "Optional" else ())
            for part in parts:
                collect(part, depth + 1)
        elif isinstance(node, ast.Subscript) and name_of(node.value) == "Literal":
            try:
                words.extend(world.literal(node))
                hints.add("words")
            except LookupError:
                hints.add("?")
        elif isinstance(node, ast.Name) and node.id in ("int", "float", "bool"):
            hints.add(node.id)
        elif isinstance(node, ast.Name) and node.id in world.names:
            collect(world.names[node.id], depth + 1)
        elif isinstance(node, ast.Name) and node.id in world.classes and enum(world.classes[node.id]):
            # by name where a validator says `Kind[value.upper()]`, else by value
            lines = [l for l in world.classes[node.id].body if isinstance(l, ast.Assign) and isinstance(l.targets[0], ast.Name)]
            names = [l.targets[0].id for l in lines if not l.targets[0].id.startswith("_")]
            if before is not None and f"{node.id}[" in before:
                words.extend(names)
                hints.add("names")
            else:
                try:
                    words.extend(world.value(l.value) for l in lines)
                    hints.add("words")
                except LookupError:
                    hints.add("?")
        else:
            hints.add("?")

    collect(annotation)
    kinds = hints - {"None"}
    if kinds == {"names"}:
        return "~" + "|".join(words + [w for w in re.findall(r"== '(\w+)'", before)])
    if before is not None:
        return ""
    if kinds == {"words"} and all(isinstance(w, str) and re.fullmatch(r"[^|\s~]+", w) for w in words):
        return "|".join(dict.fromkeys(words))
    return kinds.pop() if len(kinds) == 1 and kinds <= {"int", "float", "bool"} else ""


def enum(cls):
    return any("Enum" in ast.unparse(base) for base in cls.bases)


def keyed(world, cls, default, prefix=""):
    """Keys of a config class, those of classes inside it behind a dot, with what each takes; and the parts that refuse others."""
    out, strict = {}, set()
    node = world.classes[cls]
    before = validators(node)
    chain, todo = [], [node]
    while todo:
        one = todo.pop()
        chain.append(one)
        todo += [world.classes[name_of(b)] for b in one.bases if name_of(b) in world.classes]
    if any(decorated(c, default) for c in chain):
        strict.add(prefix)
    for one in reversed(chain):
        for line in one.body:
            if not (isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)):
                continue
            field, text = line.target.id, ast.unparse(line.annotation)
            if text.startswith("ClassVar") or field == "model_config":
                continue
            names = [field]
            given = kwargs_of(line.value) if isinstance(line.value, ast.Call) else {}
            for key in ("alias", "validation_alias"):
                if key in given:
                    names = [n.value for n in ast.walk(given[key]) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
            for name in names:
                out[prefix + name] = worded(line.annotation, world, before.get(field, before.get("*")))
            # a validator in front may read words of its own into the class
            inner = next((n.id for n in ast.walk(line.annotation) if isinstance(n, ast.Name) and n.id in world.classes and n.id != cls), None)
            plain = re.fullmatch(r"(Optional\[)?\w+\]?( \| None)?", text)
            if inner and plain and not prefix and not enum(world.classes[inner]) and world.fields(inner):
                nested, hard = keyed(world, inner, default, f"{field}.")
                # one that passes unknown keys over says nothing of them
                out |= nested if hard else {}
                strict |= hard
    # what the object's own validator knows beside the fields
    for word in re.findall(r"(?:get\(|pop\(|\[)'([a-z_]+)'|'([a-z_]+)' (?:not )?in ", before.get("", "")):
        out.setdefault(prefix + (word[0] or word[1]), "")
    return out, strict


def vllm_json(home):
    """JSON options of vLLM's engine whose object becomes a config class."""
    root = home / "vllm"
    files = [root / "config.py", *sorted((root / "config").glob("*.py")), *sorted(root.glob("**/registry.py")), root / "engine/arg_utils.py"]
    world = World([f for f in files if f.exists()])
    decorator = next((f.read_text() for f in [root / "config/utils.py"] if f.exists()), "")
    default = bool(re.search(r'^def config\(.*?ConfigDict\(extra="forbid"\)', decorator, re.S | re.M))
    source = (root / "engine/arg_utils.py").read_text()
    made = {m[1]: m[0] for m in re.findall(r"(\w+Config)\(\s*\*\*self\.(\w+)\)", source)}
    made |= dict(re.findall(r"cfg = self\.(\w+)\n(?:.*\n){1,4}? +return (\w+Config)\(\*\*cfg\)", source))
    out = {}
    for option in vllm(home):
        name = next((n for n in option.names if n.startswith("--")), "")
        if option.type != "json":
            continue
        field = name[2:].replace("-", "_")
        cls = made.get(field)
        if cls is None:
            annotation = next((a for a in (world.fields(c).get(field) for c in ("VllmConfig", "EngineArgs", "ParallelConfig", "ModelConfig", "CacheConfig")) if a is not None), None)
            names = [n.id for n in ast.walk(annotation) if isinstance(n, ast.Name)] if annotation is not None else []
            if annotation is not None:
                names += re.findall(r"\w+Config\b", ast.unparse(annotation))
            cls = next((n for n in names if n in world.classes and n.endswith("Config")), None)
        if cls in world.classes:
            out[name] = keyed(world, cls, default)
    return out


def planner_json(home):
    files = sorted((home / "dynamo/planner").rglob("*.py"))
    world = World([f for f in files if "tests" not in f.parts] + sorted((home / "dynamo/common").rglob("*.py")))
    return {"--config": keyed(world, "PlannerConfig", False)} if "PlannerConfig" in world.classes else {}


def sglang_json(home):
    """The one JSON option of SGLang that becomes a class."""
    world = World((home / "sglang/srt").glob("disaggregation/kv_events.py"))
    return {"--kv-events-config": keyed(world, "KVEventsConfig", False)} if "KVEventsConfig" in world.classes else {}


def json_keys(cache):
    """Keys of JSON options by release, with what each takes, and the parts of an object that refuse others."""
    lines = [
        "# Keys of options that take a JSON object, from the config classes in the wheels of ai-dynamo and of the engines that it pins.",
        "# key: behind a dot what an object inside has. present: one mark a release of the component's options (`flags/`).",
        "# takes: int, float, bool, word (one of the next cell), name (the same in any case), empty = not known. refuses: the object, or the",
        "# part that ends in a dot, refuses other keys in these releases, and passes them over in the others.",
        "component\tflag\tkey\ttakes\twords\tpresent",
    ]

    def engine(read, package, keep):
        def one(release):
            return [read(sources(cache, package, e, keep)) for e in engines(sources(cache, "ai-dynamo", release, r"dynamo/"), release, package)]

        return one

    components = {
        "dynamo-vllm": (RELEASES, engine(vllm_json, "vllm", VLLM)),
        "dynamo-sglang": (RELEASES, engine(sglang_json, "sglang", SGLANG)),
        "planner": (NEW, lambda release: [planner_json(sources(cache, "ai-dynamo", release, r"dynamo/"))]),
    }
    count = 0
    for component, (releases, read) in components.items():
        marks = lambda columns: "".join("y" if i in columns else "." for i in range(len(releases)))
        found, strict = {}, {}
        for column, release in enumerate(releases):
            for patch in [*EARLIER.get(release, []), release]:
                for flag, (keys, hard) in (item for table in read(patch) for item in table.items()):
                    for key, takes in keys.items():
                        kind = "name" if takes.startswith("~") else "word" if "|" in takes or takes not in ("", "int", "float", "bool") else takes
                        words = takes.lstrip("~").split("|") if kind in ("name", "word") else [""]
                        for word in words:
                            found.setdefault((flag, key, kind), {}).setdefault(word, set()).add(column)
                    for part in hard:
                        strict.setdefault((flag, part), set()).add(column)
        rows = [(component, flag, part, "refuses", "", marks(columns)) for (flag, part), columns in strict.items()]
        for (flag, key, kind), words in found.items():
            groups = {}
            for word, columns in words.items():
                groups.setdefault(frozenset(columns), []).append(word)
            rows += [(component, flag, key, kind, "|".join(some), marks(columns)) for columns, some in groups.items()]
        count += len(rows)
        lines += ["\t".join(row) for row in sorted(rows)]
    changed = dated(HERE / "json-keys.tsv", lines)
    print(f"json-keys.tsv: {count} rows{'' if changed else ', as before'}")


def main():
    cache = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else CACHE
    workers(cache)
    programs(cache)
    perf(cache)
    engine_keys(cache)
    json_keys(cache)


if __name__ == "__main__":
    main()
