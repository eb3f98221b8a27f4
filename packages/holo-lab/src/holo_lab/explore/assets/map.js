// The map. It is drawn only when something has changed.
import { arrays, facts, neighborsOf } from "./data.js";
import { listenToPointer } from "./gestures.js";
import { Grid } from "./grid.js";
import { DIMMED, FILTERED, SHOWN, colorsOf } from "./palette.js";
import { Points } from "./points.js";

const REACH = 14; // pixels from the pointer to a point that it means
const MOST_ZOOM = 400;
const MORPH = 500; // ms
const REST = 400; // ms after the last move until all points are drawn again
const [FAST, SLOW] = [24, 40]; // ms from a frame to the next: then more or fewer points are drawn while the map moves
const FEWEST = 15_000;
const [LEGEND, TOOLS, MARGIN] = [222, 66, 28]; // pixels that the legend and the buttons take, and the map leaves
const LEGEND_BESIDE = 620; // pixels of width from which the map has room beside the legend

export const WHOLE = { x: 0, y: 0, zoom: 1 };

export class ResidueMap {
  // `listener` has hover(row, x, y), pick(row), brush(rows) and moved().
  constructor(pointsCanvas, marksCanvas, listener) {
    this.canvas = pointsCanvas;
    this.marks = marksCanvas;
    this.listener = listener;
    this.points = new Points(pointsCanvas, facts.rows);
    this.shuffled = shuffled(facts.rows);
    this.shown = new Uint8Array(facts.rows).fill(1);
    this.brushed = null;
    this.highlighted = null;
    this.column = 0;
    this.view = { ...WHOLE };
    this.selected = null;
    this.hovered = null;
    this.brushing = false;
    this.rectangle = null;
    this.share = 1;
    this.moving = false;
    this.detail = facts.rows;
    this.map = 0;
    this.at = placesOf(0);
    this.bounds = boundsOf(this.at);
    this.points.place(this.at, this.at);
    this.grid = new Grid(this.at, this.shown);
    this.recolor();
    listenToPointer(this);
    new ResizeObserver(() => this.resize()).observe(marksCanvas);
  }

  setMap(number, animated) {
    const before = this.at;
    this.map = number;
    this.at = placesOf(number);
    this.bounds = boundsOf(this.at);
    this.points.place(before, this.at);
    this.grid = new Grid(this.at, this.shown);
    const still = !animated || matchMedia("(prefers-reduced-motion: reduce)").matches;
    const began = performance.now();
    const step = (now) => {
      const time = Math.min(Math.max((now - began) / MORPH, 0), 1);
      this.share = time * time * (3 - 2 * time);
      this.draw();
      if (time < 1) {
        requestAnimationFrame(step);
      }
    };
    if (still) {
      this.share = 1;
      this.draw();
    } else {
      requestAnimationFrame(step);
    }
  }

  setColumn(number) {
    this.column = number;
    this.recolor();
  }

  // `shown` is 1 for the rows that pass the filters of the legend, else 0.
  setFilter(shown) {
    this.shown = shown;
    this.grid = new Grid(this.at, this.shown);
    this.recolor();
  }

  setHighlight(test) {
    this.highlighted = test;
    this.recolor();
  }

  setBrushed(rows) {
    this.brushed = rows && rows.length ? new Set(rows) : null;
    this.recolor();
  }

  recolor() {
    const { shown, brushed, highlighted } = this;
    const alpha = (row) => {
      if (!shown[row]) {
        return FILTERED;
      }
      return (brushed && !brushed.has(row)) || (highlighted && !highlighted(row)) ? DIMMED : SHOWN;
    };
    const colors = colorsOf(this.column, alpha);
    // Pale points are drawn below the others.
    const order = [FILTERED, DIMMED, SHOWN].flatMap((level) => {
      const wanted = Math.floor(255 * level);
      return Array.from(this.shuffled.filter((row) => colors[4 * row + 3] === wanted));
    });
    this.points.color(colors, Uint32Array.from(order));
    this.draw();
  }

