"""Asks the API server of KUBECONFIG about objects, by dry run, and records what it says.

    api_server.py CASES RECORD SCHEMAS [CRDS]

CASES: one JSON object a line (id, hash, object). RECORD: the table to bring up to date; lines about objects of a set
(fixtures, upstream, third-party) that CASES has nothing of stay, because that set is not at hand. SCHEMAS: rules/catalog/schemas.jsonl, of which CustomResourceDefinitions are made, unless CRDS names a
directory with the operator's own (less what Kubernetes 1.20 does not know: CEL rules, and the webhook that converts).
Exit code 1 when an answer differs from the one recorded.
"""

import base64
import http.client
import json
import os
import pathlib
import ssl
import subprocess
import sys
import tempfile
import time

import yaml

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def from_catalog(path):
    """Structural schemas out of the catalog, one definition a kind."""
    lines = [json.loads(line) for line in open(path) if not line.startswith("#")]
    nodes = [line for line in lines if "root" not in line]
    names = {
        "open": "x-kubernetes-preserve-unknown-fields",
        "int-or-string": "x-kubernetes-int-or-string",
        "embedded": "x-kubernetes-embedded-resource",
        "nullable": "nullable",
        "list": "x-kubernetes-list-type",
        "keys": "x-kubernetes-list-map-keys",
        "min": "minimum",
        "max": "maximum",
        "min-length": "minLength",
        "max-length": "maxLength",
        "max-items": "maxItems",
    }

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
            else:
                out[names.get(key, key)] = value
        if "x-kubernetes-int-or-string" in out:
            out["anyOf"] = [{"type": "integer"}, {"type": "string"}]
        return out

    kinds = {}
    for line in lines:
        if "root" in line:
            schema = expand(line["root"])
            schema["properties"]["metadata"] = {"type": "object"}
            kinds.setdefault(line["kind"], []).append((line["version"], schema))
    for kind, versions in kinds.items():
        plural = kind.lower() + "s"
        yield {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.nvidia.com"},
            "spec": {
                "group": "nvidia.com",
                "names": {"kind": kind, "plural": plural},
                "scope": "Namespaced",
                "versions": [
                    {"name": name, "served": True, "storage": name == versions[-1][0], "schema": {"openAPIV3Schema": schema}}
                    for name, schema in versions
                ],
            },
        }


def from_operator(folder):
    def strip(value):
        if isinstance(value, dict):
            for key in ("x-kubernetes-validations", "description"):
                if not isinstance(value.get(key), dict) or key == "x-kubernetes-validations":
                    value.pop(key, None)
            for child in value.values():
                strip(child)
        elif isinstance(value, list):
            for child in value:
                strip(child)

    for path in sorted(pathlib.Path(folder).glob("*.yaml")):
        crd = yaml.load(path.read_text(), Loader)
        for version in crd["spec"]["versions"]:
            strip(version["schema"])
        crd["spec"].pop("conversion", None)
        crd.pop("status", None)
        yield crd


class Server:
    def __init__(self):
        config = yaml.safe_load(open(os.environ["KUBECONFIG"]))
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        with tempfile.NamedTemporaryFile("wb", suffix=".pem") as pem:
            pem.write(base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"]))
            pem.flush()
            context.load_cert_chain(pem.name)
        self.host, self.context = cluster["server"].removeprefix("https://"), context
        self.connection = http.client.HTTPSConnection(self.host, context=context, timeout=60)

    def post(self, path, body):
        self.connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())


def install(crds, version):
    """Serves one version of every kind; what was served before goes. The plural of each kind."""
    run = lambda *words: subprocess.run(["kubectl", *words], check=True, stdout=subprocess.DEVNULL)
    run("delete", "crd", "--all", "--wait")
    plurals = {}
    for crd in crds:
        versions = [dict(v, served=True, storage=True) for v in crd["spec"]["versions"] if v["name"] == version]
        if versions:
            with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                json.dump(dict(crd, spec=dict(crd["spec"], versions=versions)), file)
                file.flush()
                run("create", "-f", file.name)
            plurals[crd["spec"]["names"]["kind"]] = crd["spec"]["names"]["plural"]
    run("wait", "--for=condition=Established", "crd", "--all")
    time.sleep(2)  # established is not yet served
    return plurals


