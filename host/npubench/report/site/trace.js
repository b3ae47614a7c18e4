"use strict";
// The power trace: drawn on a canvas from levels of lowest and highest current, so that any width of
// any capture costs as much as the canvas is wide. A window's charge comes from a running sum.
(() => {
  const store = window.npubenchTraces = window.npubenchTraces || {};

  const inflate = async (text) => {
    const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };
  const plane = (bytes, at, count) => {
    const out = new Uint8Array(4 * count);
    for (let byte = 0; byte < 4; byte++) {
      const from = at + byte * count;
      for (let i = 0; i < count; i++) out[4 * i + byte] = bytes[from + i];
    }
    return new Float32Array(out.buffer);
  };

  // Levels of halved length: the lowest of the lows, the highest of the highs; NaN is left out.
  const levels = (low, high) => {
    const found = [{ low, high }];
    while (found[found.length - 1].low.length > 2048) {
      const last = found[found.length - 1];
      const count = Math.ceil(last.low.length / 2);
      const l = new Float32Array(count), h = new Float32Array(count);
      for (let i = 0; i < count; i++) {
        const a = 2 * i, b = Math.min(a + 1, last.low.length - 1);
        l[i] = last.low[a] < last.low[b] || last.low[b] !== last.low[b] ? last.low[a] : last.low[b];
        h[i] = last.high[a] > last.high[b] || last.high[b] !== last.high[b] ? last.high[a] : last.high[b];
      }
      found.push({ low: l, high: h });
    }
    return found;
  };

  const unpack = async (packed) => {
    const bytes = await inflate(packed.data);
    const count = packed.bins;
    const planes = [];
    for (let at = 0; at < packed.columns; at++) planes.push(plane(bytes, at * 4 * count, count));
    const [low, high, mean] = planes.length === 1 ? [planes[0], planes[0], planes[0]] : planes;
    const sums = new Float64Array(count + 1);
    for (let i = 0; i < count; i++) sums[i + 1] = sums[i] + (mean[i] === mean[i] ? mean[i] : 0);
    return { ...packed, low, high, mean, sums, levels: levels(low, high),
      seconds: packed.samples / packed.rate_hz, bin_s: packed.per_bin / packed.rate_hz };
  };

  const PREFIX = [[1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"]];
  const si = (value, unit) => {
    if (!(Math.abs(value) > 0)) return `0 ${unit}`;
    const [factor, prefix] = PREFIX.find(([size]) => Math.abs(value) >= size * 0.9995) || PREFIX[3];
    return `${Number((value / factor).toPrecision(4))}\u00a0${prefix}${unit}`;
  };
  const step = (span, count) => {
    const raw = span / count, power = 10 ** Math.floor(Math.log10(raw));
    return power * ([1, 2, 5].find((item) => item * power >= raw) || 10);
  };
  const LEFT = 58, BOTTOM = 26, TOP = 8, RIGHT = 10;
  const COLOURS = { init_warm: "--c7", load: "--c2", infer: "--c1", unload: "--c3", post: "--c4", idle: "--c5" };

  class Trace {
    constructor(figure, data) {
      this.figure = figure;
      this.data = data;
      this.view = [0, data.seconds];
      this.window = null;
      this.cursor = null;
      this.plot = figure.querySelector(".plot");
      this.out = figure.querySelector(".reading");
      this.canvas = document.createElement("canvas");
      this.canvas.tabIndex = 0;
      this.canvas.setAttribute("role", "img");
      this.canvas.setAttribute("aria-label", `${figure.querySelector(".title").textContent}: drag to `
        + "read a window; arrows move, plus and minus zoom, page keys step through the stages");
      this.plot.replaceChildren(this.canvas);
      figure.querySelector(".menu").hidden = false;
      this.listen();
      new ResizeObserver(() => this.later()).observe(this.plot);
      for (const query of ["(prefers-color-scheme: dark)", "print"]) {
        matchMedia(query).addEventListener("change", () => this.draw());
      }
      this.draw();
      figure.dataset.drawn = "1";
    }

    // From seconds to the canvas and back.
    x(seconds) { return LEFT + (seconds - this.view[0]) / (this.view[1] - this.view[0]) * this.wide; }
    at(x) { return this.view[0] + (x - LEFT) / this.wide * (this.view[1] - this.view[0]); }
    later() {
      if (this.waiting) return;
      this.waiting = requestAnimationFrame(() => { this.waiting = 0; this.draw(); });
    }

    look(begin, end) {
      const least = Math.max(this.data.bin_s * 4, this.data.seconds * 1e-7);
      const span = Math.min(this.data.seconds, Math.max(least, end - begin));
      const from = Math.min(this.data.seconds - span, Math.max(0, begin));
      this.view = [from, from + span];
      this.later();
    }
    zoom(factor, about = (this.view[0] + this.view[1]) / 2) {
      this.look(about - (about - this.view[0]) * factor, about + (this.view[1] - about) * factor);
    }

    // What a window of time holds; it is cut at bins.
    reading(begin, end) {
      const { data } = this;
      const first = Math.max(0, Math.min(data.bins - 1, Math.floor(begin / data.bin_s)));
      const stop = Math.max(first + 1, Math.min(data.bins, Math.ceil(end / data.bin_s)));
      let low = Infinity, high = -Infinity, have = 0;
      for (let i = first; i < stop; i++) {
        if (data.low[i] === data.low[i]) {
          have++;
          if (data.low[i] < low) low = data.low[i];
          if (data.high[i] > high) high = data.high[i];
        }
      }
      const seconds = Math.min(stop * data.bin_s, data.seconds) - first * data.bin_s;
      const sum = data.sums[stop] - data.sums[first];
      const mean_ua = have ? sum / have : NaN;
      const charge_uc = sum * data.bin_s;
      const energy_uj = data.voltage_mv ? charge_uc * data.voltage_mv / 1000 : null;
      return { begin: first * data.bin_s, end: first * data.bin_s + seconds, seconds, charge_uc,
        energy_uj, mean_ua, peak_ua: high, low_ua: low, bins: stop - first };
    }
    tell() {
      if (!this.window) return;
      const read = this.reading(...this.window);
      this.figure.dataset.reading = JSON.stringify(read);
      const energy = read.energy_uj === null ? "no energy: the supply's voltage is not known"
        : `energy ${si(read.energy_uj / 1e6, "J")} at ${this.data.voltage_mv / 1000} V`;
      this.out.textContent = `${this.named ? `${this.named}: ` : ""}${si(read.begin, "s")} to ${si(read.end, "s")}, `
        + `${si(read.seconds, "s")} long: charge ${si(read.charge_uc / 1e6, "C")}, ${energy}, mean `
        + `${si(read.mean_ua / 1e6, "A")}, peak ${si(read.peak_ua / 1e6, "A")}`;
    }
    select(begin, end, named = "") {
      this.window = [Math.max(0, Math.min(begin, end)), Math.min(this.data.seconds, Math.max(begin, end))];
      this.named = named;
      this.tell();
      this.later();
    }

    draw() {
      const ratio = window.devicePixelRatio || 1;
      const width = this.plot.clientWidth, height = this.plot.clientHeight;
      if (!width || !height) return;
      this.canvas.width = width * ratio;
      this.canvas.height = height * ratio;
      this.wide = width - LEFT - RIGHT;
      const tall = height - TOP - BOTTOM;
      const paint = this.canvas.getContext("2d");
      paint.scale(ratio, ratio);
      const style = getComputedStyle(document.documentElement);
      const colour = (name) => style.getPropertyValue(name).trim();
      paint.clearRect(0, 0, width, height);
      paint.font = `12px ${getComputedStyle(document.body).fontFamily}`;

      // The level in which a pixel has a bin or two.
      const { data } = this;
      const begin = this.view[0] / data.bin_s, end = this.view[1] / data.bin_s;
      const each = (end - begin) / this.wide;
      const depth = Math.max(0, Math.min(data.levels.length - 1, Math.floor(Math.log2(Math.max(1, each)))));
      const level = data.levels[depth], scale = 2 ** depth;
      const lows = new Float32Array(this.wide + 1).fill(NaN), highs = new Float32Array(this.wide + 1).fill(NaN);
      let top = 0;
      for (let pixel = 0; pixel <= this.wide; pixel++) {
        const from = Math.floor((begin + pixel * each) / scale);
        const to = Math.max(from + 1, Math.floor((begin + (pixel + 1) * each) / scale));
        let low = Infinity, high = -Infinity;
        for (let i = Math.max(0, from); i < to && i < level.low.length; i++) {
          if (level.low[i] < low) low = level.low[i];
          if (level.high[i] > high) high = level.high[i];
        }
        if (high >= low) { lows[pixel] = low; highs[pixel] = high; if (high > top) top = high; }
      }
      top = top * 1.08 || 1;
      const y = (value) => TOP + tall * (1 - Math.max(0, value) / top);

      for (const [stage, from, to] of data.windows) {
        if (to < this.view[0] || from > this.view[1]) continue;
        const left = Math.max(LEFT, this.x(from)), right = Math.min(width - RIGHT, this.x(to));
        paint.fillStyle = colour(COLOURS[stage] || "--c5");
        paint.globalAlpha = .2;
        paint.fillRect(left, TOP, Math.max(.5, right - left), tall);
        paint.globalAlpha = 1;
        const name = stage.replace("_", " ");
        if (right - left > paint.measureText(name).width + 8) {
          paint.fillStyle = colour("--text");
          paint.textAlign = "left";
          paint.textBaseline = "top";
          paint.fillText(name, left + 4, TOP + 3);
        }
      }
      // Axes: current upwards, time to the right.
      paint.strokeStyle = colour("--line");
      paint.fillStyle = colour("--muted");
      paint.lineWidth = 1;
      const up = step(top, 4), across = step(this.view[1] - this.view[0], Math.max(2, this.wide / 110));
      paint.textAlign = "right";
      paint.textBaseline = "middle";
      for (let value = 0; value <= top; value += up) {
        paint.beginPath();
        paint.moveTo(LEFT, y(value));
        paint.lineTo(width - RIGHT, y(value));
        paint.stroke();
        paint.fillText(si(value / 1e6, "A"), LEFT - 6, y(value));
      }
      paint.textBaseline = "top";
      paint.textAlign = "center";
      for (let tick = Math.ceil(this.view[0] / across) * across; tick <= this.view[1]; tick += across) {
        const place = this.x(tick);
        paint.beginPath();
        paint.moveTo(place, TOP + tall);
        paint.lineTo(place, TOP + tall + 4);
        paint.stroke();
        const text = si(Number(tick.toPrecision(12)), "s");
        if (place > LEFT + 14 && place < width - 24) paint.fillText(text, place, TOP + tall + 7);
      }
      // The current: a stroke from lowest to highest in each pixel, joined to the one before.
      paint.strokeStyle = colour("--c1");
      paint.beginPath();
      let joined = false;
      for (let pixel = 0; pixel <= this.wide; pixel++) {
        if (highs[pixel] !== highs[pixel]) { joined = false; continue; }
        const place = LEFT + pixel + .5;
        if (joined) paint.lineTo(place, y(highs[pixel])); else paint.moveTo(place, y(highs[pixel]));
        paint.lineTo(place, Math.max(y(lows[pixel]), y(highs[pixel]) + .7));
        joined = true;
      }
      paint.stroke();
      if (this.window) {
        const left = Math.max(LEFT, this.x(this.window[0])), right = Math.min(width - RIGHT, this.x(this.window[1]));
        paint.strokeStyle = colour("--text");
        paint.fillStyle = colour("--text");
        paint.globalAlpha = .1;
        paint.fillRect(left, TOP, right - left, tall);
        paint.globalAlpha = 1;
        paint.strokeRect(left, TOP, Math.max(.5, right - left), tall);
      }
      if (this.cursor !== null) {
        const place = this.x(this.cursor);
        paint.strokeStyle = colour("--muted");
        paint.beginPath();
        paint.moveTo(place, TOP);
        paint.lineTo(place, TOP + tall);
        paint.stroke();
        const bin = Math.max(0, Math.min(data.bins - 1, Math.floor(this.cursor / data.bin_s)));
        const text = `${si(this.cursor, "s")}  ${si(data.mean[bin] / 1e6, "A")}`;
        paint.fillStyle = colour("--text");
        paint.textAlign = place > width - 160 ? "right" : "left";
        paint.textBaseline = "bottom";
        paint.fillText(text, place + (place > width - 160 ? -6 : 6), TOP + tall - 4);
      }
      this.figure.dataset.frames = String(Number(this.figure.dataset.frames || 0) + 1);
    }

    listen() {
      const { canvas } = this;
      let from = null;
      const place = (event) => Math.min(this.view[1], Math.max(this.view[0],
        this.at(event.clientX - canvas.getBoundingClientRect().left)));
      canvas.addEventListener("pointerdown", (event) => {
        from = { seconds: place(event), x: event.clientX };
        canvas.setPointerCapture(event.pointerId);
      });
      canvas.addEventListener("pointermove", (event) => {
        this.cursor = place(event);
        if (from !== null && Math.abs(event.clientX - from.x) > 2) this.select(from.seconds, this.cursor);
        this.later();
      });
      canvas.addEventListener("pointerup", (event) => {
        // A click on a stage takes its window.
        if (from !== null && Math.abs(event.clientX - from.x) <= 2) {
          const found = this.data.windows.find((item) => item[1] <= from.seconds && from.seconds <= item[2]);
          if (found) this.select(found[1], found[2], found[0].replace("_", " "));
        }
        from = null;
      });
      canvas.addEventListener("pointerleave", () => { this.cursor = null; this.later(); });
      canvas.addEventListener("wheel", (event) => {
        if (!event.ctrlKey && !event.altKey && document.activeElement !== canvas) return;
        event.preventDefault();
        this.zoom(Math.exp(event.deltaY / 400), place(event));
      }, { passive: false });
      canvas.addEventListener("dblclick", () => this.look(0, this.data.seconds));
      let stage = -1;
      canvas.addEventListener("keydown", (event) => {
        const span = this.view[1] - this.view[0];
        const act = {
          ArrowLeft: () => this.look(this.view[0] - span / 10, this.view[1] - span / 10),
          ArrowRight: () => this.look(this.view[0] + span / 10, this.view[1] + span / 10),
          "+": () => this.zoom(.5), "=": () => this.zoom(.5), "-": () => this.zoom(2),
          Home: () => this.look(0, this.data.seconds),
          PageDown: () => this.step(stage = Math.min(this.data.windows.length - 1, stage + 1)),
          PageUp: () => this.step(stage = Math.max(0, stage - 1)),
        }[event.key];
        if (!act) return;
        event.preventDefault();
        act();
      });
      this.figure.querySelector(".menu").addEventListener("click", (event) => {
        const what = event.target.dataset.do;
        if (what === "all") this.look(0, this.data.seconds);
        if (what === "in") this.zoom(.5);
        if (what === "out") this.zoom(2);
        if (what === "zoom" && this.window) {
          const margin = (this.window[1] - this.window[0]) / 10;
          this.look(this.window[0] - margin, this.window[1] + margin);
        }
        if (what === "csv") this.csv();
      });
    }
    step(at) {
      const found = this.data.windows[at];
      if (!found) return;
      this.select(found[1], found[2], found[0].replace("_", " "));
      const margin = (found[2] - found[1]) / 2;
      if (found[1] < this.view[0] || found[2] > this.view[1]) this.look(found[1] - margin, found[2] + margin);
    }

    // What is in view, a bin in a line; at most a hundred thousand of them.
    csv() {
      const { data } = this;
      const first = Math.max(0, Math.floor(this.view[0] / data.bin_s));
      const stop = Math.min(data.bins, Math.ceil(this.view[1] / data.bin_s));
      const each = Math.max(1, Math.ceil((stop - first) / 100000));
      const lines = ["begin_s,low_ua,mean_ua,high_ua"];
      for (let i = first; i < stop; i += each) {
        const to = Math.min(stop, i + each);
        let low = Infinity, high = -Infinity;
        for (let k = i; k < to; k++) { low = Math.min(low, data.low[k]); high = Math.max(high, data.high[k]); }
        const mean = (data.sums[to] - data.sums[i]) / (to - i);
        lines.push([(i * data.bin_s).toPrecision(9), low, mean, high].join(","));
      }
      const link = document.createElement("a");
      link.download = "power-trace.csv";
      link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    }
  }

  const traces = window.npubenchTraceViews = [];
  const show = async (figure) => {
    if (figure.dataset.taken) return;
    figure.dataset.taken = "1";
    const name = figure.dataset.trace;
    if (!store[name] && figure.dataset.src) {
      await new Promise((done, fail) => {
        const script = document.createElement("script");
        script.src = figure.dataset.src;
        script.onload = done;
        script.onerror = fail;
        document.body.append(script);
      });
    }
    if (store[name]) traces.push(new Trace(figure, await unpack(store[name])));
  };
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) show(entry.target);
  }, { rootMargin: "400px" });
  document.querySelectorAll("figure.trace").forEach((figure) => seen.observe(figure));
})();
