// Tabs and copy buttons of the "How to call it" panel. Delegated, so that panels swapped in later work too.
(() => {
    const select = (tab) => {
        for (const other of tab.parentElement.querySelectorAll("[role=tab]")) {
            const chosen = other === tab;
            other.setAttribute("aria-selected", chosen);
            other.tabIndex = chosen ? 0 : -1;
            document.getElementById(other.getAttribute("aria-controls")).hidden = !chosen;
        }
        tab.focus();
    };

    const copy = async (button) => {
        const code = document.getElementById(button.dataset.copy);
        const icon = button.firstElementChild;
        try {
            await navigator.clipboard.writeText(code.textContent);
            icon.textContent = "check";
        } catch {
            // Without TLS there is no clipboard: select the text, so that one key press copies it.
            window.getSelection().selectAllChildren(code);
            icon.textContent = "select_all";
        }
        setTimeout(() => { icon.textContent = "content_copy"; }, 1500);
    };

    document.addEventListener("click", (event) => {
        const tab = event.target.closest("[data-tabs] [role=tab]");
        const button = event.target.closest("[data-copy]");
        if (tab) select(tab);
        if (button) copy(button);
    });

    document.addEventListener("keydown", (event) => {
        const tab = event.target.closest("[data-tabs] [role=tab]");
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!tab || !step) return;
        const tabs = [...tab.parentElement.querySelectorAll("[role=tab]")];
        select(tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length]);
    });
})();
