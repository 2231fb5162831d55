"""What to paste where: how to use an item of the catalog from the common clients.

Keys are named by an environment variable and never written into a snippet. Sources: the clients' own documentation of
remote MCP servers (Claude Code, Cursor, VS Code, Codex), A2A 1.0 §9, the Agent Skills clients' folders.
"""

from __future__ import annotations

import json

from registry.catalog import Entry
from registry.catalog.entry import Way
from registry.choices import Kind

KEY = "CUSTOMHOUSE_KEY"


def snippets(entry: Entry, *, base_url: str, version: str = "latest") -> list[Way]:
    if entry.ways is not None:
        return list(entry.ways(base_url))
    match entry.kind:
        case Kind.SERVER | Kind.TOOLSET:
            return _mcp(entry.name, f"{base_url}/mcp/{entry.name}")
        case Kind.AGENT:
            return _agent(f"{base_url}/a2a/{entry.name}")
        case Kind.SKILL:
            return _skill(entry.name, f"{base_url}/skills/{entry.name}/{version}.tar.gz")
    return []


def _mcp(name: str, url: str) -> list[Way]:
    cursor = {"mcpServers": {name: {"url": url, "headers": {"Authorization": f"Bearer ${{env:{KEY}}}"}}}}
    code = {
        "inputs": [{"type": "promptString", "id": "customhouse-key", "description": "Customhouse key", "password": True}],
        "servers": {name: {"type": "http", "url": url, "headers": {"Authorization": "Bearer ${input:customhouse-key}"}}},
    }
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
    listing = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}
    headers = ["Content-Type: application/json", "Accept: application/json, text/event-stream"]
    headers += ["MCP-Protocol-Version: 2026-07-28", "Mcp-Method: tools/list"]
    return [
        Way("Claude Code", f'claude mcp add --transport http \\\n  {name} {url} \\\n  --header "Authorization: Bearer ${KEY}"'),
        Way("Cursor", json.dumps(cursor, indent=2), ".cursor/mcp.json"),
        Way("VS Code", json.dumps(code, indent=2), ".vscode/mcp.json"),
        Way("Codex", f'[mcp_servers.{name}]\nurl = "{url}"\nbearer_token_env_var = "{KEY}"', "~/.codex/config.toml"),
        Way("curl", _curl(url, listing, headers)),
    ]


def _agent(url: str) -> list[Way]:
    message = {"messageId": "1", "role": "ROLE_USER", "parts": [{"text": "Hello"}]}
    call = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": message}}
    python = (
        "import os, httpx\n"
        "from a2a.client import ClientConfig, create_client\n\n"
        f'headers = {{"Authorization": f"Bearer {{os.environ[\'{KEY}\']}}"}}\n'
        "async with httpx.AsyncClient(headers=headers) as http:\n"
        f'    agent = await create_client("{url}", ClientConfig(httpx_client=http))'
    )
    return [
        Way("curl", _curl(url, call, ["Content-Type: application/json", "A2A-Version: 1.0"])),
        Way("Python", python),
        Way("Card", f'curl -H "Authorization: Bearer ${KEY}" \\\n  {url}/.well-known/agent-card.json'),
    ]


def _skill(name: str, url: str) -> list[Way]:
    def unpack(folder: str) -> str:
        target = f"{folder}/{name}"
        return f'mkdir -p {target}\ncurl -fsS -H "Authorization: Bearer ${KEY}" {url} \\\n  | tar -xz -C {target}'

    return [
        Way("Claude Code", unpack("~/.claude/skills")),
        Way("Codex and Cursor", unpack(".agents/skills")),
        Way("Download", f'curl -fsS -H "Authorization: Bearer ${KEY}" \\\n  -o {name}.tar.gz {url}'),
    ]


def _curl(url: str, body: object, headers: list[str]) -> str:
    lines = [f"curl {url}", f'  -H "Authorization: Bearer ${KEY}"', *(f'  -H "{header}"' for header in headers)]
    return " \\\n".join([*lines, f"  -d '{json.dumps(body)}'"])