def lost(sent, kept):
    """Whether something that was sent is not in the answer. A null is no value."""
    if isinstance(sent, dict):
        if not isinstance(kept, dict):
            return True
        return any(lost(value, kept[key]) if key in kept else value is not None for key, value in sent.items())
    if isinstance(sent, list):
        return not isinstance(kept, list) or len(sent) != len(kept) or any(map(lost, sent, kept))
    return False


def main():
    cases, record, schemas = sys.argv[1:4]
    crds = list(from_operator(sys.argv[4]) if len(sys.argv) > 4 else from_catalog(schemas))
    server = Server()
    old = {}
    try:
        for line in open(record):
            if not line.startswith("#"):
                place, number, *rest = line.rstrip("\n").split("\t")
                old[place, number] = rest
    except FileNotFoundError:
        pass
    changed, new = [], 0
    wanted = [json.loads(line) for line in open(cases)]
    sets = {case["id"].partition(":")[0] for case in wanted}
    ids = {tuple(case["id"].split("\t")) for case in wanted}
    answers = {key: answer for key, answer in old.items() if key in ids or key[0].partition(":")[0] not in sets}
    gone = len(old) - len(answers)
    # One version at a time: without the webhook that converts, what is written in one version loses, on its way into
    # storage, what another does not know.
    for name in ("v1alpha1", "v1beta1"):
        plurals = install(crds, name)
        for case in wanted:
            object = case["object"]
            if not object["apiVersion"].endswith("/" + name):
                continue
            # Which namespaces there are is a cluster's matter; some recipes hold a placeholder there.
            object.get("metadata", {}).pop("namespace", None)
            path = f"/apis/nvidia.com/{name}/namespaces/default/{plurals[object['kind']]}"
            status, body = server.post(path + "?dryRun=All", object)
            if status == 201:
                below = lost(object.get("spec"), body.get("spec")) or bool(set(object) - set(body))
                answer = [case["hash"], "accepted", "", "dropped" if below else "kept"]
            elif status in (400, 422):
                details = body.get("details", {}).get("causes", [])
                answer = [case["hash"], "refused", ",".join(sorted({c["reason"] for c in details})) or body["reason"], ""]
                if "DYNLINT_VERBOSE" in os.environ:
                    print(case["id"], case["what"], body["message"][:300], sep="; ")
            else:
                sys.exit(f"{case['id']}: {status} {body.get('message')}")
            key = tuple(case["id"].split("\t"))
            was = old.get(key)
            if was is None or was[0] != answer[0]:
                new += 1
            elif was != answer:
                changed.append(f"{case['id']}: {was[1:]} was recorded, now {answer[1:]}")
            answers[key] = answer
    version = json.loads(subprocess.check_output(["kubectl", "get", "--raw", "/version"]))["gitVersion"]
    with open(record, "w") as out:
        out.write("# What a real API server (Kubernetes 1.20) said to a dry run; written by `.ci/crds`. Mutation 0 is the object as it is.\n")
        out.write("# place\tmutation\tsha256 of the object\taccepted|refused\twhy\tkept|dropped: whether a field was lost\n")
        for (place, number), answer in sorted(answers.items(), key=lambda i: (i[0][0], int(i[0][1]))):
            out.write("\t".join([place, number, *answer]) + "\n")
    print(f"{version}: {len(answers)} answers, {new} new, {gone} gone, {len(changed)} changed")
    for line in changed:
        print(line)
    sys.exit(1 if changed else 0)


if __name__ == "__main__":
    main()
