"""Facts about the tree: where things are, and that there is one door for each kind of thing."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE_ROOTS = (ROOT, ROOT / "platform")
PRODUCT = ("platform", "registry", "llmgateway", "mcpgateway", "agentgateway")
FRAMEWORKS = ("django", "rest_framework", "guardian", "celery", "kombu", "channels", "daphne", "starlette", "mcp", "a2a")

LINES_AT_MOST = 400
"""A file past this does two things."""


@cache
def tracked() -> tuple[Path, ...]:
    """Files that git knows or would take up, so that what a checkout leaves lying about is not looked at."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return tuple(path for name in listed.splitlines() if (path := ROOT / name).is_file())


def python_files(*folders: str) -> Iterator[Path]:
    for path in tracked():
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in folders:
            yield path


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def calls_in(path: Path) -> Iterator[tuple[ast.Call, str]]:
    """Every call with the dotted text of what is called."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)


# The packaging (docs/adr/0001): each of these was seen to break something.


def test_platform_is_a_source_root_and_never_a_package() -> None:
    assert not (ROOT / "platform" / "__init__.py").exists()


def test_no_top_level_name_hides_a_module_of_the_standard_library() -> None:
    names = {
        path.stem
        for root in SOURCE_ROOTS
        for path in root.iterdir()
        if not path.name.startswith(".") and (path.suffix == ".py" or (path / "__init__.py").exists())
    }
    assert not names & set(sys.stdlib_module_names)


def test_tests_have_no_packages() -> None:
    assert not [name_of(path) for path in tracked() if path.name == "__init__.py" and name_of(path).startswith("tests/")]


def test_the_standard_librarys_platform_module_is_still_found() -> None:
    program = "import platform; assert platform.system()"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=_environ(), check=True, timeout=60)


@pytest.mark.parametrize("module", ["config.gateway", "config.wiring", "config.env", "config.server", "config.healthcheck"])
def test_the_gateway_process_does_not_import_django(module: str) -> None:
    program = f"import sys, {module}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=_environ(), capture_output=True, text=True, check=True, timeout=60
    )
    assert not set(found.stdout.split()) & set(FRAMEWORKS)


def _environ() -> dict[str, str]:
    return {"PYTHONPATH": ":".join(map(str, SOURCE_ROOTS)), "PATH": "/usr/bin:/bin"}


# What may be in a file.


def test_files_stay_small() -> None:
    files = (path for path in python_files(*PRODUCT, "tests", "bench") if "migrations" not in path.parts)
    sizes = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert not {name: lines for name, lines in sizes.items() if lines > LINES_AT_MOST}


def test_no_file_names_a_package_index() -> None:
    hosts = [".".join(parts) for parts in (("pypi", "org"), ("files", "pythonhosted", "org"), ("test", "pypi", "org"))]
    options = ["--" + "-".join(words) for words in (("index", "url"), ("extra", "index", "url"), ("find", "links"))]
    assert not _files_that_say(*hosts, *options)


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    assert not _files_that_say("/" + "work/", "/" + "root/", "/home/" + "runner")


def _files_that_say(*words: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if said := [word for word in words if word in text]:
            found[name_of(path)] = said
    return found


def test_requirements_are_pinned_with_hashes() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        heads = [number for number, line in enumerate(lines) if line and not line.startswith((" ", "#", "-"))]
        assert heads
        for number in heads:
            assert "==" in lines[number]
            assert lines[number + 1].strip().startswith("--hash=sha256:"), lines[number]


# One door each.


def test_only_upstream_imports_the_hot_paths_http_client() -> None:
    importers = {name_of(path) for path in python_files(*PRODUCT) if any(name.startswith("pyreqwest") for name in imports_of(path))}
    assert importers == {"platform/dataplane/upstream.py"}


def test_only_socket_upstream_imports_the_hot_paths_websocket_client() -> None:
    importers = {name_of(path) for path in python_files(*PRODUCT) if any(name.startswith("websockets") for name in imports_of(path))}
    assert importers == {"platform/dataplane/socket_upstream.py"}


def test_only_outbound_makes_http_clients_of_the_control_plane() -> None:
    makers = {
        name_of(path)
        for path in python_files(*PRODUCT)
        for _, called in calls_in(path)
        if (called.rpartition(".")[2] in {"AsyncClient", "Client"} and called.startswith(("httpx", "httpx2")))
        or called in {f"{module}.{verb}" for module in ("httpx", "httpx2") for verb in ("get", "post", "put", "request", "stream")}
    }
    assert makers == {"platform/adminkit/outbound.py"}


def test_no_other_http_client_is_imported() -> None:
    others = ("requests", "urllib.request", "aiohttp", "urllib3", "http.client")
    importers = {name_of(path) for path in python_files(*PRODUCT) for name in imports_of(path) if name.startswith(others)}
    # The container's own health check asks its own server.
    assert importers <= {"platform/config/healthcheck.py"}


def test_nothing_turns_money_into_a_float() -> None:
    """But for the cells of a workbook and the bars of a chart, which know no other number; the exact amount stands beside."""
    suspects = {
        name_of(path)
        for path in python_files(*PRODUCT)
        for call, called in calls_in(path)
        if called == "float" and any(word in ast.unparse(call) for word in ("cost", "price", "spent", "budget"))
    }
    assert suspects <= {"platform/usage/reports/workbook.py", "platform/usage/admin/cost_report.py"}


def test_nothing_runs_code_or_commands_out_of_data() -> None:
    forbidden = {
        "eval",
        "exec",
        "compile",
        "os.system",
        "os.popen",
        "yaml.load",
        "yaml.unsafe_load",
        "pickle.loads",
        "pickle.load",
        "marshal.loads",
    }
    found = {(name_of(path), called) for path in python_files(*PRODUCT) for _, called in calls_in(path) if called in forbidden}
    # With a loader that makes text, lists and mappings and nothing else.
    assert found <= {("registry/skills/skill_md.py", "yaml.load")}
    importers = {
        name_of(path) for path in python_files(*PRODUCT) for name in imports_of(path) if name in ("subprocess", "pickle", "marshal")
    }
    assert not importers


def test_only_markup_declares_text_safe() -> None:
    makers = {
        name_of(path)
        for path in python_files(*PRODUCT)
        for _, called in calls_in(path)
        if called.rpartition(".")[2] in {"mark_safe", "SafeString"}
    }
    assert makers <= {"platform/adminkit/markup.py"}
    templates = [
        name_of(path)
        for path in tracked()
        if path.suffix == ".html" and any(word in path.read_text(encoding="utf-8") for word in ("|safe", "autoescape off"))
    ]
    assert not templates


# Writes go through actions.

WRITERS = {
    "platform/adminkit/writing.py": "Django's own formset, asked for its objects without writing them",
    "platform/audit/trail.py": "the trail itself",
    "platform/config/publish.py": "what is published is derived, nobody decides it",
    "platform/config/sections.py": "what is published is derived, nobody decides it",
    "platform/config/push.py": "the store's copy on disk, not a row",
    "platform/config/tour/guide.py": "the tour's own file, not a row",
    "platform/identity/membership.py": "groups that follow from the tree; part of the actions on it",
    "platform/usage/alarms.py": "follows from the ledger",
    "platform/usage/ledger.py": "the ledger's own door",
    "platform/usage/prices.py": "the vendors' catalogue, not ours",
    "platform/usage/rollups.py": "follows from the ledger",
    "registry/catalog/index.py": "the search index follows from the catalog",
}
"""Files that write rows and are no actions, and why that is right."""

ROW_WRITES = {"save", "bulk_create", "bulk_update", "get_or_create", "update_or_create"}
QUERY_WRITES = {"create", "update", "delete"}


def _writes(path: Path) -> Iterator[str]:
    for call, called in calls_in(path):
        receiver, _, verb = called.rpartition(".")
        if (verb in ROW_WRITES and receiver and not receiver.startswith("super")) or (
            verb in QUERY_WRITES and any(word in receiver for word in ("objects", "_base_manager", "_default_manager"))
        ):
            yield f"{name_of(path)}:{call.lineno} {called}"


def test_rows_are_written_by_actions_only() -> None:
    found = [
        write
        for path in python_files(*PRODUCT)
        if not {"actions", "migrations", "dataplane"} & set(path.with_suffix("").parts) and name_of(path) not in WRITERS
        for write in _writes(path)
    ]
    assert not found


def test_every_listed_writer_still_writes() -> None:
    assert all(list(_writes(ROOT / name)) for name in WRITERS)