  select(row) {
    this.selected = row;
    this.draw();
  }

  whole() {
    this.view = { ...WHOLE };
    this.#changed();
  }

  zoomBy(factor) {
    this.zoomAt(factor, ...this.middle);
  }

  panBy(dx, dy) {
    this.view.x -= dx / this.unit;
    this.view.y += dy / this.unit;
    this.#changed();
  }

  // Moves a row into view, unless it is visible.
  reveal(row) {
    const [x, y] = this.screen(row);
    const margin = 40;
    if (x < margin || y < margin || x > this.width - margin || y > this.height - margin) {
      this.view.x = this.at[2 * row] - this.bounds[0];
      this.view.y = this.at[2 * row + 1] - this.bounds[1];
      this.#changed();
    }
  }

  resize() {
    const ratio = Math.min(devicePixelRatio || 1, 2);
    this.width = this.marks.clientWidth;
    this.height = this.marks.clientHeight;
    for (const canvas of [this.canvas, this.marks]) {
      canvas.width = Math.round(this.width * ratio);
      canvas.height = Math.round(this.height * ratio);
    }
    this.ratio = ratio;
    this.draw();
  }

  // The area that the legend and the buttons leave free: left, top, right and bottom edge.
  get free() {
    // On a narrow page the legend is below the map.
    const wide = this.width > LEGEND_BESIDE;
    return [wide ? LEGEND + MARGIN : MARGIN, TOOLS, this.width - MARGIN, this.height - (wide ? MARGIN : 2 * MARGIN)];
  }

  get middle() {
    const [left, top, right, bottom] = this.free;
    return [(left + right) / 2, (top + bottom) / 2];
  }

  // Pixels per unit of the map; at zoom 1 all points are in the free area.
  get unit() {
    const [left, top, right, bottom] = this.free;
    const [, , width, height] = this.bounds;
    return Math.min((right - left) / width, (bottom - top) / height) * this.view.zoom;
  }

  // From the map to the screen; view.x and view.y are relative to the middle of all points.
  screen(row) {
    return this.#toScreen(this.at[2 * row], this.at[2 * row + 1]);
  }

