"use strict";
// Draws the figures with Vega-Lite when they come into view. Colours are CSS variables, so that the
// scheme and print change them without drawing anew; expressions are interpreted, never compiled.
(() => {
  const library = window.npubenchCharts;
  const look = JSON.parse(document.getElementById("look").textContent);
  const SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json";
  const figures = new Map();

  const rows = (columns) => {
    const names = Object.keys(columns);
    const count = names.length ? columns[names[0]].length : 0;
    return Array.from({ length: count }, (_, at) => {
      const row = {};
      for (const name of names) if (columns[name][at] !== null) row[name] = columns[name][at];
      return row;
    });
  };
  // A step per category becomes a height: with a width that fits, Vega-Lite takes no steps.
  const tall = ({ spec, columns }) => {
    if (!spec.height || !spec.height.step) return spec.height;
    const kinds = (field) => new Set(columns[field]).size;
    const offset = spec.layer.map((layer) => layer.encoding.yOffset).find(Boolean);
    const bars = offset ? kinds(offset.field) + 0.6 : 1;
    return Math.round(spec.height.step * bars * kinds(spec.encoding.y.field));
  };
  // A narrow plot has room for half as many columns of a legend.
  const narrow = (part) => {
    if (Array.isArray(part)) return part.map(narrow);
    if (part === null || typeof part !== "object") return part;
    return Object.fromEntries(Object.entries(part).map(([name, value]) =>
      [name, name === "columns" ? Math.max(1, Math.floor(value / 2)) : narrow(value)]));
  };
  const whole = (data, width, small = false) => ({
    $schema: SCHEMA, description: data.description, width,
    autosize: { type: "fit-x", contains: "padding" },
    data: { values: rows(data.columns) }, ...(small ? narrow(data.spec) : data.spec),
    height: tall(data), config: look,
  });

  const draw = async (figure) => {
    if (figures.has(figure)) return;
    const data = JSON.parse(figure.querySelector("script").textContent);
    const plot = figure.querySelector(".plot");
    figures.set(figure, { data });
    const drawn = await library.vegaEmbed(plot, whole(data, "container", plot.clientWidth < 480), {
      ast: true, renderer: "svg", actions: false, defaultStyle: false, logLevel: 1,
      tooltip: { disableDefaultStyle: true },
    });
    figures.get(figure).view = drawn.view;
    figure.classList.add("drawn");
    figure.querySelector(".menu").hidden = false;
    plot.classList.remove("vega-embed");
    speak(figure, plot);
  };

  // Keyboard: the arrows walk through the marks, each read out with what it stands for.
  const speak = (figure, plot) => {
    const said = document.createElement("output");
    said.className = "spoken";
    said.setAttribute("aria-live", "polite");
    figure.append(said);
    plot.tabIndex = 0;
    let at = -1;
    plot.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      const marks = Array.from(plot.querySelectorAll('[role="graphics-symbol"][aria-label]'))
        .filter((mark) => !/axis|legend|title|rule mark/.test(mark.getAttribute("aria-roledescription")));
      if (!marks.length) return;
      event.preventDefault();
      plot.querySelectorAll("[data-at]").forEach((mark) => mark.removeAttribute("data-at"));
      at = (at + step + marks.length) % marks.length;
      marks[at].setAttribute("data-at", "");
      said.textContent = marks[at].getAttribute("aria-label");
      plot.title = said.textContent;
    });
    plot.addEventListener("blur", () => {
      plot.querySelectorAll("[data-at]").forEach((mark) => mark.removeAttribute("data-at"));
      plot.removeAttribute("title");
    });
  };

  // The menu: the figure as a file, with the colours as they are now.
  const save = (name, data, type) => {
    const link = document.createElement("a");
    link.download = name;
    const url = URL.createObjectURL(new Blob([data], { type }));
    link.href = url;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  };
  const csv = (columns) => {
    const quote = (value) => value === null || value === undefined ? ""
      : /[",\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value);
    const names = Object.keys(columns);
    const lines = [names.map(quote).join(",")];
    for (const row of rows(columns)) lines.push(names.map((name) => quote(row[name])).join(","));
    return lines.join("\n") + "\n";
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-save]");
    if (!button) return;
    const figure = button.closest("figure");
    const { data } = figures.get(figure);
    const kind = button.dataset.save;
    if (kind === "csv") save(`${data.name}.csv`, csv(data.columns), "text/csv");
    else save(`${data.name}.${kind}`, await exported(figure, data, kind),
      kind === "svg" ? "image/svg+xml" : "image/png");
  });

  // Exported by a second, unseen drawing, which has colours instead of their names.
  const exported = async (figure, data, kind) => {
    const style = getComputedStyle(document.documentElement);
    const spec = whole(data, 640);
    spec.title = { text: figure.querySelector(".title").textContent, anchor: "start",
      color: "var(--text)", fontSize: 14, offset: 14 };
    spec.config = { ...look, background: "var(--bg)" };
    const plain = JSON.parse(JSON.stringify(spec).replace(/var\((--[a-z0-9]+)\)/g,
      (_, name) => style.getPropertyValue(name).trim()));
    const box = document.createElement("div");
    box.hidden = true;
    document.body.append(box);
    try {
      const { view } = await library.vegaEmbed(box, plain, {
        ast: true, renderer: "svg", actions: false, defaultStyle: false, tooltip: false,
        logLevel: 1 });
      if (kind === "svg") return await view.toSVG();
      const canvas = await view.toCanvas(2);
      return await new Promise((done) => canvas.toBlob(done));
    } finally {
      box.remove();
    }
  };

  const visible = (figure) => figure.offsetParent !== null;
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) draw(entry.target);
  }, { rootMargin: "600px" });
  const all = Array.from(document.querySelectorAll("figure.chart"));
  all.forEach((figure) => seen.observe(figure));
  // What is not in view is drawn when there is time, so that a printed page is whole.
  const idle = window.requestIdleCallback || ((work) => setTimeout(work, 50));
  const rest = () => {
    const next = all.find((figure) => visible(figure) && !figures.has(figure));
    if (next) draw(next).then(() => idle(rest));
    else document.documentElement.dataset.charts = "drawn";
  };
  idle(rest);
  document.addEventListener("npubench:shown", () => {
    delete document.documentElement.dataset.charts;
    idle(rest);
  });
  window.npubenchFigures = { csv, exported, figures };
})();
