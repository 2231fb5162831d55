"""The real command line tools, started so that they call nobody but the house."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench.agents import work
from bench.agents.work import Planned
from bench.house import KEY

PROMPT = "Work through the task step by step, and say when it is done."
LIMIT = 900.0


class Tool(NamedTuple):
    """`own` is the target that is its own vendor's. There the house calls the model as the vendor does: Claude Code takes no
    thinking back to a model that answers under another name than it was asked by."""

    name: str
    program: str
    package: str
    own: str
    own_model: str
    kinds: tuple[Callable[[Path, int], list[Planned]], ...]
    command: Callable[[str, str, str, Path, bool], tuple[list[str], dict[str, str]]]

    def model(self, target: str) -> str:
        """Its name in the house. The tool knows what its model can do by how the name begins."""
        return self.own_model if target == self.own else f"{self.own_model}-{target}"


def claude_code(program: str, url: str, model: str, home: Path, own: bool) -> tuple[list[str], dict[str, str]]:
    env = {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_AUTH_TOKEN": KEY,
        "ANTHROPIC_MODEL": model,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": model,
        "CLAUDE_CODE_SUBAGENT_MODEL": model,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_TELEMETRY": "1",
        "IS_SANDBOX": "1",
    }
    if not own:
        env["CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS"] = "1"
    return [program, "-p", PROMPT, "--output-format", "json", "--dangerously-skip-permissions"], env


def codex(program: str, url: str, model: str, home: Path, own: bool) -> tuple[list[str], dict[str, str]]:
    lines = [
        f'model = "{model}"',
        'model_provider = "customhouse"',
        *([] if own else ['web_search = "disabled"']),
        "[model_providers.customhouse]",
        'name = "Customhouse"',
        f'base_url = "{url}/v1"',
        'env_key = "CUSTOMHOUSE_API_KEY"',
        'wire_api = "responses"',
    ]
    place = home / ".codex"
    place.mkdir(parents=True, exist_ok=True)
    (place / "config.toml").write_text("\n".join(lines) + "\n")
    command = [program, "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", PROMPT]
    return command, {"CUSTOMHOUSE_API_KEY": KEY, "CODEX_HOME": str(place)}


TOOLS = (
    Tool("claude-code", "claude", "@anthropic-ai/claude-code", "anthropic", "claude-opus-4-8", work.CLAUDE_CODE, claude_code),
    Tool("codex", "codex", "@openai/codex", "openai", "gpt-5.5", work.CODEX, codex),
    Tool("codex-programs", "codex", "@openai/codex", "openai", "gpt-6.2-sol", work.CODEX_PROGRAMS, codex),
)


def run(command: list[str], env: dict[str, str], *, home: Path, directory: Path) -> tuple[int, str]:
    """The tool's exit status and what it printed. It gets nothing of this process's environment but PATH."""
    home.mkdir(parents=True, exist_ok=True)
    base = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "TERM": "dumb"}
    try:
        done = subprocess.run(
            command, env=base | env, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT, check=False
        )
    except subprocess.TimeoutExpired as late:
        return -1, f"still running after {LIMIT:.0f} s: {(late.stdout or b'')[-500:]!r}"
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")