  #toScreen(x, y) {
    const [middle, unit, bounds] = [this.middle, this.unit, this.bounds];
    return [
      (x - bounds[0] - this.view.x) * unit + middle[0],
      middle[1] - (y - bounds[1] - this.view.y) * unit,
    ];
  }

  #toMap(x, y) {
    const [middle, unit, bounds] = [this.middle, this.unit, this.bounds];
    return [
      (x - middle[0]) / unit + this.view.x + bounds[0],
      (middle[1] - y) / unit + this.view.y + bounds[1],
    ];
  }

  draw() {
    if (!this.waiting && this.width) {
      this.waiting = true;
      requestAnimationFrame((now) => this.#drawNow(now));
    }
  }

  #drawNow(now) {
    this.waiting = false;
    const { view, unit, width, height, ratio } = this;
    const [sx, sy] = [(2 * unit) / width, (2 * unit) / height];
    const [x, y] = this.#toMap(width / 2, height / 2);
    const base = Math.min(Math.max(420 / Math.sqrt(facts.rows), 2.4), 8);
    this.points.draw({
      scale: [sx, sy],
      offset: [-x * sx, -y * sy],
      share: this.share,
      size: ratio * Math.min(base * view.zoom ** 0.35, 16),
      count: this.moving ? this.detail : facts.rows,
    });
    if (this.moving) {
      requestAnimationFrame((next) => this.#adapt(next - now));
    }
    this.#drawMarks(ratio);
  }

  #drawMarks(ratio) {
    const context = this.marks.getContext("2d");
    const ink = getComputedStyle(document.documentElement).getPropertyValue("--ink");
    const paper = getComputedStyle(document.documentElement).getPropertyValue("--paper");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    context.strokeStyle = ink;
    if (this.selected !== null && this.share === 1) {
      this.#drawNeighbors(context, ink, paper);
    }
    if (this.hovered !== null) {
      ring(context, this.screen(this.hovered), 7, 1.5, ink, paper);
    }
    if (this.rectangle) {
      const [x, y, right, bottom] = this.rectangle;
      context.globalAlpha = 0.1;
      context.fillStyle = ink;
      context.fillRect(x, y, right - x, bottom - y);
      context.globalAlpha = 1;
      context.lineWidth = 1;
      context.setLineDash([5, 4]);
      context.strokeRect(x, y, right - x, bottom - y);
      context.setLineDash([]);
    }
  }

  #drawNeighbors(context, ink, paper) {
    const middle = this.screen(this.selected);
    const others = neighborsOf(this.selected).map(({ row }) => this.screen(row));
    context.lineWidth = 1;
    context.globalAlpha = 0.5;
    for (const place of others) {
      context.beginPath();
      context.moveTo(...middle);
      context.lineTo(...place);
      context.stroke();
    }
    context.globalAlpha = 1;
    for (const place of others) {
      ring(context, place, 5, 1.5, ink, paper);
    }
    ring(context, middle, 9, 2.5, ink, paper);
  }

  // Calls a function with each visible row in a rectangle of the screen.
  #within([left, top, right, bottom], call) {
    this.grid.within(this.#toMap(left, bottom), this.#toMap(right, top), call);
  }

  rowsIn(rectangle) {
    const rows = [];
    this.#within(rectangle, (row) => rows.push(row));
    return rows.sort((one, other) => one - other);
  }

  // The visible row that the pointer means, or null.
  nearest(x, y) {
    let [best, distance] = [null, REACH];
    this.#within([x - REACH, y - REACH, x + REACH, y + REACH], (row) => {
      const [a, b] = this.screen(row);
      const apart = Math.hypot(a - x, b - y);
      if (apart < distance) {
        [best, distance] = [row, apart];
      }
    });
    return best;
  }

  zoomAt(factor, x, y) {
    const zoom = Math.min(Math.max(this.view.zoom * factor, 0.5), MOST_ZOOM);
    const before = this.unit;
    this.view.zoom = zoom;
    const change = 1 / before - 1 / this.unit;
    const middle = this.middle;
    this.view.x += (x - middle[0]) * change;
    this.view.y += (middle[1] - y) * change;
    this.#changed();
  }

  // If a frame takes long, as without a graphics card, only part of the points is drawn until the map stops moving.
  #adapt(took) {
    if (took > SLOW) {
      this.detail = Math.max(Math.floor(this.detail / 2), Math.min(FEWEST, facts.rows));
    } else if (took < FAST) {
      this.detail = Math.min(2 * this.detail, facts.rows);
    }
  }

  #changed() {
    this.moving = true;
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      this.moving = false;
      this.draw();
    }, REST);
    this.draw();
    this.listener.moved();
  }

  hover(row, x, y) {
    if (row !== this.hovered) {
      this.hovered = row;
      this.draw();
    }
    this.listener.hover(row, x, y);
  }
}

function placesOf(number) {
  return Float32Array.from(arrays.get(`map.${facts.maps[number].key}`), (value) => value / 65535);
}

// The middle of all points, and their width and height.
function boundsOf(at) {
  const [low, high] = [
    [Infinity, Infinity],
    [-Infinity, -Infinity],
  ];
  at.forEach((value, place) => {
    low[place % 2] = Math.min(low[place % 2], value);
    high[place % 2] = Math.max(high[place % 2], value);
  });
  const size = [0, 1].map((part) => Math.max(high[part] - low[part], 1e-3));
  return [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, ...size];
}

// A random but reproducible order, so that no class covers all others.
function shuffled(count) {
  const order = Uint32Array.from({ length: count }, (_, row) => row);
  let state = 1;
  for (let last = count - 1; last > 0; last--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const other = Math.floor((state / 4294967296) * (last + 1));
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}

function ring(context, [x, y], radius, width, ink, paper) {
  for (const [color, more] of [
    [paper, 2.5],
    [ink, 0],
  ]) {
    context.strokeStyle = color;
    context.lineWidth = width + more;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.stroke();
  }
}
