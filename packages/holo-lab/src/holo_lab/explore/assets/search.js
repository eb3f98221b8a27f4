// The search field with its list of matches.
import { element, findResidues, residue } from "./data.js";

const MOST = 8;

export function listenToSearch(input, list, go) {
  let rows = [];
  let chosen = 0;

  function show(found) {
    rows = found;
    chosen = 0;
    list.hidden = !input.value.trim();
    input.setAttribute("aria-expanded", String(!list.hidden));
    list.replaceChildren();
    rows.forEach((row, place) => {
      const { name, type } = residue(row);
      const item = element("li", { role: "option", id: `suggestion-${place}`, parent: list });
      element("span", { text: name, parent: item });
      element("small", { text: type, parent: item });
      item.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        take(place);
      });
    });
    if (!rows.length) {
      element("li", { text: "No such residue", class: "soft", parent: list });
    }
    mark();
  }

  function mark() {
    [...list.children].forEach((item, place) => item.setAttribute("aria-selected", String(place === chosen)));
    input.setAttribute("aria-activedescendant", rows.length ? `suggestion-${chosen}` : "");
  }

  function take(place) {
    if (rows.length) {
      const row = rows[place];
      input.value = "";
      close();
      input.blur();
      go(row);
    }
  }

  function close() {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
  }

  input.addEventListener("input", () => show(findResidues(input.value, MOST)));
  input.addEventListener("blur", close);
  input.addEventListener("focus", () => input.value.trim() && show(findResidues(input.value, MOST)));
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      take(chosen);
    } else if (event.key === "Escape") {
      input.value = "";
      close();
      input.blur();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : rows.length - 1;
      chosen = rows.length ? (chosen + step) % rows.length : 0;
      mark();
    } else {
      return;
    }
    event.stopPropagation();
  });
}
