"""JSON schemas of Dynamo's kinds for yaml-language-server, as converters of CustomResourceDefinitions write them.

    schemas.py CATALOG DIRECTORY     rules/catalog/schemas.jsonl in; one file a kind and version out
"""

import json
import pathlib
import sys

NAMES = {
    "nullable": None,
    "list": None,
    "keys": None,
    "int-or-string": None,
    "embedded": None,
    "open": None,
    "min": "minimum",
    "max": "maximum",
    "min-length": "minLength",
    "max-length": "maxLength",
    "max-items": "maxItems",
}

lines = [json.loads(line) for line in open(sys.argv[1]) if not line.startswith("#")]
nodes = [line for line in lines if "root" not in line]


def expand(number):
    node = nodes[number]
    out = {}
    for key, value in node.items():
        if key == "fields":
            out["properties"] = {name: expand(child) for name, child in value.items()}
        elif key == "items":
            out["items"] = expand(value)
        elif key == "values":
            out["additionalProperties"] = expand(value)
        elif NAMES.get(key, key):
            out[NAMES.get(key, key)] = value
    if node.get("int-or-string"):
        out["type"] = ["integer", "string"]
    elif out.get("type") == "object" and "properties" in out and not node.get("open"):
        out["additionalProperties"] = False
    if node.get("nullable") and "type" in out:
        out["type"] = [out["type"], "null"]
    return out


for line in lines:
    if "root" in line:
        schema = expand(line["root"])
        schema["properties"].update(metadata={"type": "object"}, apiVersion={"type": "string"}, kind={"type": "string"})
        name = f"{line['kind'].lower()}-{line['version']}.json"
        pathlib.Path(sys.argv[2], name).write_text(json.dumps(schema))
