# SPDX-License-Identifier: MIT
"""Holds documents of Kubernetes' extensions against the extensions' own schemas, with
no member that those do not know. Runs in .venv-cluster, as it needs jsonschema.

    extensions.py FOLDER FILE...    a line for each document: its kind, and what is wrong
"""

import pathlib
import sys

import jsonschema
import yaml


def schemas(folder):
    """{(apiVersion, kind): schema} of the definitions in the folder."""
    found = {}
    for path in sorted(pathlib.Path(folder).glob("*.yaml")):
        for one in yaml.safe_load_all(path.read_text()):
            if not one or one["kind"] != "CustomResourceDefinition":
                continue
            spec = one["spec"]
            for version in spec["versions"]:
                key = f"{spec['group']}/{version['name']}", spec["names"]["kind"]
                found[key] = strict(version["schema"]["openAPIV3Schema"])
    return found


def strict(schema):
    """Kubernetes drops what a schema does not name; here it is an error."""
    if not isinstance(schema, dict):
        return schema
    made = {key: [strict(one) for one in value] if isinstance(value, list)
            else {name: strict(one) for name, one in value.items()}
            if key == "properties" else strict(value) for key, value in schema.items()}
    open_ended = schema.get("x-kubernetes-preserve-unknown-fields")
    if isinstance(schema.get("properties"), dict) and not open_ended:
        made.setdefault("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string"):
        made["type"] = ["integer", "string"]
    return made


def judged(schema, document):
    if schema is None:
        return ["is of no known kind"]
    schema = {**schema, "properties": {**schema["properties"], "metadata": {}}}
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
            for error in jsonschema.Draft7Validator(schema).iter_errors(document)]


def main():
    known = schemas(sys.argv[1])
    for path in sys.argv[2:]:
        for document in yaml.safe_load_all(pathlib.Path(path).read_text()):
            wrong = judged(known.get((document["apiVersion"], document["kind"])), document)
            print(document["kind"], "; ".join(wrong) or "passed")


if __name__ == "__main__":
    main()
