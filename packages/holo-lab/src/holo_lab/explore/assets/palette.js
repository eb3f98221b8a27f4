// The colors of points: those of categories are part of the page, and numbers use viridis.
import { arrays, facts } from "./data.js";

const UNKNOWN = [154, 165, 174];
const VIRIDIS = [
  [68, 1, 84],
  [71, 45, 123],
  [59, 82, 139],
  [44, 114, 142],
  [33, 145, 140],
  [40, 174, 128],
  [94, 201, 98],
  [173, 220, 48],
  [253, 231, 37],
];
// Its darkest part is invisible on a dark page, and its brightest part on a white one.
const SPAN = { light: [0, 0.88], dark: [0.2, 1] };

export const SHOWN = 0.82;
export const DIMMED = 0.13;
export const FILTERED = 0.045;

export function isDark() {
  return document.documentElement.dataset.theme === "dark";
}

export function hexColor(hex) {
  return [1, 3, 5].map((place) => parseInt(hex.slice(place, place + 2), 16));
}

export function rampColor(share) {
  const [low, high] = SPAN[isDark() ? "dark" : "light"];
  const place = (low + Math.min(Math.max(share, 0), 1) * (high - low)) * (VIRIDIS.length - 1);
  const below = Math.min(Math.floor(place), VIRIDIS.length - 2);
  return VIRIDIS[below].map((value, part) => Math.round(value + (place - below) * (VIRIDIS[below + 1][part] - value)));
}

export function css(color) {
  return `rgb(${color.join(" ")})`;
}

// The color of a row in a column.
export function colorOf(column, row) {
  const value = arrays.get(`column.${column}`)[row];
  const { colors, low, high } = facts.columns[column];
  if (colors) {
    return hexColor(colors[value]);
  }
  return Number.isNaN(value) ? UNKNOWN : rampColor((value - low) / (high - low || 1));
}

// Four bytes per row; `alpha` holds the opacity of each row.
export function colorsOf(column, alpha) {
  const values = arrays.get(`column.${column}`);
  const { colors, low, high } = facts.columns[column];
  const table = colors ? colors.map(hexColor) : Array.from({ length: 256 }, (_, place) => rampColor(place / 255));
  const made = new Uint8Array(4 * facts.rows);
  for (let row = 0; row < facts.rows; row++) {
    const value = values[row];
    const place = colors ? value : Math.round(Math.min(Math.max((value - low) / (high - low || 1), 0), 1) * 255);
    const color = Number.isNaN(value) ? UNKNOWN : table[place];
    made[4 * row] = color[0];
    made[4 * row + 1] = color[1];
    made[4 * row + 2] = color[2];
    made[4 * row + 3] = 255 * alpha(row);
  }
  return made;
}

// A value in the form shown to the reader.
export function valueText(column, row) {
  const value = arrays.get(`column.${column}`)[row];
  const { names } = facts.columns[column];
  return names ? names[value] : numberText(value);
}

export function numberText(value) {
  if (Number.isNaN(value)) {
    return "unknown";
  }
  return Number.isInteger(value) ? String(value) : Number(value.toPrecision(3)).toString();
}
