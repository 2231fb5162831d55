// What an answer took and cost, in figures.
const WAITS = [400, 600, 1000, 1500, 2500];

export function seconds(ms) {
    return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s`;
}

export function dollars(text) {
    const amount = Number(text);
    if (!amount) return "$0";
    return `$${amount < 0.01 ? amount.toPrecision(2).replace(/e.*$/, "") && trimmed(amount) : amount.toFixed(4)}`;
}

// Two significant digits in plain notation.
function trimmed(amount) {
    return amount.toFixed(Math.min(12, 1 - Math.floor(Math.log10(amount))));
}

// The stream's own usage, in the ledger's disjoint meters.
export function meters(usage) {
    const cached = usage.prompt_tokens_details?.cached_tokens || 0;
    return {
        input: Math.max(0, (usage.prompt_tokens || 0) - cached),
        cached_read: cached,
        output: usage.completion_tokens || 0,
        reasoning: usage.completion_tokens_details?.reasoning_tokens || 0,
    };
}

// What the ledger says of a call: it has it within two seconds of the call's end. null when it has not after all.
export async function settled(pattern, request) {
    if (!request) return null;
    for (const wait of WAITS) {
        await new Promise((later) => setTimeout(later, wait));
        try {
            const answer = await fetch(pattern.replace("ID", encodeURIComponent(request)));
            if (answer.ok) return await answer.json();
        } catch {
            return null;
        }
    }
    return null;
}

export function rows({ first, total, usage, cost, route, tries, request, state }) {
    const count = (number) => number.toLocaleString("en-US");
    const found = [];
    if (first != null) found.push(["First token", seconds(first)]);
    if (total != null) found.push(["Total", seconds(total)]);
    if (usage) {
        const input = usage.input + (usage.cached_read || 0) + (usage.cache_write_5m || 0) + (usage.cache_write_1h || 0);
        found.push(["Tokens in", count(input) + (usage.cached_read ? ` (${count(usage.cached_read)} cached)` : "")]);
        found.push(["Tokens out", count(usage.output) + (usage.reasoning ? ` (${count(usage.reasoning)} reasoning)` : "")]);
        if (first != null && total > first && usage.output > 1) found.push(["Speed", `${Math.round(usage.output / ((total - first) / 1000))} tokens/s`]);
    }
    found.push(["Cost", cost]);
    if (route) found.push(["Route", tries > 1 ? `${route}, ${tries} tries` : route]);
    if (state) found.push(["Ended", state]);
    if (request) found.push(["Request", request]);
    return found;
}
