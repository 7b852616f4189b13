"use strict";
// Draws the figures, sorts tables by a click on a heading, and writes out configurations when they are opened.
(function () {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);

  function complain(error) {
    const box = document.createElement("p");
    box.className = "error";
    box.textContent = "This page could not be drawn completely: " + error;
    document.body.prepend(box);
    console.error(error);
  }

  // What is absent goes last in both directions; equal values keep their order.
  function sortBy(table, column, ascending) {
    const body = table.tBodies[0];
    const key = (row) => {
      const text = row.cells[column].dataset.value;
      return text === "" ? null : isNaN(Number(text)) ? text : Number(text);
    };
    const compare = (a, b) => (typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1);
    const rows = [...body.rows].map((row) => [key(row), row]);
    rows.sort(([a], [b]) => (a === null || b === null ? (a === null) - (b === null) : ascending ? compare(a, b) : compare(b, a)));
    body.append(...rows.map(([, row]) => row));
    [...table.tHead.rows[0].cells].forEach((cell, at) => {
      cell.setAttribute("aria-sort", at !== column ? "none" : ascending ? "ascending" : "descending");
    });
  }
  for (const table of document.querySelectorAll("table.sorts")) {
    [...table.tHead.rows[0].cells].forEach((cell, column) => {
      cell.querySelector("button").addEventListener("click", () => {
        sortBy(table, column, cell.getAttribute("aria-sort") !== "ascending");
      });
    });
  }

  const configs = read("configs");
  for (const details of document.querySelectorAll("details.config")) {
    details.addEventListener("toggle", () => {
      const pre = details.querySelector("pre");
      if (details.open) pre.textContent = configs.runs[details.dataset.run].map((at) => configs.lines[at]).join("\n");
    });
  }

  async function draw() {
    const figures = read("figures");
    let drawn = 0;
    for (const { name, spec } of figures) {
      try {
        await vegaEmbed("#figure-" + name + " .view", spec, {
          renderer: "svg",
          downloadFileName: name,
          actions: { export: true, source: false, compiled: false, editor: false },
        });
        drawn += 1;
      } catch (error) {
        complain(name + ": " + error);
      }
    }
    document.body.dataset.drawn = drawn;
  }
  draw().catch(complain);
})();
