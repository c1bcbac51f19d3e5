"use strict";
for (const facts of document.querySelectorAll("details.facts")) {
  let shown = facts.open = false;
  addEventListener("beforeprint", () => { shown = facts.open; facts.open = true; });
  addEventListener("afterprint", () => { facts.open = shown; });
}
for (const box of document.querySelectorAll(".box")) {
  const hint = document.createElement("p");
  hint.className = "hint";
  hint.textContent = "scroll sideways →";
  hint.hidden = true;
  box.before(hint);
  // A folded table has no width until it is shown.
  new ResizeObserver(() => { hint.hidden = box.scrollWidth <= box.clientWidth + 1; }).observe(box);
}
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0], first = [...body.rows], heads = [...table.tHead.rows[0].cells];
  const number = (text) => {
    const found = /[-+−]?\d[\d,]*(\.\d+)?(e[-+]?\d+)?/.exec(text);
    return found ? parseFloat(found[0].replaceAll(",", "").replace("−", "-")) : NaN;
  };
  heads.forEach((head, column) => {
    // No <button>: Chromium does not repeat a table's head on the next printed page where one is in it.
    const button = document.createElement("span");
    button.setAttribute("role", "button");
    button.tabIndex = 0;
    button.append(...head.childNodes);
    head.append(button);
    const words = head.classList.contains("w");
    const key = (row) => (words ? row.cells[column].textContent : number(row.cells[column].textContent));
    const absent = (value) => (words ? value === "" : Number.isNaN(value));
    button.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      button.click();
    });
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      for (const other of heads) other.removeAttribute("aria-sort");
      const turn = before === null ? "ascending" : before === "ascending" ? "descending" : "";
      if (!turn) return body.append(...first);
      head.setAttribute("aria-sort", turn);
      const sign = turn === "ascending" ? 1 : -1;
      const order = (a, b) => {
        const x = key(a), y = key(b);
        if (absent(x) || absent(y)) return absent(x) - absent(y);
        return sign * (words ? x.localeCompare(y, undefined, {numeric: true}) : x - y);
      };
      return body.append(...[...first].sort(order));
    });
  });
}
