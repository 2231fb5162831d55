// One streamed answer of the gateway, read as it comes.
const MEANT = /^data: ?(.*)$/;

export class Refused extends Error {
    constructor(text, { status = 0, code = "", request = "" } = {}) {
        super(text);
        this.status = status;
        this.code = code;
        this.request = request;
    }
}

// Yields {kind: "head" | "text" | "thought" | "usage" | "stop", …}. Throws Refused for what the house or the provider says no to.
export async function* streamed({ base, key, body, signal }) {
    const answer = await fetch(`${base}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body: JSON.stringify(body),
        signal,
    });
    const head = {
        request: answer.headers.get("x-request-id") || "",
        route: answer.headers.get("x-customhouse-route") || "",
        cost: answer.headers.get("x-customhouse-cost") || "",
    };
    if (!answer.ok) throw await refusal(answer, head.request);
    yield { kind: "head", ...head };
    for await (const data of events(answer.body)) {
        if (data === "[DONE]") return;
        yield* pieces(parsed(data, head.request), head.request);
    }
}

function* pieces(chunk, request) {
    if (chunk.error) throw new Refused(chunk.error.message || "The stream ended with an error.", { code: chunk.error.code || "", request });
    for (const choice of chunk.choices || []) {
        const delta = choice.delta || {};
        const thought = delta.reasoning_content || delta.reasoning;
        if (typeof thought === "string" && thought) yield { kind: "thought", text: thought };
        if (typeof delta.content === "string" && delta.content) yield { kind: "text", text: delta.content };
        if (typeof delta.refusal === "string" && delta.refusal) yield { kind: "text", text: delta.refusal };
        if (choice.finish_reason) yield { kind: "stop", reason: choice.finish_reason };
    }
    if (chunk.usage) yield { kind: "usage", usage: chunk.usage };
}

function parsed(data, request) {
    try {
        return JSON.parse(data);
    } catch {
        throw new Refused("The stream holds an event that is not JSON.", { request });
    }
}

// The data of each event. Characters and lines may be cut anywhere between two reads.
async function* events(stream) {
    const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    try {
        for (;;) {
            const { done, value } = await reader.read();
            const lines = (rest + (value || "")).split(/\r\n|\n|\r(?!$)/);
            rest = done ? "" : lines.pop();
            for (const line of lines) {
                const found = MEANT.exec(line);
                if (found) yield found[1];
            }
            if (done) return;
        }
    } finally {
        reader.cancel().catch(() => {});
    }
}

async function refusal(answer, request) {
    const text = await answer.text();
    try {
        const error = JSON.parse(text).error;
        return new Refused(error.message || text, { status: answer.status, code: error.code || error.type || "", request });
    } catch {
        return new Refused(`The gateway answered ${answer.status}.`, { status: answer.status, request });
    }
}
