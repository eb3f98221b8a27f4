// The legend explains the colors and filters rows: names are switched on and off, and numbers are limited to a range.
import { arrays, element, facts } from "./data.js";
import { css, hexColor, numberText, rampColor } from "./palette.js";

const BINS = 48;
const STEPS = 200; // of a slider

export class Legend {
  // `listener` has filter() and highlight(test).
  constructor(place, listener) {
    this.place = place;
    this.listener = listener;
    // For each column, the names that are hidden, or the range of the numbers that are shown.
    this.hidden = facts.columns.map(() => new Set());
    this.ends = facts.columns.map(() => null);
  }

  get filtered() {
    return this.hidden.some((names) => names.size) || this.ends.some((ends) => ends);
  }

  // The rows that pass the filters of all columns.
  shown() {
    const shown = new Uint8Array(facts.rows).fill(1);
    facts.columns.forEach((_, column) => {
      const values = arrays.get(`column.${column}`);
      const [hidden, ends] = [this.hidden[column], this.ends[column]];
      if (!hidden.size && !ends) {
        return;
      }
      for (let row = 0; row < shown.length; row++) {
        const out = ends ? !(values[row] >= ends[0] && values[row] <= ends[1]) : hidden.has(values[row]);
        if (out) {
          shown[row] = 0;
        }
      }
    });
    return shown;
  }

  clear() {
    this.hidden.forEach((names) => names.clear());
    this.ends.fill(null);
    this.#changed();
  }

  show(column) {
    this.column = column;
    const { title, names } = facts.columns[column];
    this.place.replaceChildren();
    const head = element("div", { class: "legend-head", parent: this.place });
    element("h2", { text: title, parent: head });
    if (names) {
      this.#names(head);
    } else {
      this.#numbers();
    }
    if (this.filtered) {
      const count = this.shown().reduce((sum, value) => sum + value, 0);
      const foot = element("p", { class: "legend-foot soft", parent: this.place });
      foot.append(`${count.toLocaleString("en")} of ${facts.rows.toLocaleString("en")} shown `);
      element("button", { text: "Show all", type: "button", parent: foot, on: { click: () => this.clear() } });
    }
  }

  #names(head) {
    const { names, colors } = facts.columns[this.column];
    const values = arrays.get(`column.${this.column}`);
    const counts = new Uint32Array(names.length);
    values.forEach((value) => counts[value]++);
    const hidden = this.hidden[this.column];
    const none = element("button", { text: "None", type: "button", title: "Hide all, then show some", parent: head });
    none.addEventListener("click", () => {
      names.forEach((_, value) => hidden.add(value));
      this.#changed();
    });
    const list = element("ul", { parent: this.place });
    names.forEach((name, value) => {
      const item = element("li", { parent: list });
      const button = element("button", {
        type: "button",
        "aria-pressed": String(!hidden.has(value)),
        title: "Show or hide; double-click to show only this one",
        parent: item,
      });
      element("i", { class: "swatch", parent: button }).style.background = css(hexColor(colors[value]));
      element("span", { text: name, parent: button });
      element("small", { text: counts[value].toLocaleString("en"), parent: button });
      button.addEventListener("click", (event) => {
        if (event.detail > 1) {
          names.forEach((_, other) => hidden.add(other));
          hidden.delete(value);
        } else if (!hidden.delete(value)) {
          hidden.add(value);
        }
        this.#changed(value);
      });
      const highlight = (on) => this.listener.highlight(on ? (row) => values[row] === value : null);
      button.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && highlight(true));
      button.addEventListener("pointerleave", () => highlight(false));
    });
  }

  #numbers() {
    const values = arrays.get(`column.${this.column}`);
    const { low, high } = facts.columns[this.column];
    let [least, most] = [Infinity, -Infinity];
    values.forEach((value) => {
      least = Math.min(least, Number.isNaN(value) ? Infinity : value);
      most = Math.max(most, Number.isNaN(value) ? -Infinity : value);
    });
    const bins = new Uint32Array(BINS);
    const share = (value) => Math.min(Math.max((value - low) / (high - low || 1), 0), 1);
    values.forEach((value) => Number.isNaN(value) || bins[Math.min(Math.floor(share(value) * BINS), BINS - 1)]++);
    const highest = Math.max(...bins);
    const bars = element("div", { class: "bars", parent: this.place, "aria-hidden": "true" });
    bins.forEach((count, bin) => {
      const bar = element("i", { parent: bars });
      bar.style.height = `${(100 * count) / highest}%`;
      bar.style.background = css(rampColor((bin + 0.5) / BINS));
    });
    const scale = element("p", { class: "scale soft", parent: this.place });
    const said = [element("span", { parent: scale }), element("span", { parent: scale })];
    const ends = this.ends[this.column] ?? [-Infinity, Infinity];
    const sliders = ends.map((end, number) =>
      element("input", {
        type: "range",
        min: 0,
        max: STEPS,
        value: Math.round(STEPS * (Number.isFinite(end) ? share(end) : number)),
        "aria-label": number ? "Highest value shown" : "Lowest value shown",
        parent: this.place,
      }),
    );
    const read = () => {
      const [a, b] = sliders.map((slider) => Number(slider.value));
      const value = (step) => low + (step / STEPS) * (high - low);
      // The ends of a slider are the extreme values, which may lie beyond the color scale.
      return [a > 0 ? value(Math.min(a, b)) : -Infinity, b < STEPS ? value(Math.max(a, b)) : Infinity];
    };
    const say = ([from, to]) => {
      said[0].textContent = numberText(Number.isFinite(from) ? from : least);
      said[1].textContent = numberText(Number.isFinite(to) ? to : most);
      [...bars.children].forEach((bar, bin) => {
        const middle = low + ((bin + 0.5) / BINS) * (high - low);
        bar.style.opacity = middle >= from && middle <= to ? 1 : 0.2;
      });
    };
    say(ends);
    for (const slider of sliders) {
      slider.addEventListener("input", () => {
        const now = read();
        this.ends[this.column] = now.some(Number.isFinite) ? now : null;
        say(now);
        this.listener.filter();
      });
      slider.addEventListener("change", () => this.#changed());
    }
  }

  // Draws the legend again; the focus stays on the element that was used.
  #changed(value) {
    this.listener.highlight(null); // the pointer leaves a button that is drawn anew without a word
    this.show(this.column);
    if (value !== undefined) {
      this.place.querySelectorAll("li button")[value]?.focus();
    }
    this.listener.filter();
  }
}
