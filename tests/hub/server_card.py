"""What the Hub says of the metadata of a card: the YAML between the two lines of dashes of a README.md."""

from __future__ import annotations

import re
from typing import Any

import yaml

_BLOCK = re.compile(r"\A---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(\r?\n|\Z)", re.DOTALL)
# name of a field: what it may hold
_FIELDS = {
    "license": (str,),
    "library_name": (str,),
    "pipeline_tag": (str,),
    "tags": (list,),
    "datasets": (list, str),
    "metrics": (list, str),
    "language": (list, str),
    "base_model": (list, str),
    "thumbnail": (str,),
}


def judge_card(text: str) -> tuple[list[str], list[str]]:
    """The errors of a card's metadata, which refuse it, and the warnings, which do not."""
    found = _BLOCK.match(text)
    if found is None:
        return [], ["empty or missing yaml metadata in repo card"]
    try:
        card = yaml.safe_load(found[1])
    except yaml.YAMLError as error:
        return [f"Invalid YAML metadata: {error}"], []
    if not isinstance(card, dict):
        return ['"metadata" must be an object'], []
    errors = [
        f'"{name}" must be {" or ".join(kind.__name__ for kind in kinds)}'
        for name, kinds in _FIELDS.items()
        if name in card and not isinstance(card[name], kinds)
    ]
    return errors + _judge_index(card.get("model-index")), []


def _judge_index(index: Any) -> list[str]:
    """What is missing in the results of a card: each names its task, its data set and its metrics."""
    if index is None:
        return []
    if not isinstance(index, list):
        return ['"model-index" must be an array']
    errors = []
    for i, model in enumerate(index):
        if not isinstance(model, dict) or not isinstance(model.get("name"), str):
            errors.append(f'"model-index[{i}].name" is required')
            continue
        if not isinstance(model.get("results"), list):
            errors.append(f'"model-index[{i}].results" is required')
            continue
        for j, result in enumerate(model["results"]):
            errors += _judge_result(result, f"model-index[{i}].results[{j}]")
    return errors


def _judge_result(result: Any, where: str) -> list[str]:
    if not isinstance(result, dict):
        return [f'"{where}" must be an object']
    errors = []
    for name, keys in {"task": ("type",), "dataset": ("type", "name")}.items():
        part = result.get(name)
        if name == "task" or part is not None or result.get("metrics"):
            errors += [
                f'"{where}.{name}.{key}" is required'
                for key in keys
                if not isinstance(part, dict) or not isinstance(part.get(key), str)
            ]
    metrics = result.get("metrics")
    if not isinstance(metrics, list) or not metrics:
        return [*errors, f'"{where}.metrics" is required']
    for k, metric in enumerate(metrics):
        for key in ("type", "value"):
            if not isinstance(metric, dict) or metric.get(key) is None:
                errors.append(f'"{where}.metrics[{k}].{key}" is required')
    return errors
