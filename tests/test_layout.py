"""The layout keeps its promises: what is packaged is what is there, and imports point one way."""

import ast
import tomllib
from pathlib import Path

import pytest
from setuptools import find_packages

ROOT = Path(__file__).parents[1]
# A package may import those before it.
ORDER = ["corpus", "kernels", "sources", "filters", "dedup", "mixtures", "trainer", "pipeline"]
# Run from a checkout and never installed; it may import everything, and nothing imports it.
NOT_INSTALLED = ["benchmarks"]


def test_the_packages_that_are_installed_are_the_folders_on_disk() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    on_disk = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))
    assert sorted(project["tool"]["mypy"]["packages"]) == on_disk
    assert sorted([*ORDER, *NOT_INSTALLED]) == on_disk
    code = {path.parent.relative_to(ROOT) for top in ORDER for path in ROOT.glob(f"{top}/**/*.py")}
    include = project["tool"]["setuptools"]["packages"]["find"]["include"]
    assert set(find_packages(str(ROOT), include=include)) == {".".join(folder.parts) for folder in code}


@pytest.mark.parametrize("package", ORDER)
def test_imports_point_one_way(package: str) -> None:
    allowed = ORDER[: ORDER.index(package) + 1]
    for path in (ROOT / package).glob("**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for top in {name.split(".")[0] for name in names} & {*ORDER, *NOT_INSTALLED}:
                assert top in allowed, f"{path.name} of {package} imports {top}"


def test_only_the_cluster_imports_ray_and_only_the_trainer_torch() -> None:
    for path in [path for package in [*ORDER, *NOT_INSTALLED] for path in ROOT.glob(f"{package}/**/*.py")]:
        names = {
            (node.names[0].name if isinstance(node, ast.Import) else node.module or "").split(".")[0]
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        assert "ray" not in names or path.name == "cluster.py", path
        assert "torch" not in names or path.parent.name in {"trainer", "benchmarks"}, path


def test_constraints_pin_every_dependency_exactly() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *project["optional-dependencies"]["dev"],
        *project["optional-dependencies"]["train"],
        *project["optional-dependencies"]["bench"],
        *project["optional-dependencies"]["datatrove"],
        *project["optional-dependencies"]["perplexity"],
    ]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines if "==" in line}
    for requirement in wanted:
        name = requirement.split(">")[0].split("=")[0].split("[")[0].strip().lower()
        assert name == "crawlmill" or name in pinned, name
