// The import page: filter by name, pick all that are shown, count the picks. Without scripts the form works as it is.
(() => {
    const form = document.querySelector("[data-pick]");
    if (!form) return;
    const rows = [...form.querySelectorAll("tr[data-name]")];
    const box = (row) => row.querySelector("[name=pick]");
    const all = form.querySelector("[data-all]");
    const count = form.querySelector("[data-count]");

    const tell = () => {
        const picked = rows.filter((row) => box(row)?.checked).length;
        count.textContent = picked ? `${picked} picked` : "picked";
        form.querySelector("[type=submit]").disabled = picked === 0;
        const open = rows.filter((row) => !row.hidden && box(row));
        all.checked = open.length > 0 && open.every((row) => box(row).checked);
    };

    form.querySelector("[data-filter]").addEventListener("input", (event) => {
        const wanted = event.target.value.trim().toLowerCase();
        for (const row of rows) row.hidden = !row.dataset.name.includes(wanted);
        tell();
    });
    form.querySelector("[data-filter]").addEventListener("keydown", (event) => {
        if (event.key === "Enter") event.preventDefault();
    });
    all.addEventListener("change", () => {
        for (const row of rows) if (!row.hidden && box(row)) box(row).checked = all.checked;
        tell();
    });
    form.addEventListener("change", tell);
    tell();
})();
