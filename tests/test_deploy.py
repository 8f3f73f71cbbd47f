"""What is deployed with: the Dockerfile and compose.yaml name what there is. No Docker is needed."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from cli import settings
from cli.main import app

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
FOREIGN = {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD", "POSTGRES_INITDB_ARGS"}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return found


def test_the_image_has_every_package_and_nothing_else() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["setuptools"]["packages"]["find"]["include"]
    wanted = {name for name in packages if "." not in name}
    copied = re.findall(r"^COPY (\w+) (\w+)$", DOCKERFILE, re.MULTILINE)
    assert {name for name, _ in copied} == {name for _, name in copied} == wanted


def test_what_is_copied_is_not_left_out_of_the_context() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for name in line.split():
            assert (ROOT / name).exists()
            assert name.split("/")[0] not in ignored


def test_the_user_is_a_number() -> None:
    # Kubernetes' runAsNonRoot cannot tell what a name stands for.
    users = re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE)
    assert users == ["10001:10001"]


def test_commands_and_variables_exist(services: dict[str, Any]) -> None:
    root = typer.main.get_command(app)
    known = set(re.findall(r'"([A-Z][A-Z_]+)"', Path(settings.__file__).read_text()))
    for name, service in services.items():
        if service["image"] == "rankfold:local":
            assert service["command"][0] in root.commands, name  # type: ignore[attr-defined]
        assert set(service.get("environment", {})) - FOREIGN <= known, name


def test_who_waits_for_the_services_waits_for_all(services: dict[str, Any]) -> None:
    # `docker compose up --wait` takes a service that ends for a failure, unless one that goes on waits for its end.
    waits = [wait for service in services.values() for wait in service.get("depends_on", {}).items()]
    for name, service in services.items():
        if service["restart"] == "no":
            assert (name, {"condition": "service_completed_successfully"}) in waits
        elif service["image"] != "rankfold:local":
            assert (name, {"condition": "service_healthy"}) in waits
            assert "healthcheck" in service
