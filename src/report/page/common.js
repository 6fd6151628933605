"use strict";
// The data of the page, and what every section draws with.
const data = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);

/// Arrays travel as base64 of little-endian numbers.
function unpack(text, Type) {
  const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
  return new Type(bytes.buffer);
}

/// Plotly reads some HTML in texts: names are shown as they are.
const plain = text => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  if (text !== undefined && text !== null) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

const digits = (value, n = 3) => value === null || value === undefined || Number.isNaN(value) ? "–" : value.toFixed(n);

const base_colours = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf", "#bcbd22",
  "#7f7f7f", "#aec7e8", "#ffbb78", "#98df8a", "#ff9896", "#c5b0d5", "#c49c94", "#f7b6d2", "#9edae5", "#dbdb8d", "#393b79"];
const colour_of = i => i < base_colours.length ? base_colours[i] : `hsl(${(i * 137.5) % 360} 55% 50%)`;

/// From hardly anything to much, on either paper.
const heat = () => dark() ? [[0, "#2b333c"], [0.5, "#d9702f"], [1, "#ffe58f"]] : [[0, "#e1e5ea"], [0.5, "#e5604f"], [1, "#67000d"]];

const dark = () => document.documentElement.dataset.theme === "dark";
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function layout(title, more = {}) {
  const axis = {gridcolor: css("--line"), zerolinecolor: css("--line"), linecolor: css("--line"), automargin: true};
  const {xaxis = {}, yaxis = {}, ...others} = more;
  return {
    title: {text: title, font: {size: 14}, x: 0.02, xanchor: "left"}, paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)", font: {color: css("--ink"), size: 12}, margin: {l: 50, r: 10, t: 40, b: 45},
    hoverlabel: {namelength: -1}, modebar: {bgcolor: "rgba(0,0,0,0)", color: css("--quiet"), activecolor: css("--accent")},
    ...others, xaxis: {...axis, ...xaxis}, yaxis: {...axis, ...yaxis},
  };
}

const draw = (id, traces, the_layout) => Plotly.react(typeof id === "string" ? $(id) : id, traces, the_layout,
  {responsive: true, displaylogo: false, displayModeBar: innerWidth < 700 ? false : "hover", toImageButtonOptions: {format: "svg"}});

/// Sections register how they are drawn; all are drawn again when the theme changes.
const sections = [];
const section = (id, there, paint) => sections.push({id, there: Boolean(there), paint});

function start() {
  const stored = (() => { try { return localStorage.getItem("masksc-theme"); } catch { return null; } })();
  const prefers = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  document.documentElement.dataset.theme = stored || prefers;
  $("theme").addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.setItem("masksc-theme", document.documentElement.dataset.theme); } catch { /* a private page */ }
    paint_all();
  });
  $("title").textContent = data.title;
  $("subtitle").textContent = data.subtitle;
  $("footer").textContent = data.footer;
  for (const {id, there} of sections) {
    $(id).hidden = !there;
    if (there) $("contents").append(element("a", $(id).dataset.title, {href: "#" + id}));
  }
  paint_all();
}

function paint_all() {
  for (const {there, paint} of sections) if (there) paint();
}

function fill_table(id, head, rows) {
  const table = $(id);
  table.replaceChildren(element("thead"), element("tbody"));
  const line = element("tr");
  for (const name of head) line.append(element("th", name, {scope: "col"}));
  table.tHead.append(line);
  for (const row of rows) {
    const tr = element("tr");
    for (const cell of row) {
      const td = element("td");
      td.append(cell instanceof Node ? cell : document.createTextNode(cell));
      tr.append(td);
    }
    table.tBodies[0].append(tr);
  }
}
