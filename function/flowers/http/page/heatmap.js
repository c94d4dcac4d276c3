"use strict";
// Draw a heat map over the photo: evidence for a species keeps its light and glows, the rest is shaded.

// Value, red, green, blue (0 to 255) and opacity of each stop. The first is also the stylesheet's shade.
const GLOW = [
  [0, [24, 14, 44, 0.52]],
  [0.35, [96, 24, 84, 0.46]],
  [0.7, [232, 94, 44, 0.36]],
  [1, [255, 206, 84, 0.34]],
];
const GRID = 8; // pixels drawn a value; the browser smooths between them

function glow(value) {
  const next = Math.max(1, GLOW.findIndex(([stop]) => stop >= value));
  const [[from, low], [to, high]] = [GLOW[next - 1], GLOW[next]];
  const share = (value - from) / (to - from);
  const [red, green, blue, alpha] = low.map((part, index) => part + (high[index] - part) * share);
  return `rgb(${red} ${green} ${blue} / ${alpha})`;
}

/** Return a map's value at a place between its own, 0 to 1 across and down. */
function valueAt({ width, height, values }, across, down) {
  const x = Math.min(Math.max(across * width - 0.5, 0), width - 1);
  const y = Math.min(Math.max(down * height - 0.5, 0), height - 1);
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const [right, bottom] = [Math.min(left + 1, width - 1), Math.min(top + 1, height - 1)];
  const row = (line) => values[line * width + left] * (1 - x + left) + values[line * width + right] * (x - left);
  return row(top) * (1 - y + top) + row(bottom) * (y - top);
}

/** Return the canvas that shows `heatmap` at its place over a photo of `image.width` × `image.height` pixels. */
function drawHeatmap(heatmap, image) {
  const canvas = document.createElement("canvas");
  canvas.className = "heat";
  canvas.width = heatmap.width * GRID;
  canvas.height = heatmap.height * GRID;
  const context = canvas.getContext("2d");
  for (let y = 0; y < canvas.height; y++) {
    for (let x = 0; x < canvas.width; x++) {
      context.fillStyle = glow(valueAt(heatmap, (x + 0.5) / canvas.width, (y + 0.5) / canvas.height));
      context.fillRect(x, y, 1, 1);
    }
  }
  const { left, top, right, bottom } = heatmap.area;
  canvas.style.left = `${(left / image.width) * 100}%`;
  canvas.style.top = `${(top / image.height) * 100}%`;
  canvas.style.width = `${((right - left) / image.width) * 100}%`;
  canvas.style.height = `${((bottom - top) / image.height) * 100}%`;
  return canvas;
}

/** Return the ninth of the photo with the strongest evidence, 0 to 8 row by row, or -1 if there is none. */
function placeOf({ width, height, values, area }, image) {
  const strongest = values.indexOf(Math.max(...values));
  if (values[strongest] === 0) return -1;
  const across = ((strongest % width) + 0.5) / width;
  const down = (Math.floor(strongest / width) + 0.5) / height;
  const third = (from, to, share, whole) => Math.min(2, Math.floor(((from + (to - from) * share) / whole) * 3));
  return 3 * third(area.top, area.bottom, down, image.height) + third(area.left, area.right, across, image.width);
}
