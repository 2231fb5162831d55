// Pages of the registry in the admin: the view of a difference, buttons that need a reason, buttons that take a while.
document.addEventListener("click", (event) => {
    const view = event.target.closest("[data-view]");
    if (view) {
        const diff = view.closest("[data-diff]");
        diff.classList.toggle("rg-unified", view.dataset.view === "unified");
        diff.querySelectorAll("[data-view]").forEach((other) => other.setAttribute("aria-pressed", String(other === view)));
        return;
    }
    const button = event.target.closest("button[data-needs]");
    if (button) {
        const field = button.form.elements[button.dataset.needs];
        if (!field.value.trim()) {
            event.preventDefault();
            field.setCustomValidity("Say why.");
            field.reportValidity();
            field.addEventListener("input", () => field.setCustomValidity(""), { once: true });
        }
    }
});
document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (button && button.dataset.busy) {
        setTimeout(() => {
            button.disabled = true;
            button.textContent = button.dataset.busy;
        });
    }
});
