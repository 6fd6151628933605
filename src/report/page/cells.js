// Summary, and the maps of the cells coloured by a column or a gene.
section("summary", data.summary, () => {
  const cards = document.querySelector("#summary .cards");
  cards.replaceChildren();
  for (const {name, value, note} of data.summary) {
    const card = element("div", undefined, {class: "card"});
    card.append(element("b", value, value.length > 9 ? {class: "word"} : {}), element("span", note ? `${name} · ${note}` : name));
    cards.append(card);
  }
});

const maps = data.maps && {
  ...data.maps,
  umap: data.maps.umap.map(axis => unpack(axis, Uint16Array)),
  tsne: data.maps.tsne.map(axis => unpack(axis, Uint16Array)),
};
const columns = (data.columns || []).map(column => column.names
  ? {...column, codes: unpack(column.codes, Int16Array)}
  : {...column, values: unpack(column.values, Float32Array)});
const genes = new Map((data.genes || []).map(gene => [gene.name, gene]));
let chosen = {column: 0};

const gene_values = gene => Float32Array.from(unpack(gene.values, Uint8Array), v => v / 255 * gene.most);
const cell_name = i => maps.names ? maps.names[i] : `cell ${maps.cells ? unpack_cells()[i] : i}`;
const unpack_cells = () => maps.numbers = maps.numbers || unpack(maps.cells, Int32Array);
const pick = (values, rows) => Array.from(rows, i => values[i]);

const longest_beside = 18, longest_in_legend = 60;  // letters of a name
const in_legend = name => name.length > longest_in_legend ? name.slice(0, longest_in_legend) + "\u2026" : name;
/// "6 cells"; of a sample those that are drawn.
const count_text = n => data.cells < data.all_cells ? `${n} shown` : n === 1 ? "1 cell" : `${n} cells`;

function category_traces(points, column, size) {
  const rows = column.names.map(() => []), missing = [];
  column.codes.forEach((code, i) => (code < 0 ? missing : rows[code]).push(i));
  const trace = (name, members, colour) => ({
    type: "scattergl", mode: "markers", name: `${plain(in_legend(name))} (${count_text(members.length)})`,
    x: pick(points[0], members), y: pick(points[1], members),
    text: members.map(i => plain(cell_name(i))), hovertemplate: `%{text}<br>${plain(column.name)}: ${plain(name)}<extra></extra>`,
    marker: {size, color: colour, opacity: 0.8},
  });
  const traces = rows.map((members, code) => trace(column.names[code], members, colour_of(column.colours ? column.colours[code] : code)));
  if (missing.length) traces.unshift(trace("missing", missing, css("--line")));
  return traces;
}

function number_traces(points, name, values, size) {
  const order = Array.from(values.keys()).sort((a, b) => (values[a] || 0) - (values[b] || 0));  // the highest on top
  return [{
    type: "scattergl", mode: "markers", x: pick(points[0], order), y: pick(points[1], order),
    text: order.map(i => plain(cell_name(i))), customdata: order.map(i => values[i]),
    hovertemplate: `%{text}<br>${plain(name)}: %{customdata:.3g}<extra></extra>`, showlegend: false,
    marker: {size, color: order.map(i => values[i]), colorscale: heat(),
      showscale: true, colorbar: {thickness: 10, len: 0.6, title: {text: plain(name)}}},
  }];
}

function paint_maps() {
  const size = Number($("size").value);
  for (const [id, title] of [["umap", "UMAP"], ["tsne", "t-SNE"]]) {
    const gene = chosen.gene && genes.get(chosen.gene);
    const column = columns[chosen.column];
    const traces = gene ? number_traces(maps[id], gene.name, gene_values(gene), size)
      : column.names ? category_traces(maps[id], column, size)
      : number_traces(maps[id], column.name, column.values, size);
    const long = !gene && (column.names || []).some(each => each.length > longest_beside);
    const axis = {showticklabels: false, showgrid: false, zeroline: false};
    draw(id, traces, layout(`${title}: ${plain(gene ? gene.name : column.name)}`, {
      xaxis: axis, yaxis: {...axis, scaleanchor: "x"}, margin: {l: 10, r: 10, t: 40, b: 10}, hovermode: "closest",
      legend: long || innerWidth < 700 ? {orientation: "h", y: -0.02} : {itemsizing: "constant"},
    }));
  }
}

function show_gene(name) {
  const known = genes.has(name);
  $("gene").value = name;
  chosen = known ? {gene: name, column: chosen.column} : {column: chosen.column};
  $("gene-message").textContent = known || !name ? ""
    : `${name} is not in this page, which holds the top markers: masksc_report DIR --report-genes ${name} adds it.`;
  paint_maps();
}

section("maps", maps, () => paint_maps());
if (maps) {
  columns.forEach((column, i) => $("colour").append(element("option", column.name, {value: i})));
  for (const name of genes.keys()) $("genes").append(element("option", undefined, {value: name}));
  $("size").value = data.cells > 20000 ? 2 : data.cells > 5000 ? 3 : 4.5;
  $("maps-note").textContent = maps.how;
  $("colour").addEventListener("change", event => {
    chosen = {column: Number(event.target.value)};
    $("gene").value = "";
    $("gene-message").textContent = "";
    paint_maps();
  });
  $("gene").addEventListener("change", event => show_gene(event.target.value.trim()));
  $("size").addEventListener("input", paint_maps);
}
