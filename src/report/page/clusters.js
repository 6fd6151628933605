// Clusters against labels and batches, their silhouettes, their markers.
section("agreement", data.silhouettes || data.confusion || data.batches, () => {
  $("confusion").hidden = !data.confusion;
  $("batches").hidden = !data.batches;
  $("silhouettes").hidden = !data.silhouettes;
  $("silhouette-note").textContent = data.silhouettes ? data.silhouettes.note : "";
  if (data.confusion) paint_counts("confusion", "label", data.confusion);
  if (data.batches) paint_counts("batches", "batch", data.batches);
  if (data.silhouettes) paint_silhouettes(data.silhouettes);
});

function paint_counts(plot, kind, {labels, clusters, counts, column}) {
  const shares = counts.map(row => { const all = row.reduce((a, b) => a + b, 0); return row.map(n => all ? n / all : 0); });
  draw(plot, [{
    type: "heatmap", x: clusters.map(plain), y: labels.map(plain), z: shares, zmin: 0, zmax: shares.reduce((most, row) => row.reduce((a, b) => Math.max(a, b), most), 0), customdata: counts,
    xgap: 1, ygap: 1, colorscale: [[0, css("--panel")], [1, css("--accent")]],
    colorbar: {thickness: 10, title: {text: "share"}}, hovertemplate: `${kind} %{y}<br>cluster %{x}<br>%{customdata} cells, %{z:.0%} of the ${kind}<extra></extra>`,
  }], layout(`Where the cells of each ${kind} are (${plain(column)})`, {
    xaxis: {type: "category", title: {text: "cluster"}}, yaxis: {type: "category", autorange: "reversed"},
    height: Math.max(340, 90 + 22 * labels.length),
  }));
}

function paint_silhouettes({clusters, spaces}) {
  const colours = [css("--accent"), css("--quiet")], both = spaces.length > 1;
  const traces = spaces.flatMap(({name, values, means, mean}, s) => [
    ...values.map((packed, i) => ({
      type: "violin", y: Array.from(unpack(packed, Int8Array), v => v / 100), x0: plain(clusters[i]), points: false, spanmode: "hard",
      side: !both ? "both" : s ? "positive" : "negative", scalegroup: `${s} ${i}`, line: {color: colours[s], width: 1.2},
      meanline: {visible: true}, hoverinfo: "skip", name: `${name} (mean ${digits(mean)})`, legendgroup: name, showlegend: i === 0,
    })),
    {type: "scatter", mode: "markers", x: clusters.map(plain), y: means, legendgroup: name, showlegend: false,
      marker: {color: colours[s], size: 6}, hovertemplate: `cluster %{x}, ${name}: mean %{y:.3f}<extra></extra>`},
  ]);
  draw("silhouettes", traces, layout(both ? "Silhouettes in features and components" : `Silhouettes in ${spaces[0].name}`, {
    xaxis: {type: "category", title: {text: "cluster"}, range: [-0.5, clusters.length - 0.5]}, yaxis: {range: [-1, 1]}, violinmode: "overlay", violingap: 0.1,
    margin: {l: 50, r: 10, t: 40, b: 95}, legend: {orientation: "h", yref: "container", y: 0, yanchor: "bottom"},
    shapes: spaces.map(({mean}, s) => ({type: "line", xref: "paper", x0: 0, x1: 1, y0: mean, y1: mean,
      line: {dash: "dot", width: 1, color: colours[s]}})),
  }));
}

section("markers", data.markers, () => { paint_dots(data.dots); paint_markers(); });

function paint_dots({genes: names, clusters, mean, detected}) {
  const x = [], y = [], colour = [], size = [], text = [];
  clusters.forEach((cluster, c) => names.forEach((gene, g) => {
    x.push(plain(gene)); y.push(plain(cluster)); colour.push(mean[c][g]); size.push(2 + 12 * detected[c][g]);
    text.push(`${plain(gene)} in cluster ${plain(cluster)}<br>mean ${digits(mean[c][g])}, in ${(100 * detected[c][g]).toFixed(0)} % of the cells`);
  }));
  draw("dots", [{type: "scatter", mode: "markers", x, y, text, hovertemplate: "%{text}<extra></extra>",
    marker: {size, color: colour, colorscale: heat(), cmin: 0, line: {width: 0.5, color: css("--quiet")}, showscale: true,
      colorbar: {thickness: 10, title: {text: "mean"}}}}],
    layout("Colour: mean expression; size: share of cells", {
      xaxis: {type: "category", tickangle: -60}, yaxis: {type: "category", autorange: "reversed", title: {text: "cluster"}},
      height: 170 + 24 * clusters.length,
    }));
}

function paint_markers() {
  const list = data.markers[Number($("marker-cluster").value)];
  $("marker-none").hidden = list.length > 0;
  fill_table("marker-table", ["gene", "AUC", "log2 change", "in cluster", "elsewhere"], list.map(marker => {
    const button = element("button", marker.gene, {type: "button"});
    button.addEventListener("click", () => { show_gene(marker.gene); $("maps").scrollIntoView(); });
    return [button, digits(marker.auc), digits(marker.log2_change, 2), `${(100 * marker.inside).toFixed(0)} %`, `${(100 * marker.outside).toFixed(0)} %`];
  }));
}
if (data.markers) {
  data.dots.clusters.forEach((name, i) => $("marker-cluster").append(element("option", name, {value: i})));
  $("marker-cluster").addEventListener("change", paint_markers);
}
