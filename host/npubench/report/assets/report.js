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

// Traces: the wheel zooms about the pointer, dragging moves, a double click shows all. Each view is
// drawn anew from the fine envelope, lowest to highest current per pixel.
for (const trace of document.querySelectorAll("svg.trace")) {
  const whole = trace.viewBox.baseVal.width;
  const height = trace.viewBox.baseVal.height;
  const seconds = Number(trace.dataset.seconds);
  const bytes = Uint8Array.from(atob(trace.dataset.envelope), (c) => c.charCodeAt(0));
  const fine = new Uint16Array(bytes.buffer);
  const line = trace.querySelector("path");
  const range = trace.parentNode.querySelector(".trace-range");
  let left = 0, width = whole, drag = null;
  const y = (value) => (height * (1 - value / 65534)).toFixed(1);
  const draw = () => {
    const pixels = Math.max(1, Math.min(trace.clientWidth || 1000, Math.ceil(width)));
    let path = "", joined = false;
    for (let pixel = 0; pixel < pixels; pixel++) {
      const from = Math.floor(left + pixel * width / pixels);
      const to = Math.max(from + 1, Math.floor(left + (pixel + 1) * width / pixels));
      let low = 65535, high = -1;
      for (let at = from; at < to && at < whole; at++) {
        if (fine[2 * at] === 65535) continue;
        low = Math.min(low, fine[2 * at]);
        high = Math.max(high, fine[2 * at + 1]);
      }
      if (high < 0) { joined = false; continue; }
      const x = (left + (pixel + 0.5) * width / pixels).toFixed(2);
      path += `${joined ? "L" : "M"}${x},${y(high)}V${y(low)}`;
      joined = true;
    }
    line.setAttribute("d", path);
  };
  const show = () => {
    width = Math.min(whole, Math.max(whole / 500, width));
    left = Math.min(whole - width, Math.max(0, left));
    trace.setAttribute("viewBox", `${left} 0 ${width} ${height}`);
    const begin = left / whole * seconds, end = (left + width) / whole * seconds;
    const places = Math.max(0, Math.ceil(2 - Math.log10(end - begin)));
    range.textContent = `${begin.toFixed(places)} to ${end.toFixed(places)} s`;
    draw();
  };
  trace.addEventListener("wheel", (event) => {
    event.preventDefault();
    const at = event.offsetX / trace.clientWidth;
    const next = width * Math.exp(event.deltaY / 500);
    left += (width - Math.min(whole, next)) * at;
    width = next;
    show();
  }, { passive: false });
  trace.addEventListener("pointerdown", (event) => {
    drag = event.clientX;
    trace.setPointerCapture(event.pointerId);
  });
  trace.addEventListener("pointermove", (event) => {
    if (drag === null) return;
    left -= (event.clientX - drag) * width / trace.clientWidth;
    drag = event.clientX;
    show();
  });
  trace.addEventListener("pointerup", () => { drag = null; });
  trace.addEventListener("dblclick", () => { left = 0; width = whole; show(); });
}
