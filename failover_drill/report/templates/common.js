"use strict";
const byId = (id) => document.getElementById(id);
const drawn = (async () => {

  async function unpack(id) {
    const bytes = Uint8Array.from(atob(byId(id).textContent), (each) => each.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return await new Response(stream).text();
  }

  async function draw() {
    const library = document.createElement("script");
    library.textContent = await unpack("library");
    document.head.append(library);
    const item = JSON.parse(await unpack("charts"));
    await Bokeh.embed.embed_items(item.docs, item.render_items);
    return Bokeh.documents[Bokeh.documents.length - 1];
  }

  function giveUp(why) {
    byId("no-charts").querySelector("span").textContent = why;
    for (const each of document.querySelectorAll(".tools, .cursor")) each.hidden = true;
    return null;
  }

  if (!("DecompressionStream" in window)) return giveUp("this browser cannot unpack them.");
  let charts, facts;
  try {
    facts = JSON.parse(await unpack("facts"));
    charts = await draw();
  } catch (error) {
    return giveUp(String(error));
  }
  byId("no-charts").hidden = true;
  const models = [...charts.all_models];
  const named = (name) => models.filter((each) => each.name === name);
  const plots = charts.roots();

  // --- colours follow the reader's scheme; paper is always light
  const dark = matchMedia("screen and (prefers-color-scheme: dark)");
  function paint(tokens) {
    for (const model of models) {
      const changes = {};
      for (const tag of model.tags ?? []) {
        const [kind, attribute, token] = String(tag).split(":");
        if (kind === "paint") changes[attribute] = tokens[token];
      }
      if (Object.keys(changes).length) model.setv(changes);
    }
  }
  const repaint = () => paint(dark.matches ? facts.dark : facts.light);
  dark.addEventListener("change", repaint);
  repaint();

  // --- paper gets drawings that scale, in the colours of paper
  function onPaper() {
    paint(facts.light);
    for (const view of Bokeh.index.roots) {
      // a glyph takes its new colours a turn later; paper does not wait that long
      for (const part of view.renderer_views?.values() ?? []) part.set_visuals?.();
      const place = byId(`chart-${view.model.name}`);
      const { width, height } = view.bbox;
      const image = new Image();
      const svg = view.export("svg").ctx.get_serialized_svg(true);
      image.src = "data:image/svg+xml," + encodeURIComponent(svg.replace("<svg ", `<svg viewBox="0 0 ${width} ${height}" `));
      image.className = "print";
      image.alt = "";
      place.append(image);
      place.classList.add("printing");
    }
  }
  function onScreen() {
    for (const each of document.querySelectorAll(".print")) each.remove();
    for (const each of document.querySelectorAll(".printing")) each.classList.remove("printing");
    repaint();
  }
  addEventListener("beforeprint", onPaper);
  addEventListener("afterprint", onScreen);

  return { facts, models, named, plots };
})();
