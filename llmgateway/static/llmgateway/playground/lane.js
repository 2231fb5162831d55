// One model's side of the page: its conversation, the answer that is coming, and what each answer took.
import { Refused, streamed } from "./stream.js";
import { dollars, meters, rows, settled } from "./figures.js";

export class Lane {
    #root; #talk; #messages = []; #calls; #turnTemplate;

    constructor(page, option) {
        this.model = option.value;
        this.maximum = option.dataset.maximum;
        this.tellsUsage = option.dataset.usage === "1";
        this.#calls = page.dataset.calls;
        this.#turnTemplate = page.querySelector("template[data-turn]");
        this.element = page.querySelector("template[data-lane]").content.firstElementChild.cloneNode(true);
        this.element.querySelector("h2").textContent = this.model;
        this.element.querySelector("[data-price]").textContent = option.dataset.price;
        this.element.setAttribute("aria-label", this.model);
        this.#talk = this.element.querySelector(".pg-talk");
        this.#root = page;
    }

    clear() {
        this.#messages = [];
        this.#talk.replaceChildren(Object.assign(document.createElement("p"), { className: "pg-hint", textContent: "Nothing asked yet." }));
    }

    // Asks and shows the answer as it comes. Returns whether it went well, so that the page knows what to say.
    async ask({ message, settings, key, signal }) {
        this.#talk.querySelector(".pg-hint")?.remove();
        this.#talk.append(asked(message));
        this.#messages.push({ role: "user", content: message.content });
        const turn = new Turn(this.#turnTemplate, this.#talk);
        const told = { cost: "…" };
        let started = performance.now();
        try {
            const body = this.#body(settings);
            const reached = await key.ready();
            turn.curl(reached.base, body);
            started = performance.now();
            await this.#read({ body, key, signal, turn, told, started });
        } catch (error) {
            told.state = error.name === "AbortError" ? "stopped" : "with an error";
            if (error.name !== "AbortError") turn.refused(error);
        }
        told.total = performance.now() - started;
        const text = turn.end(told);
        if (text) this.#messages.push({ role: "assistant", content: text });
        else this.#messages.pop();
        await this.#settle(turn, told);
        return told;
    }

    async #read({ body, key, signal, turn, told, started }) {
        for (let refused = ""; ;) {
            const { text, base } = await key.ready(refused);
            try {
                for await (const event of streamed({ base, key: text, body, signal })) this.#take(event, turn, told, started);
                return;
            } catch (error) {
                // Another page of the same person made a newer key and ended this one: once more with one of our own.
                if (!(error instanceof Refused) || error.status !== 401 || refused) throw error;
                refused = text;
            }
        }
    }

    #take(event, turn, told, started) {
        if (event.kind === "head") {
            const [route, tries] = event.route.split("; tries=");
            Object.assign(told, { request: event.request, route, tries: Number(tries) || 1 });
            if (event.cost) told.cost = dollars(event.cost);
        } else if (event.kind === "usage") {
            told.usage = meters(event.usage);
        } else if (event.kind === "stop") {
            if (event.reason !== "stop") told.state = event.reason === "length" ? "at the most tokens" : event.reason;
        } else {
            told.first ??= performance.now() - started;
            turn.add(event.kind, event.text);
        }
    }

    async #settle(turn, told) {
        const ledger = await settled(this.#calls, told.request);
        if (ledger) {
            told.usage = ledger.usage;
            told.cost = ledger.cost === null ? "no price is known" : dollars(ledger.cost) + (ledger.estimated ? " (estimated)" : "");
        } else if (told.cost === "…") {
            told.cost = told.request ? "not settled yet" : "nothing";
        }
        turn.figures(told);
    }

    #body(settings) {
        const system = settings.system ? [{ role: "system", content: settings.system }] : [];
        const body = { model: this.model, messages: [...system, ...this.#messages], stream: true };
        if (this.tellsUsage) body.stream_options = { include_usage: true };
        if (settings.temperature !== null) body.temperature = settings.temperature;
        body[this.maximum] = settings.maximum;
        return body;
    }
}

