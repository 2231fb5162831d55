"""The tour as its reader sees it: five steps to copy and paste."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime
from pathlib import Path

from config.tour import smoke
from config.tour.state import State

RULE = "─" * 78


def tour_text(state: State, *, base_url: str, home: Path, password_changed: bool) -> str:
    month = f"{datetime.now(UTC):%Y-%m}"
    password = "the one that you have set" if password_changed else state.admin_password
    report = shlex.quote(f"{base_url}/api/v1/reports/costs/?period={month}&group_by=team,model&format=csv")
    staff = shlex.quote(f"Authorization: Bearer {state.admin_key}")
    steps = [
        ("1. The admin", f"open {base_url}/admin/\nlog in as {state.admin_user} with the password {password}"),
        (
            "2. A streamed model call",
            _curl(f"{base_url}/v1/chat/completions", state.key, {}, smoke.chat_body(state.model, stream=True), "-N"),
        ),
        ("3. A tool call over MCP", _curl(f"{base_url}/mcp/{state.server}", state.key, smoke.TOOL_HEADERS, smoke.tool_body())),
        ("4. An agent call over A2A", _curl(f"{base_url}/a2a/{state.agent}", state.key, smoke.AGENT_HEADERS, smoke.agent_body())),
        ("5. What it cost", f"open {base_url}/admin/\ncurl -s -o costs.csv -H {staff} {report}"),
    ]
    body = "\n\n".join(f"{title}\n\n{text}" for title, text in steps)
    return f"{RULE}\nThe house stands at {base_url}. All of this is also in {home / 'tour.json'}.\n\n{body}\n{RULE}"


def _curl(url: str, key: str, headers: dict[str, str], body: dict[str, object], *options: str) -> str:
    given = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    given |= {name.title(): value for name, value in headers.items() if name != "content-type"}
    lines = [shlex.join(["curl", "-s", *options, url])]
    lines += [f"  -H {shlex.quote(f'{name}: {value}')}" for name, value in given.items()]
    lines.append(f"  -d {shlex.quote(json.dumps(body))}")
    return " \\\n".join(lines)
