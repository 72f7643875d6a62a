// Draws the numbers of a table as a chart. The table stays: without this file nothing is lost.
"use strict";
(() => {
  const HEIGHT = 180;
  const drawn = [];

  const day = (at) => new Date(at * 1000).toISOString().slice(5, 10);

  function read(table) {
    const names = [...table.querySelectorAll("thead th")].slice(1).map((cell) => cell.textContent);
    const rows = [...table.querySelectorAll("tbody tr")];
    const times = rows.map((row) => Date.parse(row.cells[0].textContent.trim()) / 1000);
    const values = names.map((_, column) =>
      rows.map((row) => Number(row.cells[column + 1].textContent.replace(/[^\d.-]/g, ""))));
    return { names, data: [times, ...values] };
  }

  function draw(place) {
    const table = document.getElementById(place.dataset.chart);
    if (!table || typeof uPlot === "undefined" || !place.clientWidth) return;
    const { names, data } = read(table);
    if (!data[0].length) return;
    const style = getComputedStyle(place);
    const pick = (light) => (matchMedia("(prefers-color-scheme: dark)").matches ? light[1] : light[0]);
    const strokes = [["#1d4f91", "#8fb8f2"], ["#4c5a6b", "#a9b4c2"], ["#a31621", "#ff9c9c"], ["#7a4b00", "#f3c26b"]];
    const axis = { stroke: pick(["#4c5a6b", "#a9b4c2"]), grid: { stroke: pick(["#d5dbe3", "#333b47"]) }, font: `12px ${style.fontFamily}` };
    const chart = new uPlot({
      width: place.clientWidth,
      height: HEIGHT,
      // Days of the table are days in UTC.
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "UTC"),
      legend: { live: false },
      scales: { x: { time: true }, y: { range: (_, low, high) => [0, Math.max(high, 1)] } },
      axes: [{ ...axis, incrs: [1, 2, 7, 14, 28, 84].map((days) => days * 86400), values: (_, at) => at.map(day) }, { ...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 10000, 100000] }],
      series: [{}, ...names.map((label, at) => ({ label, stroke: pick(strokes[at % strokes.length]), width: 2, dash: at ? [4 * at, 4] : [] }))],
    }, data, place);
    drawn.push([chart, place]);
  }

  for (const place of document.querySelectorAll("[data-chart]")) draw(place);
  addEventListener("resize", () => {
    for (const [chart, place] of drawn) chart.setSize({ width: place.clientWidth, height: HEIGHT });
  });
})();
