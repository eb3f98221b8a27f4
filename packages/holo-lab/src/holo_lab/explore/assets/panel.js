// The panel for the selected residue, for a selected area, and before anything is selected.
import { arrays, element, facts, neighborsOf, residue } from "./data.js";
import { colorOf, css, hexColor, rampColor, valueText } from "./palette.js";
import { drawSketch } from "./sketch.js";
import { MODES, Viewer, densityPlace } from "./viewer.js";

const UPRIGHT = [0, 0, 0, 1];
const MOST_LISTED = 60;
const MOST_CLASSES = 8;

export class Panel {
  // `listener` has go(row), hover(row), forget() and mode().
  constructor(places, listener) {
    this.places = places;
    this.listener = listener;
    this.row = null;
    this.turn = UPRIGHT;
    this.sketches = [];
    this.#welcome();
    places.stage.hidden = !facts.atoms;
  }

  get mode() {
    return this.viewer?.mode ?? 0;
  }

  show(row) {
    const { welcome, residue: place, area } = this.places;
    this.row = row;
    welcome.hidden = row !== null || !area.hidden;
    place.hidden = row === null;
    if (row === null) {
      return;
    }
    this.#head();
    this.#values();
    this.#neighbors();
    if (facts.atoms) {
      this.#stage();
    }
  }

  setMode(mode) {
    if (densityPlace(this.row) >= 0) {
      this.viewer?.setMode(mode);
      this.#tools();
      this.listener.mode();
    }
  }

  nextMode() {
    this.setMode((this.mode + 1) % MODES.length);
  }

  redraw() {
    this.viewer?.redraw();
    this.#drawSketches();
  }

