"""deploy/sandbox.bicep, held against what can be had without its compiler: the grammar, its modules, the code's names."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

from failover_drill.guards import ALLOWED, ALLOWED_TAG
from failover_drill.settings import Settings
from tests.stage import ROOT

DEPLOY = ROOT / "deploy"
FILES = sorted(DEPLOY.glob("*.bicep"))
PARSER = Parser(Language(tree_sitter_bicep.language()))


def tree(file: Path) -> Node:
    return PARSER.parse(file.read_bytes()).root_node


def nodes(top: Node, kind: str) -> Iterator[Node]:
    """Every node of a kind below *top*."""
    for child in top.children:
        if child.type == kind:
            yield child
        yield from nodes(child, kind)


def text(node: Node) -> str:
    assert node.text is not None
    return node.text.decode()


def parameters(file: Path) -> dict[str, bool]:
    """The parameters of a file, and whether each must be given."""
    return {text(each.children[1]): not text(each).count("=") for each in nodes(tree(file), "parameter_declaration")}


def given(module: Node) -> set[str]:
    """The names of the parameters that a module declaration passes."""
    (body,) = re.findall(r"\bparams: \{(.*)\}", text(module), re.DOTALL)
    (found,) = nodes(PARSER.parse(f"var x = {{{body.rsplit('}', 1)[0]}}}\n".encode()).root_node, "object")
    return {text(prop.children[0]) for prop in found.children if prop.type == "object_property"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_it_is_bicep(file: Path) -> None:
    """The grammar takes the whole file."""
    assert not tree(file).has_error


def test_modules_get_what_they_ask_for() -> None:
    """Each module's file exists, gets every parameter that it asks for, and none that it does not know."""
    modules = list(nodes(tree(DEPLOY / "sandbox.bicep"), "module_declaration"))
    assert len(modules) == len(FILES) - 1
    for module in modules:
        known = parameters(DEPLOY / text(module.children[2]).strip("'"))
        assert given(module) <= set(known)
        assert {name for name, needed in known.items() if needed} <= given(module)


def test_it_fits_the_code() -> None:
    """Apps, profile and groups carry the tag that the guard asks for; the role is role.json's; the health path is the default."""
    whole = {file.name: file.read_text("utf-8") for file in FILES}
    main = whole["sandbox.bicep"]
    assert f"var tags = {{ '{ALLOWED_TAG}': '{ALLOWED}' }}" in main
    declared = [each for file in FILES for kind in ("resource_declaration",) for each in nodes(tree(file), kind)]
    tagged = {
        text(each.children[2]).split("@")[0].strip("'").lower() for each in declared if "tags: tags" in text(each)
    }
    assert tagged >= {
        "microsoft.web/sites",
        "microsoft.network/trafficmanagerprofiles",
        "microsoft.resources/resourcegroups",
    }
    (loaded,) = re.findall(r"loadJsonContent\('([^']+)'\)\.(\w+)", main)
    assert json.loads((DEPLOY / loaded[0]).read_text("utf-8"))[loaded[1]]
    assert "path: '/health'" in whole["sandbox-front.bicep"]
    assert "param sku string = 'S1'" in main


def test_the_readme_names_the_sandbox() -> None:
    """The [target.sandbox] of deploy/README.md is a valid target, named as the template names things."""
    (block,) = re.findall(r"```toml\n(.*?)```", (DEPLOY / "README.md").read_text("utf-8"), re.DOTALL)
    filled = block.replace("<subscription>", "00000000-0000-0000-0000-000000000000").replace("<name>", "x")
    target = Settings.model_validate(tomllib.loads(filled)).target["sandbox"].model_dump()
    main = (DEPLOY / "sandbox.bicep").read_text("utf-8")
    (regions,) = re.findall(r"param regions array = \['(\w+)', '(\w+)'\]", main)
    assert (target["primary"]["endpoint"], target["secondary"]["endpoint"]) == regions
    for region, role in zip(regions, ("primary", "secondary"), strict=True):
        assert target[role]["app"] == f"x-{region}"
        assert target[role]["resource_group"] == f"rg-x-{region}"
    for name in ("'${name}-${region}'", "'rg-${name}-${region}'", "'rg-${name}-global'"):
        assert name in main