// The answer that is coming. All of it is foreign text: it is only ever put in as text.
class Turn {
    #element; #talk; #said = ""; #pending = { text: "", thought: "" }; #frame = 0;

    constructor(template, talk) {
        this.#talk = talk;
        this.#element = template.content.firstElementChild.cloneNode(true);
        this.#element.querySelector(".pg-text").classList.add("pg-waiting");
        talk.append(this.#element);
        this.#follow(true);
    }

    add(kind, text) {
        this.#pending[kind] += text;
        // Once per frame: hundreds of tokens a second must not lay the page out hundreds of times.
        this.#frame ||= requestAnimationFrame(() => this.#show());
    }

    #show() {
        this.#frame = 0;
        const follow = this.#atEnd();
        const { text, thought } = this.#pending;
        this.#pending = { text: "", thought: "" };
        if (thought) {
            const box = this.#element.querySelector(".pg-thought");
            box.hidden = false;
            box.lastElementChild.append(thought);
        }
        if (text) {
            this.#said += text;
            const shown = this.#element.querySelector(".pg-text");
            shown.classList.remove("pg-waiting");
            shown.append(text);
        }
        if (follow) this.#follow();
    }

    refused(error) {
        const shown = this.#element.querySelector(".pg-error");
        shown.textContent = [error.message, error.code && `(${error.code})`, error.request && `Request ${error.request}.`].filter(Boolean).join(" ");
        shown.hidden = false;
    }

    end(told) {
        cancelAnimationFrame(this.#frame);
        this.#show();
        this.#element.setAttribute("aria-busy", "false");
        this.#element.querySelector(".pg-text").classList.remove("pg-waiting");
        this.figures(told);
        return this.#said;
    }

    figures(told) {
        const follow = this.#atEnd();
        const list = this.#element.querySelector(".pg-figures");
        list.replaceChildren(...rows(told).map(([label, value]) => {
            const row = document.createElement("div");
            row.append(Object.assign(document.createElement("dt"), { textContent: label }), Object.assign(document.createElement("dd"), { textContent: value }));
            if (label === "Request") row.className = "pg-id";
            return row;
        }));
        const pace = this.#element.querySelector(".pg-pace");
        if (told.first !== undefined && told.total) Object.assign(pace.dataset, { total: told.total, first: told.first });
        if (follow) this.#follow();
    }

    // The call as anybody could repeat it. The key is named and never written; a picture is left out of what is shown.
    curl(base, body) {
        const text = JSON.stringify(body, null, 1).replaceAll("'", "'\\''");
        const command = `curl -N ${base}/v1/chat/completions \\\n  -H "authorization: Bearer $CUSTOMHOUSE_KEY" \\\n  -H "content-type: application/json" \\\n  -d '${text}'`;
        const box = this.#element.querySelector(".pg-code");
        box.parentElement.addEventListener("toggle", () => box.scrollIntoView({ block: "nearest" }));
        box.querySelector("code").textContent = command.replace(/(data:image\/[a-z]+;base64,.{24})[^"]*/g, "$1…");
        box.querySelector("button").addEventListener("click", async (event) => {
            try {
                await navigator.clipboard.writeText(command);
                event.target.textContent = "Copied";
            } catch {
                // Without TLS there is no clipboard: select the text, so that one key press copies it.
                getSelection().selectAllChildren(box.querySelector("code"));
                event.target.textContent = "Selected";
            }
            setTimeout(() => { event.target.textContent = "Copy"; }, 1500);
        });
    }

    #atEnd() {
        return this.#talk.scrollHeight - this.#talk.scrollTop - this.#talk.clientHeight < 48;
    }

    #follow(force = false) {
        if (force || !matchMedia("(prefers-reduced-motion: reduce)").matches || this.#atEnd()) this.#talk.scrollTop = this.#talk.scrollHeight;
    }
}

function asked({ text, picture }) {
    const turn = Object.assign(document.createElement("div"), { className: "pg-asked" });
    if (picture) turn.append(Object.assign(document.createElement("img"), { src: picture, alt: "The picture that was sent" }));
    turn.append(Object.assign(document.createElement("p"), { textContent: text }));
    return turn;
}
