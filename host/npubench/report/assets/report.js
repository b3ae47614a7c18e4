"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    const numeric = head.dataset.sort === "number";
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const down = before ? before === "ascending" : numeric && column > 0;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => {
        const cell = row.cells[column];
        return numeric ? Number(cell.dataset.value) : cell.textContent.trim();
      };
      const sign = down ? -1 : 1;
      const rows = Array.from(body.rows);
      rows.sort((a, b) => {
        const x = key(a), y = key(b);
        return sign * (numeric ? x - y : x.localeCompare(y));
      });
      body.append(...rows);
    });
  });
}
let opened = [];
window.addEventListener("beforeprint", () => {
  opened = Array.from(document.querySelectorAll("details:not([open])"));
  opened.forEach((part) => { part.open = true; });
});
window.addEventListener("afterprint", () => {
  opened.forEach((part) => { part.open = false; });
});

// Traces: the wheel zooms about the pointer, dragging moves, a double click shows all.
for (const trace of document.querySelectorAll("svg.trace")) {
  const whole = trace.viewBox.baseVal.width;
  const height = trace.viewBox.baseVal.height;
  let left = 0, width = whole, drag = null;
  const show = () => {
    width = Math.min(whole, Math.max(whole / 200, width));
    left = Math.min(whole - width, Math.max(0, left));
    trace.setAttribute("viewBox", `${left} 0 ${width} ${height}`);
  };
  trace.addEventListener("wheel", (event) => {
    event.preventDefault();
    const at = event.offsetX / trace.clientWidth;
    const next = width * Math.exp(event.deltaY / 500);
    left += (width - Math.min(whole, next)) * at;
    width = next;
    show();
  }, { passive: false });
  trace.addEventListener("pointerdown", (event) => { drag = event.clientX; trace.setPointerCapture(event.pointerId); });
  trace.addEventListener("pointermove", (event) => {
    if (drag === null) return;
    left -= (event.clientX - drag) * width / trace.clientWidth;
    drag = event.clientX;
    show();
  });
  trace.addEventListener("pointerup", () => { drag = null; });
  trace.addEventListener("dblclick", () => { left = 0; width = whole; show(); });
}
