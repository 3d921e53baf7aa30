"use strict";
drawn.then((page) => {
  if (page === null) return;
  const { facts, named, plots } = page;

  // --- a finger scrolls the page; it must not be caught by a chart
  if (matchMedia("(pointer: coarse)").matches) for (const plot of plots) plot.toolbar.active_drag = null;

  const [time] = named("time");
  if (!time) {
    for (const each of document.querySelectorAll(".tools, .cursor")) each.hidden = true;
    document.documentElement.dataset.charts = "drawn";
    return;
  }
  const whole = [time.start, time.end];
  const zoomable = plots.filter((plot) => plot.x_range === time);

  // --- texts inside strips show as much as fits, from the visible begin of their span
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = "12px system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";
  function shortened(text, room) {
    if (pen.measureText(text).width <= room) return text;
    const first = text.split(" ")[0];
    if (pen.measureText(first).width > room) return "";
    let fits = first;
    for (let length = first.length + 1; length < text.length; length++) {
      const tried = text.slice(0, length).trimEnd() + "…";
      if (pen.measureText(tried).width > room) break;
      fits = tried;
    }
    return fits;
  }
  function place({ left, right, full, beside }, i, scale) {
    const begin = Math.max(left[i], time.start), end = Math.min(right[i], time.end);
    if (end < begin) return { x: begin, text: "", align: "left", offset: 0 };
    const inside = { x: begin, text: shortened(full[i], (end - begin) * scale - 8), align: "left", offset: 5 };
    if (!beside[i] || inside.text === full[i]) return inside;
    const before = (begin - time.start) * scale - 8, after = (time.end - end) * scale - 8;
    if (after >= Math.min(before, pen.measureText(full[i]).width))
      return { x: end, text: shortened(full[i], after), align: "left", offset: 6 };
    return { x: begin, text: shortened(full[i], before), align: "right", offset: -6 };
  }
  function fit(plot) {
    plot.below[0].ticker.desired_num_ticks = Math.max(2, Math.min(8, Math.floor(plot.inner_width / 90)));
    const scale = plot.inner_width / (time.end - time.start);
    for (const renderer of plot.renderers) {
      const source = renderer.data_source;
      if (source.name === "row names") source.data = { ...source.data, x: [...source.data.x].map(() => time.start) };
      if (source.name !== "labels") continue;
      const placed = [...source.data.full].map((_, i) => place(source.data, i, scale));
      const column = (name) => placed.map((each) => each[name]);
      source.data = { ...source.data, x: column("x"), text: column("text"), align: column("align"), offset: column("offset") };
    }
  }
  let waiting = 0;
  function refit() {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => zoomable.forEach(fit));
  }
  time.change.connect(refit);
  for (const plot of zoomable) plot.properties.inner_width.change.connect(refit);
  refit();

  // --- zoom, for keys and fingers
  function show(start, end) {
    const length = Math.min(end - start, whole[1] - whole[0]);
    const from = Math.min(Math.max(start, whole[0]), whole[1] - length);
    time.setv({ start: from, end: from + length });
  }
  const zooms = {
    in: (s, e) => show(s + (e - s) / 4, e - (e - s) / 4),
    out: (s, e) => show(s - (e - s) / 2, e + (e - s) / 2),
    left: (s, e) => show(s - (e - s) / 3, e - (e - s) / 3),
    right: (s, e) => show(s + (e - s) / 3, e + (e - s) / 3),
    all: () => show(...whole),
    recovery: () => {
      const began = facts.recovery.began * 1e3;
      const ended = facts.recovery.ended === null ? whole[1] : facts.recovery.ended * 1e3;
      show(began - (ended - began) * 0.08, ended + (ended - began) * 0.08);
    },
  };
  for (const button of document.querySelectorAll("button[data-zoom]"))
    button.addEventListener("click", () => zooms[button.dataset.zoom](time.start, time.end));
  for (const plot of zoomable) byId(`chart-${plot.name}`).addEventListener("dblclick", zooms.all);

  // --- the cursor: one line through all panels, one readout; moved by mouse, finger or keys
  const [line] = named("cursor");
  const slider = byId("cursor"), readout = byId("readout");
  const clock = (ms) => new Date(ms).toISOString().slice(11, 23);
  const held = (spans, s) => spans.find((each) => each.began !== null && each.began <= s && s < (each.ended ?? Infinity));
  const percent = (value) => `${+(value * 100).toFixed(value > 0.99 ? 3 : 1)} %`;
  function bucket(name, ms) {
    const source = named(name).find((each) => each.data);
    if (!source) return null;
    const { t, ...columns } = source.data;
    const index = [...t].findLastIndex((each) => each <= ms);
    if (index < 0 || index >= t.length - 1) return null;
    return Object.fromEntries(Object.entries(columns).map(([key, values]) => [key, values[index]]));
  }
  function readings(ms) {
    const s = ms / 1e3, found = [["", `${clock(ms)} UTC`]];
    if (facts.recovery.began !== null) {
      const since = s - facts.recovery.began;
      found.push(["since the first disruptive act", `${since < 0 ? "−" : "+"}${Math.abs(since).toFixed(2)} s`]);
    }
    const step = held(facts.steps, s);
    if (step) found.push(["step", `${step.index + 1} ${step.text}`]);
    for (const [name, value] of Object.entries(bucket("availability", ms) ?? {}))
      if (!Number.isNaN(value)) found.push([name === "judged" ? "answered well" : name, percent(value)]);
    const answers = bucket("answers", ms) ?? {};
    for (const key of Object.keys(answers).filter((each) => each.endsWith(" to"))) {
      const name = key.slice(0, -3), rate = answers[key] - answers[`${name} from`];
      if (rate > 0) found.push([name === "bad" ? "went wrong" : name, `${+rate.toFixed(1)}/s`]);
    }
    for (const [name, value] of Object.entries(bucket("latency", ms) ?? {}))
      if (!Number.isNaN(value)) found.push([name.slice(0, 3), `${+value.toFixed(1)} ms`]);
    for (const strip of facts.dns) {
      const answer = held(strip.spans, s);
      if (answer) found.push([`DNS ${strip.vantage}`, `${answer.region} ${answer.answer}`]);
    }
    for (const strip of facts.monitor) {
      const state = held(strip.spans, s);
      if (state) found.push([`monitor ${strip.subject}`, state.health]);
    }
    return found;
  }
  function read(ms) {
    const found = readings(ms);
    readout.replaceChildren(...found.map(([name, value]) => {
      const part = document.createElement("span"), label = document.createElement("i");
      label.textContent = name && `${name} `;
      part.append(label, value);
      return part;
    }));
    slider.setAttribute("aria-valuetext", found.map((each) => each.join(" ").trim()).join(", "));
  }
  let moving = false;
  line.properties.location.change.connect(() => {
    if (moving || line.location === null) return;
    slider.value = Math.round(((line.location - whole[0]) / (whole[1] - whole[0])) * 1000);
    read(line.location);
  });
  slider.addEventListener("input", () => {
    moving = true;
    const ms = whole[0] + ((whole[1] - whole[0]) * slider.value) / 1000;
    line.setv({ location: ms, visible: true });
    if (ms < time.start || ms > time.end) show(ms - (time.end - time.start) / 2, ms + (time.end - time.start) / 2);
    read(ms);
    moving = false;
  });

  document.documentElement.dataset.charts = "drawn";
});
