// Tables and drawings of comparisons and sweeps, and the configuration.
const scores = [["ari", "ARI"], ["nmi", "NMI"], ["silhouette", "silhouette"], ["silhouette_pca", "silhouette (PCA)"]];
const compared_columns = [["ari", "ARI", 3], ["nmi", "NMI", 3], ["accuracy", "accuracy", 3], ["silhouette", "silhouette", 3],
  ["silhouette_pca", "silhouette (PCA)", 3], ["clusters", "clusters", 1], ["ari_auto", "ARI auto", 3], ["nmi_auto", "NMI auto", 3],
  ["silhouette_auto", "silhouette auto", 3], ["silhouette_pca_auto", "silhouette (PCA) auto", 3], ["clusters_auto", "clusters auto", 1],
  ["seconds", "seconds", 1], ["peak_memory_bytes", "peak memory, MiB", 0]];

/// Says what the table leaves unsaid, or nothing.
function note(id, text) {
  $(id).textContent = text || "";
  $(id).hidden = !text;
}

section("comparison", data.comparison, () => {
  note("comparison-note", data.comparison_note);
  const is_there = key => data.comparison.some(row => typeof row[key] === "number");
  const suffix = is_there("silhouette") ? "" : "_auto";  // without a given number of clusters
  const bars = scores.map(([key, name]) => [key + suffix, name]).filter(([key]) => is_there(key));
  const rows = data.comparison.filter(row => bars.some(([key]) => typeof row[key] === "number"));
  draw("comparison-bars", bars.map(([key, name], i) => ({
    type: "bar", name, x: rows.map(row => plain(row.method)), y: rows.map(row => row[key]), marker: {color: colour_of(i)},
    error_y: {type: "data", array: rows.map(row => row[key + "_sd"] || 0), thickness: 1, width: 2, color: css("--quiet")},
  })), layout("Methods, mean ± sd over seeds", {barmode: "group", height: 380, xaxis: {tickangle: -40}}));
  const shown = compared_columns.filter(([key]) => is_there(key));
  const scale = key => key === "peak_memory_bytes" ? 1 / 1048576 : 1;
  const cell = (row, [key, , n]) => typeof row[key] !== "number" ? "–"
    : digits(row[key] * scale(key), n) + (n === 3 && row.seeds > 1 && typeof row[key + "_sd"] === "number" ? ` ± ${digits(row[key + "_sd"])}` : "");
  fill_table("comparison-table", ["method", ...shown.map(([, title]) => title), ""], data.comparison.map(row =>
    [row.method, ...shown.map(column => cell(row, column)), row.message || ""]));
});

/// The points that tell of one factor: in a star those that change nothing else, in a grid all.
const points_along = (factor, {design, points}) =>
  points.filter(point => design !== "star" || point.varied === "" || point.varied === factor);

/// Of the numbers that some points have; null without any.
const mean_of = (points, key) => {
  const met = points.map(point => point[key]).filter(value => typeof value === "number");
  return met.length ? met.reduce((a, b) => a + b, 0) / met.length : null;
};

section("sweep", data.sweep, () => {
  const {factors, points} = data.sweep;
  note("sweep-note", data.sweep.note);
  const known = scores.filter(([key]) => points.some(point => typeof point[key] === "number"));
  const box = $("sweep-curves");
  box.replaceChildren();
  for (const {name: factor, values} of factors) {
    const along = points_along(factor, data.sweep);
    const mean_at = (value, key) => mean_of(along.filter(point => point.values[factor] === value), key);
    const plot = element("div", undefined, {class: "plot"});
    box.append(plot);
    draw(plot, known.map(([key, name]) => ({type: "scatter", mode: "lines+markers", name,
      line: {color: colour_of(scores.findIndex(([other]) => other === key))},
      x: values.map(plain), y: values.map(value => mean_at(value, key))})),
      layout(`${plain(factor)} (mean over ${data.sweep.design === "star" ? "seeds" : "the other factors and seeds"})`, {xaxis: {type: "category"}, showlegend: true}));
  }
  // Without labels by the silhouette in the data: learnt features may separate whatever they were taught.
  const best = ["ari", "silhouette_pca", "silhouette"].map(key => known.find(([other]) => other === key)).find(found => found);
  if (best && factors.length === 2 && data.sweep.design === "grid") {
    const [down, across] = factors;
    const [key, title] = best;
    const z = down.values.map(a => across.values.map(b =>
      mean_of(points.filter(point => point.values[down.name] === a && point.values[across.name] === b), key)));
    const plot = element("div", undefined, {class: "plot"});
    box.prepend(plot);
    const met = z.flat().filter(value => value !== null);
    const low = Math.min(...met), high = Math.max(...met), room = high - low < 0.001 ? 0.05 : 0;  // all alike: no colours beyond 1
    draw(plot, [{type: "heatmap", x: across.values.map(plain), y: down.values.map(plain), z, colorscale: heat(), hoverongaps: false,
      zmin: Math.max(-1, low - room), zmax: Math.min(1, high + room),
      text: z.map(row => row.map(value => digits(value))), texttemplate: "%{text}"}],
      layout(`${title}, mean over seeds`, {xaxis: {type: "category", title: {text: plain(across.name)}},
        yaxis: {type: "category", title: {text: plain(down.name)}}}));
  }
  const number = (point, key, n) => typeof point[key] === "number" ? digits(point[key], n) : "–";
  fill_table("sweep-table", ["point", "seed", ...factors.map(factor => factor.name), ...known.map(([, title]) => title), "cells/s", ""], points.map(point =>
    [point.name, String(point.seed), ...factors.map(factor => String(point.values[factor.name])), ...known.map(([key]) => number(point, key, 3)),
      number(point, "cells_per_second", 0), point.error || (point.status === "done" ? "" : point.status)]));
});

section("configuration", data.configuration || data.command, () => {
  $("command").textContent = data.command;
  $("config").textContent = data.configuration || "";
  $("config").hidden = !data.configuration;
});
start();
