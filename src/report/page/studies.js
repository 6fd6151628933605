// Tables and drawings of comparisons and sweeps, and the configuration.
const scores = [["ari", "ARI"], ["nmi", "NMI"], ["silhouette", "silhouette"]];

section("comparison", data.comparison, () => {
  const rows = data.comparison.filter(row => typeof row.ari === "number");
  draw("comparison-bars", scores.map(([key, name], i) => ({
    type: "bar", name, x: rows.map(row => plain(row.method)), y: rows.map(row => row[key]), marker: {color: colour_of(i)},
    error_y: {type: "data", array: rows.map(row => row[key + "_sd"] || 0), thickness: 1, width: 2, color: css("--quiet")},
  })), layout("Methods, mean ± sd over seeds", {barmode: "group", yaxis: {range: [0, 1]}, height: 380, xaxis: {tickangle: -40}}));
  const cell = (row, key) => typeof row[key] === "number" ? digits(row[key]) + (row[key + "_sd"] ? ` ± ${digits(row[key + "_sd"])}` : "") : "–";
  fill_table("comparison-table", ["method", "ARI", "NMI", "silhouette", "accuracy", "clusters", "seconds", ""], data.comparison.map(row =>
    [row.method, cell(row, "ari"), cell(row, "nmi"), cell(row, "silhouette"), cell(row, "accuracy"),
      typeof row.clusters === "number" ? digits(row.clusters, 0) : "–", typeof row.seconds === "number" ? digits(row.seconds, 1) : "–", row.message || ""]));
});

/// The points that tell of one factor: in a star those that change nothing else, in a grid all.
const points_along = (factor, {design, points}) =>
  points.filter(point => design !== "star" || point.varied === "" || point.varied === factor);

section("sweep", data.sweep, () => {
  const {factors, points} = data.sweep;
  const box = $("sweep-curves");
  box.replaceChildren();
  for (const {name: factor, values} of factors) {
    const along = points_along(factor, data.sweep);
    const mean_at = (value, key) => {
      const met = along.filter(point => point.values[factor] === value && typeof point[key] === "number").map(point => point[key]);
      return met.length ? met.reduce((a, b) => a + b, 0) / met.length : null;
    };
    const plot = element("div", undefined, {class: "plot"});
    box.append(plot);
    draw(plot, scores.map(([key, name], i) => ({type: "scatter", mode: "lines+markers", name, line: {color: colour_of(i)},
      x: values.map(plain), y: values.map(value => mean_at(value, key))})),
      layout(`${plain(factor)} (mean over ${data.sweep.design === "star" ? "seeds" : "the other factors and seeds"})`, {xaxis: {type: "category"}}));
  }
  const number = (point, key, n) => typeof point[key] === "number" ? digits(point[key], n) : "–";
  fill_table("sweep-table", ["point", "seed", ...factors.map(factor => factor.name), "ARI", "NMI", "silhouette", "cells/s", ""], points.map(point =>
    [point.name, String(point.seed), ...factors.map(factor => String(point.values[factor.name])), ...scores.map(([key]) => number(point, key, 3)),
      number(point, "cells_per_second", 0), point.error || (point.status === "done" ? "" : point.status)]));
});

section("configuration", data.configuration, () => {
  $("command").textContent = data.command;
  $("config").textContent = data.configuration;
});
start();
