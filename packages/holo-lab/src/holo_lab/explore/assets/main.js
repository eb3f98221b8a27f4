// Connects the parts: the selection, the keys, the theme, and the state in the address.
import { element, facts, loadArrays, neighborsOf, residue, rowOf } from "./data.js";
import { Legend } from "./legend.js";
import { ResidueMap, WHOLE } from "./map.js";
import { isDark, valueText } from "./palette.js";
import { Panel } from "./panel.js";
import { listenToSearch } from "./search.js";

const $ = (id) => document.getElementById(id);
const DARK = matchMedia("(prefers-color-scheme: dark)");

class Page {
  constructor() {
    this.row = null;
    this.past = [];
    this.future = [];
    this.brushed = null;
    this.column = 0;
    this.map = new ResidueMap($("points"), $("marks"), {
      hover: (row, x, y) => this.tip(row, x, y),
      pick: (row) => this.select(row),
      brush: (rows) => this.brush(rows),
      moved: () => this.remember(),
    });
    this.legend = new Legend($("legend"), {
      filter: () => this.filter(),
      highlight: (test) => this.map.setHighlight(test),
    });
    const places = {
      welcome: $("welcome"),
      area: $("area"),
      residue: $("residue"),
      heading: $("heading"),
      stage: $("stage"),
      molecule: $("molecule"),
      stageTools: $("stage-tools"),
      neighbors: $("neighbors"),
      neighborsText: $("neighbors-text"),
      values: $("values"),
    };
    this.panel = new Panel(places, {
      go: (row) => this.select(row),
      hover: (row) => this.point(row),
      forget: () => this.select(null),
      brush: (rows) => this.brush(rows),
      mode: () => this.remember(),
    });
    this.#tools();
    listenToSearch($("search"), $("suggestions"), (row) => this.select(row));
    document.addEventListener("keydown", (event) => this.key(event));
    addEventListener("hashchange", () => this.recall());
    this.theme = null; // what was chosen, in place of what the system says
    DARK.addEventListener("change", () => this.themed());
    this.recall();
  }

