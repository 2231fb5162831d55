// Everything here is a convenience: each page works without it.
(() => {
    const root = document.documentElement;

    document.addEventListener("click", (event) => {
        const theme = event.target.closest("[data-theme-switch]");
        if (theme) {
            const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
            root.dataset.theme = dark ? "light" : "dark";
            localStorage.setItem("theme", root.dataset.theme);
        }
        const copy = event.target.closest("[data-copy]");
        if (copy) {
            const text = copy.parentElement.querySelector("code").textContent;
            navigator.clipboard.writeText(text).then(() => {
                copy.classList.add("done");
                setTimeout(() => copy.classList.remove("done"), 1500);
            });
        }
        const tab = event.target.closest("[role=tab]");
        if (tab) select(tab);
        document.querySelectorAll("details.me[open], details.drop[open]").forEach((open) => {
            if (!open.contains(event.target)) open.open = false;
        });
    });

    function select(tab) {
        const tabs = tab.closest("[data-tabs]");
        tabs.querySelectorAll("[role=tab]").forEach((other) => {
            const on = other === tab;
            other.setAttribute("aria-selected", String(on));
            other.tabIndex = on ? 0 : -1;
            tabs.querySelector("#" + other.getAttribute("aria-controls")).hidden = !on;
        });
    }

    document.addEventListener("keydown", (event) => {
        const tab = event.target.closest && event.target.closest("[role=tab]");
        if (tab && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
            const all = [...tab.parentElement.querySelectorAll("[role=tab]")];
            const next = all[(all.indexOf(tab) + (event.key === "ArrowRight" ? 1 : all.length - 1)) % all.length];
            next.focus();
            select(next);
        }
        if (event.key === "/" && !/^(input|textarea|select)$/i.test(event.target.tagName)) {
            const field = document.querySelector(".search input[type=search]");
            if (field) {
                event.preventDefault();
                field.focus();
            }
        }
    });

    // Results while typing. Answers may overtake one another; only the newest is shown.
    const form = document.querySelector("form[data-live]");
    if (!form) return;
    const target = document.querySelector(form.dataset.live);
    let timer = 0;
    let running = null;
    form.addEventListener("input", () => {
        clearTimeout(timer);
        timer = setTimeout(async () => {
            if (running) running.abort();
            running = new AbortController();
            const url = form.action + "?" + new URLSearchParams(new FormData(form));
            try {
                const answer = await fetch(url, { headers: { "x-portal-partial": "1" }, signal: running.signal });
                if (!answer.ok || answer.redirected) {
                    location.href = url;
                    return;
                }
                target.innerHTML = await answer.text();
                history.replaceState(null, "", url);
            } catch (error) {
                if (error.name !== "AbortError") throw error;
            }
        }, 180);
    });
})();
