"use strict";
// The page without its charts: tables that sort, the list of runs that filters, one file's pages,
// the two small calculators. Everything is readable where none of this runs.
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  // Tables: a column's head sorts by it; numbers by their value, the rest by their text.
  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    const heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const numeric = head.classList.contains("num");
        const before = head.getAttribute("aria-sort");
        const down = before ? before === "ascending" : numeric;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const sign = down ? -1 : 1;
        const keyed = Array.from(body.rows, (row) => {
          const cell = row.cells[column];
          const raw = cell.dataset.value;
          const number = raw === undefined || raw === "" ? NaN : Number(raw);
          return { row, number, text: cell.textContent.trim() };
        });
        const numbers = keyed.some((item) => !Number.isNaN(item.number));
        keyed.sort((a, b) => {
          if (!numbers) return sign * a.text.localeCompare(b.text);
          if (Number.isNaN(a.number) || Number.isNaN(b.number)) {
            return Number.isNaN(a.number) - Number.isNaN(b.number);
          }
          return sign * (a.number - b.number);
        });
        body.append(...keyed.map((item) => item.row));
      });
    });
  }

  // The list of runs: filters live in the address, so that what is shown can be sent as a link.
  const state = () => new URLSearchParams(location.hash.split("?")[1] || "");
  for (const form of document.querySelectorAll("form.filters")) {
    const table = document.getElementById(form.dataset.for);
    const rows = Array.from(table.tBodies[0].rows, (row) => ({
      row, text: `${row.cells[0].title} ${row.textContent}`.toLowerCase(),
      late: !row.classList.contains("earlier"),
    }));
    const fields = Array.from(form.elements).filter((field) => field.name);
    const count = form.querySelector(".count");
    const apply = () => {
      const words = (form.elements.q.value || "").toLowerCase().split(/\s+/).filter(Boolean);
      const chosen = fields.filter((field) => field.tagName === "SELECT" && field.value);
      const earlier = form.elements.earlier ? form.elements.earlier.checked : true;
      let shown = 0;
      for (const item of rows) {
        const fits = (item.late || earlier)
          && chosen.every((field) => item.row.dataset[field.name] === field.value)
          && words.every((word) => item.text.includes(word));
        item.row.hidden = !fits;
        shown += fits;
      }
      count.textContent = `${shown} of ${rows.length} runs`;
    };
    const write = () => {
      const wanted = new URLSearchParams();
      for (const field of fields) {
        const value = field.type === "checkbox" ? (field.checked ? "1" : "") : field.value;
        if (value) wanted.set(field.name, value);
      }
      const place = form.closest("section").id;
      const text = wanted.toString();
      history.replaceState(null, "", `#${place}${text ? `?${text}` : ""}`);
    };
    const read = () => {
      const wanted = state();
      for (const field of fields) {
        if (field.type === "checkbox") field.checked = wanted.get(field.name) === "1";
        else field.value = wanted.get(field.name) || "";
      }
      apply();
    };
    form.addEventListener("input", () => { apply(); write(); });
    form.addEventListener("submit", (event) => event.preventDefault());
    window.addEventListener("hashchange", read);
    read();
    if (state().size) form.scrollIntoView();
  }

  // One file: the address says which page of it is shown.
  const pages = document.body.classList.contains("single")
    ? Array.from(document.querySelectorAll(".page")) : [];
  const route = () => {
    const place = decodeURIComponent(location.hash.slice(1)).split("?")[0];
    const name = place.split(":")[0];
    const page = pages.find((item) => item.id === name) || pages[0];
    const changed = page.hidden || !page.dataset.shown;
    for (const item of pages) item.hidden = item !== page;
    page.dataset.shown = "1";
    const target = document.getElementById(place);
    if (target && target !== page) target.scrollIntoView();
    else if (changed) window.scrollTo(0, 0);
    document.dispatchEvent(new CustomEvent("npubench:shown", { detail: page }));
  };
  if (pages.length) {
    window.addEventListener("hashchange", route);
    route();
  }

  // Printing shows what is folded.
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = Array.from(document.querySelectorAll("details:not([open])"));
    opened.forEach((part) => { part.open = true; });
  });
  window.addEventListener("afterprint", () => { opened.forEach((part) => { part.open = false; }); });

  const digits = (value) => Number(value.toPrecision(3)).toLocaleString("en", {
    maximumFractionDigits: 6, useGrouping: true }).replaceAll(",", "\u202f");

  // Battery life: energy of the cell over mean power, idle between inferences.
  for (const form of document.querySelectorAll("form.battery")) {
    const targets = JSON.parse(form.dataset.targets);
    const out = form.querySelector("output");
    const tell = () => {
      const joules = Number(form.elements.cell.value);
      const rate = Number(form.elements.rate.value) / 3600;
      out.textContent = targets.map((item) => {
        if (!(rate >= 0)) return "";
        if (rate * item.duration_us > 1e6) return `${item.target}: too slow for that`;
        const days = joules * 1e6 / (item.idle_uw + rate * item.net_uj) / 86400;
        return `${item.target}: ${digits(days)} days`;
      }).join("; ");
    };
    form.addEventListener("input", tell);
    form.addEventListener("submit", (event) => event.preventDefault());
    tell();
  }

  // The scorecard's sum: a weighted geometric mean of best / own, with the reader's weights alone.
  for (const form of document.querySelectorAll("form.weigh")) {
    const groups = JSON.parse(form.dataset.groups);
    const out = form.querySelector("output");
    const nothing = out.textContent;
    const tell = () => {
      const weights = Array.from(form.querySelectorAll("input"), (field) =>
        [field.name, Math.max(0, Number(field.value) || 0)]).filter((item) => item[1] > 0);
      if (!weights.length) { out.textContent = nothing; return; }
      const all = weights.reduce((sum, item) => sum + item[1], 0);
      out.textContent = groups.map((group) => {
        const scores = group.targets.map((target) => {
          let log = 0;
          for (const [name, weight] of weights) {
            const known = group.targets.map((other) => other[name]);
            if (known.some((value) => !(value > 0))) return `${target.target}: ${name} is not known of all`;
            log += weight / all * Math.log(Math.min(...known) / target[name]);
          }
          return `${target.target} ${digits(Math.exp(log))}`;
        });
        return `${group.name}: ${scores.join(", ")}`;
      }).join("; ") + ". 1 is the best in all that was weighed.";
    };
    form.addEventListener("input", tell);
    form.addEventListener("submit", (event) => event.preventDefault());
  }
})();