  #tools() {
    const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
    $("lead").textContent =
      `${count(facts.rows, "residue")} of ${count(facts.structures.length, "structure")} · ${facts.model}`;
    facts.columns.forEach((column, number) => element("option", { text: column.title, value: number, parent: $("color") }));
    $("color").addEventListener("change", () => this.color(Number($("color").value)));
    facts.maps.forEach(({ title, detail }, number) => {
      const on = { click: () => this.choose(number) };
      element("button", { text: title, title: detail, type: "button", parent: $("maps"), on });
    });
    $("brush").addEventListener("click", () => this.brushing(!this.map.brushing));
    $("whole").addEventListener("click", () => this.map.whole());
    $("theme").addEventListener("click", () => this.otherTheme());
    $("help-button").addEventListener("click", () => $("help").showModal());
  }

  select(row) {
    if (row === this.row) {
      return;
    }
    if (this.row !== null) {
      this.past.push(this.row);
    }
    this.future = [];
    this.#show(row);
  }

  #show(row) {
    this.row = row;
    this.map.select(row);
    if (row !== null) {
      if (this.brushed) {
        this.brush(null);
      }
      this.map.reveal(row);
      const { name, type } = residue(row);
      $("said").textContent = `${type} ${name} is selected; nearest: ${neighborsOf(row)
        .slice(0, 3)
        .map((neighbor) => `${residue(neighbor.row).type} ${residue(neighbor.row).name}`)
        .join(", ")}`;
    }
    this.panel.show(row);
    this.remember();
  }

  back(from, to) {
    if (from.length) {
      if (this.row !== null) {
        to.push(this.row);
      }
      this.#show(from.pop());
    }
  }

  brush(rows) {
    this.brushed = rows;
    this.map.setBrushed(rows);
    if (rows && this.row !== null) {
      this.select(null);
    }
    this.panel.area(rows, this.column);
    if (rows) {
      $("said").textContent = `${rows.length} residues are in the area`;
    }
  }

  brushing(on) {
    this.map.brushing = on;
    $("brush").setAttribute("aria-pressed", String(on));
    $("marks").classList.toggle("brushing", on);
  }

  color(number) {
    this.column = number;
    $("color").value = number;
    this.map.setColumn(number);
    this.legend.show(number);
    if (this.brushed) {
      this.panel.area(this.brushed, number);
    }
    this.remember();
  }

  choose(number, animated = true) {
    if (number !== this.map.map) {
      this.map.setMap(number, animated);
    }
    [...$("maps").children].forEach((button, place) => button.setAttribute("aria-pressed", String(place === number)));
    this.remember();
  }

  filter() {
    this.map.setFilter(this.legend.shown());
    this.remember();
  }

  otherTheme() {
    this.theme = isDark() ? "light" : "dark";
    this.themed();
    this.remember();
  }

  themed() {
    document.documentElement.dataset.theme = this.theme ?? (DARK.matches ? "dark" : "light");
    this.map.recolor();
    this.legend.show(this.column);
    this.panel.redraw();
    if (this.row !== null) {
      this.panel.show(this.row);
    }
  }

  point(row) {
    this.map.hovered = row;
    this.map.draw();
  }

  tip(row, x, y) {
    const tip = $("tip");
    tip.hidden = row === null;
    $("marks").classList.toggle("pointing", row !== null);
    if (row === null) {
      return;
    }
    const { name, type } = residue(row);
    const column = facts.columns[this.column];
    tip.replaceChildren(element("b", { text: type }), ` ${name}`);
    if (column.key !== "residue_name") {
      element("small", { text: `${column.title}: ${valueText(this.column, row)}`, parent: tip });
    }
    const right = x + tip.offsetWidth + 24 > this.map.width;
    tip.style.left = `${right ? x - tip.offsetWidth - 14 : x + 14}px`;
    tip.style.top = `${Math.min(Math.max(y - 16, 4), this.map.height - tip.offsetHeight - 4)}px`;
  }

  key(event) {
    const typing = event.target.matches("input, select, textarea");
    if ((typing && event.key !== "Escape") || event.ctrlKey || event.metaKey || event.altKey || $("help").open) {
      return;
    }
    const inMap = document.activeElement === $("marks");
    const arrows = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
    const keys = {
      "/": () => $("search").focus(),
      "?": () => $("help").showModal(),
      b: () => this.brushing(!this.map.brushing),
      m: () => this.choose((this.map.map + 1) % facts.maps.length),
      c: () => this.color((this.column + 1) % facts.columns.length),
      d: () => this.row !== null && this.panel.nextMode(),
      w: () => this.map.whole(),
      t: () => this.otherTheme(),
      "+": () => this.map.zoomBy(1.4),
      "=": () => this.map.zoomBy(1.4),
      "-": () => this.map.zoomBy(1 / 1.4),
      Escape: () => (this.brushed ? this.brush(null) : this.select(null)),
    };
    let act = keys[event.key] ?? keys[event.key.toLowerCase()];
    if (event.key in arrows) {
      const back = { ArrowLeft: [this.past, this.future], ArrowRight: [this.future, this.past] }[event.key];
      act = inMap ? () => this.map.panBy(...arrows[event.key]) : back && (() => this.back(...back));
    } else if (/^[0-9]$/.test(event.key) && this.row !== null) {
      const neighbor = neighborsOf(this.row)[(Number(event.key) + 9) % 10];
      act = neighbor && (() => this.select(neighbor.row));
    }
    if (act) {
      event.preventDefault();
      act();
    }
  }

  // Writes the selection, coloring and zoom to the address once they have stopped changing.
  remember() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const state = new URLSearchParams();
      const { x, y, zoom } = this.map.view;
      state.set("color", facts.columns[this.column].key);
      state.set("map", facts.maps[this.map.map].key);
      if ([x, y, zoom].some((value, place) => value !== Object.values(WHOLE)[place])) {
        state.set("view", [x, y, zoom].map((value) => Number(value.toFixed(4))).join(","));
      }
      if (this.row !== null) {
        state.set("residue", residue(this.row).name);
        if (this.panel.mode) {
          state.set("density", this.panel.mode);
        }
      }
      facts.columns.forEach(({ key, names }, column) => {
        const [hidden, ends] = [this.legend.hidden[column], this.legend.ends[column]];
        if (hidden.size) {
          state.set(`hide.${key}`, JSON.stringify([...hidden].map((value) => names[value])));
        } else if (ends) {
          state.set(`only.${key}`, ends.map((end) => (Number.isFinite(end) ? Number(end.toPrecision(4)) : "")).join(","));
        }
      });
      if (this.theme) {
        state.set("theme", this.theme);
      }
      this.address = `#${state}`;
      history.replaceState(null, "", this.address);
    }, 120);
  }

  // Restores the state from the address, ignoring everything in it that is not valid here.
  recall() {
    if (this.address !== undefined && location.hash === this.address) {
      return;
    }
    const state = new URLSearchParams(location.hash.slice(1));
    const place = (list, key) => Math.max(list.findIndex((each) => each.key === state.get(key)), 0);
    this.theme = ["light", "dark"].includes(state.get("theme")) ? state.get("theme") : null;
    document.documentElement.dataset.theme = this.theme ?? (DARK.matches ? "dark" : "light");
    const view = (state.get("view") ?? "").split(",").map(Number);
    const isView = view.length === 3 && view.every(Number.isFinite) && view[2] > 0;
    this.map.view = isView ? { x: view[0], y: view[1], zoom: view[2] } : { ...WHOLE };
    this.#recallFilters(state);
    this.choose(place(facts.maps, "map"), false);
    this.color(place(facts.columns, "color"));
    this.map.setFilter(this.legend.shown());
    const row = state.has("residue") ? rowOf(state.get("residue")) : -1;
    this.#show(row < 0 ? null : row);
    const mode = Number(state.get("density"));
    if (row >= 0 && [1, 2].includes(mode)) {
      this.panel.setMode(mode);
    }
  }

  #recallFilters(state) {
    facts.columns.forEach(({ key, names }, column) => {
      this.legend.hidden[column].clear();
      this.legend.ends[column] = null;
      if (names && state.has(`hide.${key}`)) {
        try {
          const listed = JSON.parse(state.get(`hide.${key}`));
          listed.map((name) => names.indexOf(name)).forEach((value) => value < 0 || this.legend.hidden[column].add(value));
        } catch {
          // The address was edited and is invalid, so nothing is hidden.
        }
      } else if (!names && state.has(`only.${key}`)) {
        const parts = state.get(`only.${key}`).split(",");
        const ends = parts.map((part, end) => (part === "" ? [-Infinity, Infinity][end] : Number(part)));
        this.legend.ends[column] = ends.length === 2 && !ends.some(Number.isNaN) ? ends : null;
      }
    });
  }
}

loadArrays()
  .then(() => {
    window.holo = new Page(); // for who looks at it in the browser's console
    document.body.dataset.ready = "";
  })
  .catch((error) => {
    $("hint").textContent = error.message;
    throw error;
  });
