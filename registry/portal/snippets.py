"""What to paste where: how to use an item of the catalog from the common clients.

Keys are named by an environment variable and never written into a snippet. Sources: the clients' own documentation of
remote MCP servers (Claude Code, Cursor, VS Code, Codex), A2A 1.0 §9, the Agent Skills clients' folders.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from registry.catalog import Entry
from registry.choices import Kind

KEY = "CUSTOMHOUSE_KEY"


@dataclass(frozen=True, slots=True)
class Snippet:
    """`label` is the client; `where` says where the text goes, "" for a shell."""

    label: str
    text: str
    where: str = ""


def snippets(entry: Entry, *, base_url: str, version: str = "latest") -> list[Snippet]:
    match entry.kind:
        case Kind.SERVER | Kind.TOOLSET:
            return _mcp(entry.name, f"{base_url}/mcp/{entry.name}")
        case Kind.AGENT:
            return _agent(f"{base_url}/a2a/{entry.name}")
        case Kind.SKILL:
            return _skill(entry.name, f"{base_url}/skills/{entry.name}/{version}.tar.gz")
        case Kind.MODEL:
            return _model(entry.name, base_url)
    return []


def _mcp(name: str, url: str) -> list[Snippet]:
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
        Snippet("Claude Code", f'claude mcp add --transport http \\\n  {name} {url} \\\n  --header "Authorization: Bearer ${KEY}"'),
        Snippet("Cursor", json.dumps(cursor, indent=2), ".cursor/mcp.json"),
        Snippet("VS Code", json.dumps(code, indent=2), ".vscode/mcp.json"),
        Snippet("Codex", f'[mcp_servers.{name}]\nurl = "{url}"\nbearer_token_env_var = "{KEY}"', "~/.codex/config.toml"),
        Snippet("curl", _curl(url, listing, headers)),
    ]


def _agent(url: str) -> list[Snippet]:
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
        Snippet("curl", _curl(url, call, ["Content-Type: application/json", "A2A-Version: 1.0"])),
        Snippet("Python", python),
        Snippet("Card", f'curl -H "Authorization: Bearer ${KEY}" \\\n  {url}/.well-known/agent-card.json'),
    ]


def _skill(name: str, url: str) -> list[Snippet]:
    def unpack(folder: str) -> str:
        target = f"{folder}/{name}"
        return f'mkdir -p {target}\ncurl -fsS -H "Authorization: Bearer ${KEY}" {url} \\\n  | tar -xz -C {target}'

    return [
        Snippet("Claude Code", unpack("~/.claude/skills")),
        Snippet("Codex and Cursor", unpack(".agents/skills")),
        Snippet("Download", f'curl -fsS -H "Authorization: Bearer ${KEY}" \\\n  -o {name}.tar.gz {url}'),
    ]


def _model(name: str, base_url: str) -> list[Snippet]:
    call = {"model": name, "messages": [{"role": "user", "content": "Hello"}]}
    python = (
        "import os\nfrom openai import OpenAI\n\n"
        f'client = OpenAI(base_url="{base_url}/v1", api_key=os.environ["{KEY}"])\n'
        f'answer = client.chat.completions.create(\n    model="{name}",\n    messages=[{{"role": "user", "content": "Hello"}}],\n)'
    )
    claude = f'export ANTHROPIC_BASE_URL={base_url}\nexport ANTHROPIC_AUTH_TOKEN="${KEY}"\nclaude --model {name}'
    return [
        Snippet("curl", _curl(f"{base_url}/v1/chat/completions", call, ["Content-Type: application/json"])),
        Snippet("Python", python),
        Snippet("Claude Code", claude),
    ]


def _curl(url: str, body: object, headers: list[str]) -> str:
    lines = [f"curl {url}", f'  -H "Authorization: Bearer ${KEY}"', *(f'  -H "{header}"' for header in headers)]
    return " \\\n".join([*lines, f"  -d '{json.dumps(body)}'"])
