// The playground: the form, the lanes of one or two models, and the key that their calls carry.
import { PageKey } from "./key.js";
import { Lane } from "./lane.js";

const LARGEST = 8 * 1024 * 1024;

const page = document.querySelector("[data-playground]");
if (page) begin(page);

function begin(root) {
    const form = root.querySelector("[data-form]");
    const ask = root.querySelector("[data-ask]");
    const part = (name) => root.querySelector(`[data-${name}]`);
    const key = new PageKey(root);
    let lanes = [];
    let running = null;
    let picture = "";

    const say = (text) => { part("status").textContent = text; };
    const note = (text) => {
        part("note").textContent = text;
        part("note").hidden = !text;
    };

    const show = () => {
        const chosen = [form.elements.first, form.elements.second].map((list) => list.selectedOptions[0]).filter((option) => option?.value);
        lanes = chosen.map((option) => lanes.find((lane) => lane.model === option.value) || new Lane(root, option));
        if (lanes.length === 2 && lanes[0] === lanes[1]) lanes[1] = new Lane(root, chosen[1]);
        part("lanes").replaceChildren(...lanes.map((lane) => lane.element));
        const address = new URL(location);
        address.searchParams.set("model", form.elements.first.value);
        if (form.elements.second.value) address.searchParams.set("with", form.elements.second.value);
        else address.searchParams.delete("with");
        history.replaceState(null, "", address);
    };

    const busy = (controller) => {
        running = controller;
        part("run").disabled = part("clear").disabled = Boolean(controller);
        part("stop").hidden = !controller;
        for (const list of form.querySelectorAll("select")) list.disabled = Boolean(controller);
    };

    const settings = () => ({
        system: form.elements.system.value.trim(),
        temperature: form.elements.temperature.value === "" ? null : Number(form.elements.temperature.value),
        maximum: Number(form.elements.maximum.value),
    });

    const message = () => {
        const text = ask.elements.message.value.trim();
        const content = picture ? [{ type: "text", text }, { type: "image_url", image_url: { url: picture } }] : text;
        return { text, picture, content };
    };

    const run = async () => {
        if (running || !form.reportValidity() || !ask.reportValidity()) return;
        note("");
        const asked = { message: message(), settings: settings(), key };
        if (!asked.message.text) return;
        busy(new AbortController());
        say("Asking …");
        try {
            await key.ready();
        } catch (error) {
            note(error.message);
            busy(null);
            say("");
            return;
        }
        const answers = lanes.map((lane) => lane.ask({ ...asked, signal: running.signal }));
        ask.elements.message.value = "";
        drop();
        const told = await Promise.all(answers);
        race(root);
        busy(null);
        say(told.some((one) => one.state === "with an error") ? "Ended with an error." : "Done.");
        ask.elements.message.focus();
    };

    const drop = () => {
        picture = "";
        part("file").value = "";
        part("picture").hidden = true;
    };

    const read = (file) => {
        if (!file) return;
        if (file.size > LARGEST) {
            note("This picture is larger than 8 MB: choose a smaller one.");
            return;
        }
        const reader = new FileReader();
        reader.addEventListener("load", () => {
            picture = reader.result;
            part("picture").hidden = false;
            part("picture").querySelector("img").src = picture;
        });
        reader.readAsDataURL(file);
    };

    form.addEventListener("submit", (event) => event.preventDefault());
    form.elements.first.addEventListener("change", show);
    form.elements.second.addEventListener("change", show);
    ask.addEventListener("submit", (event) => {
        event.preventDefault();
        run();
    });
    part("file").addEventListener("change", (event) => read(event.target.files[0]));
    part("drop-picture").addEventListener("click", drop);
    part("stop").addEventListener("click", () => running?.abort());
    part("clear").addEventListener("click", () => {
        for (const lane of lanes) lane.clear();
        say("");
    });
    root.addEventListener("keydown", (event) => {
        if (event.key === "Escape" && running) running.abort();
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
            event.preventDefault();
            run();
        }
    });
    addEventListener("paste", (event) => read([...event.clipboardData.files].find((file) => file.type.startsWith("image/"))));
    show();
}

// The bars of the last answers, to one scale: how long until the first token, how long from there.
function race(root) {
    const bars = [...root.querySelectorAll(".pg-lane")].map((lane) => [...lane.querySelectorAll(".pg-pace")].at(-1)).filter((bar) => bar?.dataset.total);
    const longest = Math.max(...bars.map((bar) => Number(bar.dataset.total)));
    for (const bar of bars) {
        const [first, total] = [Number(bar.dataset.first), Number(bar.dataset.total)];
        bar.querySelector("i").style.width = `${(100 * first) / longest}%`;
        bar.querySelector("b").style.width = `${(100 * (total - first)) / longest}%`;
        bar.classList.add("pg-shown");
    }
}
