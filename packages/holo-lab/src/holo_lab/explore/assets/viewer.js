// The surroundings of a residue in 3D by 3Dmol.js, rotated by the residue's frame.
import { arrays, facts } from "./data.js";
import { ELEMENT_COLORS, OTHER_ELEMENT } from "./sketch.js";
import { surroundings } from "./surroundings.js";

/* global $3Dmol */

const SEEN = 6.5; // Å about the residue that fill the view
const LEVEL = 0.4; // of the most of each channel's true density, where its surface is drawn
const CHANNEL_COLORS = { C: "#8a959d", N: "#3f7fe0", O: "#dd4b44", S: "#d9a514" };
export const MODES = ["Atoms", "True density", "Reconstructed"];

export class Viewer {
  constructor(place, onTurn) {
    this.viewer = $3Dmol.createViewer(place, { backgroundColor: "white", antialias: true });
    if (!this.viewer) {
      throw new Error("This browser cannot draw in 3D, because it lacks WebGL.");
    }
    this.place = place;
    this.row = null;
    this.beside = null;
    this.mode = 0;
    this.viewer.setViewChangeCallback((view) => onTurn(view.slice(4, 8)));
  }

  // Shows a residue such that the third axis of its frame points out of the screen.
  show(row) {
    const first = this.row === null;
    this.row = row;
    this.beside = null;
    this.mode = densityPlace(row) < 0 ? 0 : this.mode;
    this.#draw();
    if (first) {
      this.home();
    }
  }

  home() {
    this.viewer.setView([0, 0, 0, 0, 0, 0, 0, 1]);
    this.viewer.zoomTo({ within: { distance: SEEN, sel: { alpha: 1 } } });
    const view = this.viewer.getView();
    this.viewer.setView([0, 0, 0, view[3], 0, 0, 0, 1]);
    this.viewer.render();
  }

  // Superposes another residue in its own frame; null removes it.
  compare(row) {
    if (row !== this.beside) {
      this.beside = row;
      this.#draw();
    }
  }

  setMode(mode) {
    this.mode = mode;
    this.#draw();
  }

  redraw() {
    if (this.row !== null) {
      this.#draw();
    }
  }

  resize() {
    this.viewer.resize();
  }

  #draw() {
    const { viewer } = this;
    viewer.removeAllModels();
    viewer.removeAllShapes();
    const styles = getComputedStyle(document.documentElement);
    const color = (name) => styles.getPropertyValue(name).trim();
    viewer.setBackgroundColor(color("--card"));
    this.#add(this.row, color("--stick"), null);
    if (this.beside !== null) {
      this.#add(this.beside, color("--beside"), color("--beside-own"));
    }
    if (this.mode > 0) {
      this.#addDensity();
    }
    viewer.render();
  }

  #add(row, stick, ownColor) {
    const { atoms, bonds } = surroundings(row);
    const model = this.viewer.addModel();
    const made = atoms.map((atom, place) => ({
      elem: atom.element.charAt(0) + atom.element.slice(1).toLowerCase(),
      x: atom.x,
      y: atom.y,
      z: atom.z,
      serial: place,
      bonds: [],
      bondOrder: [],
      hetflag: true,
      own: atom.own ? 1 : 0,
      alpha: atom.own && atom.role === 2 ? 1 : 0,
    }));
    for (const [one, other] of bonds) {
      for (const [at, to] of [
        [one, other],
        [other, one],
      ]) {
        made[at].bonds.push(to);
        made[at].bondOrder.push(1);
      }
    }
    model.addAtoms(made);
    const elementColor = (atom, carbon) =>
      atom.elem === "C" ? carbon : (ELEMENT_COLORS[atom.elem.toUpperCase()] ?? OTHER_ELEMENT);
    const around = (atom) => (ownColor ? stick : elementColor(atom, stick));
    const itself = (atom) => elementColor(atom, ownColor ?? ELEMENT_COLORS.C);
    model.setStyle({ own: 0 }, { stick: { radius: ownColor ? 0.06 : 0.1, colorfunc: around } });
    model.setStyle({ own: 1 }, { stick: { radius: 0.24, colorfunc: itself }, sphere: { scale: 0.24, colorfunc: itself } });
  }

  #addDensity() {
    const place = densityPlace(this.row);
    const { channels, points, radius } = facts.densities;
    const size = points ** 3;
    const values = arrays.get("density");
    channels.forEach((channel, number) => {
      const start = ((place * 2 + this.mode - 1) * channels.length + number) * size;
      const own = values.subarray(start, start + size);
      if (!own.some((value) => value > 255 * LEVEL)) {
        return;
      }
      const volume = new $3Dmol.VolumeData("", "none");
      const spacing = (2 * radius) / (points - 1);
      volume.size = { x: points, y: points, z: points };
      volume.unit = { x: spacing, y: spacing, z: spacing };
      volume.origin = { x: -radius, y: -radius, z: -radius };
      volume.data = Float32Array.from(own, (value) => value / 255);
      this.viewer.addIsosurface(volume, {
        isoval: LEVEL,
        color: CHANNEL_COLORS[channel] ?? OTHER_ELEMENT,
        opacity: channel === "C" ? 0.55 : 0.8,
        smoothness: 2,
      });
    });
  }
}

export function densityPlace(row) {
  return facts.densities ? facts.densities.rows.indexOf(row) : -1;
}