  #head() {
    const { structure, chain, number, type } = residue(this.row);
    const { heading } = this.places;
    heading.replaceChildren();
    const words = element("div", { parent: heading });
    element("h2", { text: `${type} ${number}`, parent: words });
    element("p", { class: "soft", text: `${structure}, chain ${chain}`, parent: words });
    element("button", {
      text: "Close",
      type: "button",
      parent: heading,
      on: { click: () => this.listener.forget() },
    });
  }

  #values() {
    const { values } = this.places;
    values.replaceChildren();
    facts.columns.forEach((column, number) => {
      if (["structure", "chain", "residue_name", "residue_number"].includes(column.key)) {
        return;
      }
      const pair = element("div", { parent: values });
      element("dt", { text: column.title, parent: pair });
      const text = element("dd", { parent: pair });
      element("i", { class: "swatch", parent: text }).style.background = css(colorOf(number, this.row));
      text.append(valueText(number, this.row));
    });
  }

  #stage() {
    const { molecule } = this.places;
    if (!this.viewer && !this.broken) {
      try {
        this.viewer = new Viewer(molecule, (turn) => this.#turned(turn));
      } catch (error) {
        this.broken = true;
        molecule.textContent = error.message;
      }
    }
    const { name, type } = residue(this.row);
    molecule.setAttribute("role", "img");
    molecule.setAttribute("aria-label", `The surroundings of ${type} ${name} in 3D`);
    this.viewer?.show(this.row);
    this.#tools();
  }

  #tools() {
    const { stageTools } = this.places;
    stageTools.replaceChildren();
    if (!this.viewer) {
      return;
    }
    if (densityPlace(this.row) >= 0) {
      const group = element("div", { class: "choice", role: "group", "aria-label": "What is drawn", parent: stageTools });
      MODES.forEach((name, mode) => {
        element("button", {
          text: name,
          type: "button",
          "aria-pressed": String(mode === this.mode),
          parent: group,
          on: { click: () => this.setMode(mode) },
        });
      });
    }
    element("button", {
      text: "In its frame",
      type: "button",
      title: "Rotate it back to its frame",
      parent: stageTools,
      on: { click: () => this.viewer.home() },
    });
  }

  #turned(turn) {
    this.turn = turn;
    if (!this.waiting) {
      this.waiting = true;
      requestAnimationFrame(() => {
        this.waiting = false;
        this.#drawSketches();
      });
    }
  }

  #drawSketches() {
    this.sketches.forEach(({ canvas, row }) => drawSketch(canvas, row, this.turn));
  }

  #neighbors() {
    const { neighbors, neighborsText } = this.places;
    const found = neighborsOf(this.row);
    const others = facts.structures.length > 1 ? "Of other structures" : "Of the structure";
    const turned = facts.atoms ? ", each in its own frame" : "";
    neighborsText.textContent = `${others}${turned}. Below each, its chain and the distance in z: 1 is that of two random residues.`;
    neighbors.replaceChildren();
    const own = residue(this.row).type;
    this.sketches = [];
    found.forEach(({ row, distance }) => {
      const { name, structure, chain, number, type } = residue(row);
      const button = element("button", { type: "button", class: "neighbor", title: name, parent: neighbors });
      if (facts.atoms) {
        this.sketches.push({ row, canvas: element("canvas", { parent: button, "aria-hidden": "true" }) });
      }
      element("b", { text: `${type} ${number}`, class: type === own ? "" : "other", parent: button });
      element("small", { text: structure, parent: button });
      element("small", { text: `${chain} · ${distance.toFixed(2)}`, parent: button });
      button.addEventListener("click", () => this.listener.go(row));
      const compare = (to) => {
        this.viewer?.compare(to);
        this.listener.hover(to);
      };
      button.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && compare(row));
      button.addEventListener("pointerleave", () => compare(null));
      button.addEventListener("focus", () => button.matches(":focus-visible") && compare(row));
      button.addEventListener("blur", () => compare(null));
    });
    this.#drawSketches();
  }

  #welcome() {
    const { welcome } = this.places;
    welcome.replaceChildren();
    element("h2", { text: "Pick a residue", parent: welcome });
    element("p", {
      text: `Each point is a residue, and those with similar surroundings are near one another. Click on one to see ${
        facts.atoms ? "what lies around it in 3D, and " : ""
      }its nearest neighbors.`,
      parent: welcome,
    });
    const keys = element("p", { class: "soft", parent: welcome });
    keys.append("Drag to move, scroll to zoom, hold ", element("kbd", { text: "Shift" }), " and drag to select an area. ");
    keys.append("All keys: ", element("kbd", { text: "?" }));
    if (facts.note) {
      element("p", { class: "note", text: facts.note, parent: welcome });
    }
    if (facts.densities) {
      element("h2", { text: "Densities", parent: welcome });
      element("p", { class: "soft", text: "The page has true and reconstructed densities of these residues.", parent: welcome });
      this.#list(facts.densities.rows, welcome);
    }
  }

  #list(rows, parent) {
    const list = element("ul", { class: "residues", parent });
    rows.slice(0, MOST_LISTED).forEach((row) => {
      const { name, type } = residue(row);
      const button = element("button", { type: "button", parent: element("li", { parent: list }) });
      element("b", { text: type, parent: button });
      button.append(` ${name}`);
      button.addEventListener("click", () => this.listener.go(row));
      button.addEventListener("pointerenter", () => this.listener.hover(row));
      button.addEventListener("pointerleave", () => this.listener.hover(null));
    });
    if (rows.length > MOST_LISTED) {
      element("li", { class: "soft", text: `and ${(rows.length - MOST_LISTED).toLocaleString("en")} more`, parent: list });
    }
  }

  // Compares the residues in an area of the map with all residues; null for no area.
  area(rows, column) {
    const { area, welcome } = this.places;
    area.hidden = !rows;
    welcome.hidden = Boolean(rows) || this.row !== null;
    area.replaceChildren();
    if (!rows) {
      return;
    }
    const head = element("div", { class: "area-head", parent: area });
    element("h2", { text: `${rows.length.toLocaleString("en")} residues in the area`, parent: head });
    element("button", { text: "Close", type: "button", parent: head, on: { click: () => this.listener.brush(null) } });
    if (rows.length) {
      this.#shares(rows, column);
      this.#list(rows, area);
    }
  }

  #shares(rows, column) {
    const { area } = this.places;
    const { title, names, colors, low, high } = facts.columns[column];
    const values = arrays.get(`column.${column}`);
    element("p", { class: "soft", text: `By ${title}; the line marks the share among all residues.`, parent: area });
    const classes = names ? names.length : 6;
    const place = (value) =>
      names ? value : Math.min(Math.max(Math.floor(((value - low) / (high - low)) * classes), 0), classes - 1);
    const [here, all] = [new Uint32Array(classes), new Uint32Array(classes)];
    rows.forEach((row) => here[place(values[row])]++);
    values.forEach((value) => all[place(value)]++);
    const order = Array.from(here.keys());
    if (names) {
      order.sort((one, other) => here[other] - here[one]);
    }
    const chart = element("div", { class: "shares", parent: area });
    for (const value of order.filter((each) => here[each] || !names).slice(0, MOST_CLASSES)) {
      const edge = (step) => Number((low + (step / classes) * (high - low)).toPrecision(2));
      element("span", { text: names ? names[value] : `${edge(value)} to ${edge(value + 1)}`, parent: chart });
      const bar = element("div", { parent: chart });
      const fill = element("i", { parent: bar });
      fill.style.width = `${(100 * here[value]) / rows.length}%`;
      fill.style.background = css(names ? hexColor(colors[value]) : rampColor((value + 0.5) / classes));
      element("b", { parent: bar }).style.left = `${(100 * all[value]) / facts.rows}%`;
      element("small", { text: `${Math.round((100 * here[value]) / rows.length)} %`, parent: chart });
    }
  }
}
