// The data of the page: facts as JSON, arrays from a compressed block, and the names of residues.

const TYPES = {
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  int16: Int16Array,
  int32: Int32Array,
  float32: Float32Array,
};

export const NO_ROW = 0xffffffff;
export const facts = JSON.parse(document.getElementById("facts").textContent);
export const arrays = new Map();

// Unpacks the arrays, before anything else is done.
export async function loadArrays() {
  const text = atob(document.getElementById("arrays").textContent);
  const bytes = new Uint8Array(text.length);
  for (let place = 0; place < text.length; place++) {
    bytes[place] = text.charCodeAt(place);
  }
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const buffer = await new Response(stream).arrayBuffer();
  for (const { name, type, start, count } of facts.arrays) {
    arrays.set(name, new TYPES[type](buffer, start, count));
  }
  if (facts.atoms) {
    addUp(arrays.get("atom.places"));
  }
}

// Positions are stored as differences between successive atoms along each axis; overflows cancel when they are summed.
function addUp(places) {
  const count = places.length / 3;
  for (let atom = 0; atom < places.length; atom++) {
    if (atom % count) {
      places[atom] += places[atom - 1];
    }
  }
}

export function residue(row) {
  const structure = facts.structures[arrays.get("structure")[row]];
  const chain = facts.chains[arrays.get("chain")[row]];
  const number = arrays.get("number")[row] + facts.insertions[arrays.get("insertion")[row]];
  const type = facts.residueNames[arrays.get("name")[row]];
  return { structure, chain, number, type, name: `${structure} ${chain} ${number}` };
}

// The rows of the residues that a text names, such as "1abc A 57", "1abc:A:57", "1abc 57" or a part of it.
export function findResidues(text, most) {
  const words = text.trim().split(/[\s:,/]+/).filter((word) => word);
  if (!words.length) {
    return [];
  }
  const lower = words.map((word) => word.toLowerCase());
  const inStructure = facts.structures.map((name) => matchStructure(name.toLowerCase(), lower[0]));
  const found = [];
  const structures = arrays.get("structure");
  for (let row = 0; row < facts.rows && found.length < 2000; row++) {
    const fit = inStructure[structures[row]];
    if (!fit) {
      continue;
    }
    const rank = lower.length === 1 ? fit : fit * matchPlace(row, lower.slice(1));
    if (rank) {
      found.push({ row, rank });
    }
  }
  return found
    .sort((one, other) => other.rank - one.rank || one.row - other.row)
    .slice(0, most)
    .map(({ row }) => row);
}

function matchStructure(name, word) {
  if (name === word) {
    return 4;
  }
  return name.startsWith(word) ? 2 : name.includes(word) ? 1 : 0;
}

function matchPlace(row, words) {
  const { chain, number, type } = residue(row);
  const places = [chain.toLowerCase(), number.toLowerCase(), type.toLowerCase()];
  let rank = 4;
  words.forEach((word, place) => {
    const last = place === words.length - 1;
    if (!places.includes(word)) {
      rank *= last && places[1].startsWith(word) ? 0.5 : 0;
    }
  });
  return rank;
}

// The row of the residue with exactly this name, or -1.
export function rowOf(name) {
  return findResidues(name, 8).find((row) => residue(row).name === name) ?? -1;
}

export function neighborsOf(row) {
  const count = facts.neighborCount;
  const rows = arrays.get("neighbors").subarray(row * count, (row + 1) * count);
  const distances = arrays.get("distances").subarray(row * count, (row + 1) * count);
  return Array.from(rows, (other, place) => ({ row: other, distance: distances[place] / 1000 })).filter(
    (neighbor) => neighbor.row !== NO_ROW,
  );
}

// Makes an element with text and attributes; text is never read as HTML.
export function element(tag, { text, on, parent, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  if (text !== undefined) {
    made.textContent = text;
  }
  for (const [name, value] of Object.entries(attributes)) {
    made.setAttribute(name, value);
  }
  for (const [event, listener] of Object.entries(on ?? {})) {
    made.addEventListener(event, listener);
  }
  made.append(...children);
  parent?.append(made);
  return made;
}
