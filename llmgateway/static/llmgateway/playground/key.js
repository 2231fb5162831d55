// The page's key: made when it is first needed, renewed before it runs out, ended when the page is left.
const RENEW_BEFORE = 3 * 60 * 1000;
const PATIENCE = 8000;
const STEP = 120;

export class Unreachable extends Error {}

export class PageKey {
    #root; #csrf; #text = ""; #prefix = ""; #ends = 0; #base = ""; #making = null;

    constructor(root) {
        this.#root = root;
        this.#csrf = root.querySelector("[name=csrfmiddlewaretoken]").value;
        addEventListener("pagehide", () => this.end());
    }

    // The key's text and the address that takes it. `refused` is the text of a key that was not taken any more: unless there
    // is another one by now, one is made. Whoever comes while it is made waits for it.
    async ready(refused = "") {
        if (this.#text === refused || Date.now() > this.#ends - RENEW_BEFORE) {
            this.#making ||= this.#renewed().finally(() => { this.#making = null; });
            await this.#making;
        }
        return { text: this.#text, base: this.#base };
    }

    async #renewed() {
        this.#ends = 0;
        await this.#make();
        const ends = this.#ends;
        this.#ends = 0;
        this.#base = await this.#found();
        this.#ends = ends;
    }

    end() {
        if (!this.#prefix) return;
        const body = new URLSearchParams({ prefix: this.#prefix });
        fetch(this.#root.dataset.endKey, { method: "POST", body, headers: { "x-csrftoken": this.#csrf }, keepalive: true });
        this.#prefix = "";
        this.#ends = 0;
    }

    async #make() {
        const answer = await fetch(this.#root.dataset.newKey, { method: "POST", headers: { "x-csrftoken": this.#csrf } });
        const given = await answer.json().catch(() => ({}));
        if (!answer.ok) throw new Error(given.error || `No key could be made (${answer.status}). Load the page again.`);
        this.#text = given.key;
        this.#prefix = given.prefix;
        this.#ends = Date.now() + given.seconds * 1000;
    }

    // Where the gateway is: at this page's own address or at the house's public one. A new key is known there within a second.
    async #found() {
        const bases = [...new Set([location.origin, this.#root.dataset.gateway])];
        const until = Date.now() + PATIENCE;
        let refused = false;
        while (Date.now() < until) {
            for (const base of bases) {
                const state = await knows(base, this.#text);
                if (state === "yes") return base;
                refused ||= state === "refused";
            }
            await new Promise((later) => setTimeout(later, STEP));
        }
        if (refused) throw new Error("The gateway does not know the new key yet: it is behind on its configuration. Try again in a moment.");
        throw new Unreachable(blocked(bases));
    }
}

async function knows(base, key) {
    try {
        const answer = await fetch(`${base}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
        if (answer.status === 401) return "refused";
        return answer.ok && (answer.headers.get("content-type") || "").includes("json") ? "yes" : "no";
    } catch {
        return "no";
    }
}

export function blocked(bases) {
    const other = bases.find((base) => !base.startsWith(location.origin));
    if (!other) {
        return `No gateway answers at ${location.origin}. Where gateways run apart from this page, serve both under one address `
            + "(CUSTOMHOUSE_PUBLIC_URL), with /v1/ going to the gateways.";
    }
    return `The gateway at ${other} can't be reached from this page at ${location.origin}: it is away, or the browser refuses calls `
        + "between the two addresses. Serve both under one address (CUSTOMHOUSE_PUBLIC_URL), or use the curl command.";
}
