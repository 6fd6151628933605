// The course of the training, and the attention of cells.
const series = data.training && Object.fromEntries(Object.entries(data.training).map(([stage, lines]) =>
  [stage, Object.fromEntries(Object.entries(lines).map(([name, packed]) => [name, unpack(packed, Float32Array)]))]));

function line(id, stage, name, title, axis, log) {
  const there = series[stage] && series[stage][name] && series[stage][name].length;
  $(id).hidden = !there;
  if (!there) return;
  draw(id, [{type: "scatter", mode: "lines", x: series[stage].step, y: series[stage][name], line: {width: 1.3, color: css("--accent")},
    hovertemplate: "step %{x}: %{y:.4g}<extra></extra>"}],
    layout(title, {xaxis: {title: {text: "step"}}, yaxis: {title: {text: axis}, type: log ? "log" : "linear"}}));
}
section("training", series, () => {
  line("loss", "train", "loss", "Masked autoencoder: loss", "loss", true);
  line("sequence-loss", "sequence", "loss", "Sequence encoder: contrastive loss", "loss", false);
  line("rate", "train", "learning_rate", "Learning rate", "learning rate", false);
  line("gradient", "train", "gradient_norm", "Norm of the gradient", "norm", true);
  line("speed", "train", "cells_per_second", "Throughput", "cells a second", false);
});

/// Grey for expression, a colour laid over it for attention: from nothing to red.
function picture(cell, {rows, columns: across, patch}) {
  const canvas = element("canvas", undefined, {width: across, height: rows, role: "img", "aria-label": `attention of cell ${cell.name}`});
  const pixels = new ImageData(across, rows);
  const values = unpack(cell.matrix, Uint8Array), weights = unpack(cell.attention, Uint8Array);
  const patches_across = across / patch[1];
  for (let i = 0; i < values.length; ++i) {
    const row = Math.floor(i / across), column = i % across;
    const weight = weights[Math.floor(row / patch[0]) * patches_across + Math.floor(column / patch[1])] / 255;
    const grey = 255 - values[i], alpha = 0.75 * weight;
    pixels.data.set([grey * (1 - alpha) + 214 * alpha, grey * (1 - alpha) + 39 * alpha, grey * (1 - alpha) + 40 * alpha, 255], 4 * i);
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  canvas.addEventListener("mousemove", event => {
    const box = canvas.getBoundingClientRect();
    const row = Math.min(rows - 1, Math.floor((event.clientY - box.top) / box.height * rows));
    const column = Math.min(across - 1, Math.floor((event.clientX - box.left) / box.width * across));
    const token = Math.floor(row / patch[0]) * patches_across + Math.floor(column / patch[1]);
    const gene = data.attention.genes[row * across + column];
    $("attention-at").textContent = `${cell.name}: ${gene || "no gene"} (row ${row + 1}, column ${column + 1}), patch attention ${digits(weights[token] / 255 * cell.most, 4)}`;
  });
  return canvas;
}
section("attention", data.attention, () => {
  const grid = $("attention-grid");
  if (grid.childElementCount) return;  // the pictures do not depend on the theme
  for (const {cluster, cells} of data.attention.clusters) {
    const row = element("div", undefined, {class: "row"});
    row.append(element("span", `cluster ${cluster}`));
    for (const cell of cells) row.append(picture(cell, data.attention));
    grid.append(row);
  }
});
