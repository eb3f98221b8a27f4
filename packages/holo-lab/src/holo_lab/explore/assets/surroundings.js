// The atoms around a residue in the residue's frame, in which similar surroundings look similar.
import { arrays, facts } from "./data.js";

const RADIUS = 10; // Å about the Cα
const LONGEST_BOND = 1.95;
const LONGEST_BOND_OF_SULFUR = 2.25;
const LONGEST_STEP = 4.5; // from Cα to Cα
const FIRST_ATOM = 0x80;
const ALPHA = 2;
const KEPT = 64;

const cache = new Map();

export function surroundings(row) {
  const known = cache.get(row);
  if (known) {
    return known;
  }
  const made = cut(row);
  cache.set(row, made);
  if (cache.size > KEPT) {
    cache.delete(cache.keys().next().value);
  }
  return made;
}

function cut(row) {
  const kinds = arrays.get("atom.kinds");
  const structure = arrays.get("structure")[row];
  const [begin, end] = [0, 1].map((next) => arrays.get("atom.firsts")[structure + next]);
  const step = arrays.get("atom.steps")[structure];
  const alpha = arrays.get("alpha")[row];
  const own = ownAtoms(alpha, begin, end);
  const axes = frameOf(row);
  const places = arrays.get("atom.places");
  const all = places.length / 3;
  const atoms = [];
  for (let atom = begin; atom < end; atom++) {
    const x = (places[atom] - places[alpha]) * step;
    const y = (places[all + atom] - places[all + alpha]) * step;
    const z = (places[2 * all + atom] - places[2 * all + alpha]) * step;
    if (x * x + y * y + z * z > RADIUS * RADIUS) {
      continue;
    }
    const [a, b, c] = axes.map((axis) => axis[0] * x + axis[1] * y + axis[2] * z);
    const kind = kinds[atom];
    atoms.push({
      x: a,
      y: b,
      z: c,
      element: facts.elements[(kind >> 2) & 31],
      role: kind & 3,
      own: atom >= own[0] && atom < own[1],
    });
  }
  return { atoms, bonds: bonds(atoms), trace: trace(atoms) };
}

function ownAtoms(alpha, begin, end) {
  const kinds = arrays.get("atom.kinds");
  let first = alpha;
  while (first > begin && !(kinds[first] & FIRST_ATOM)) {
    first--;
  }
  let last = alpha + 1;
  while (last < end && !(kinds[last] & FIRST_ATOM)) {
    last++;
  }
  return [first, last];
}

function frameOf(row) {
  const numbers = Array.from(arrays.get("frames").subarray(6 * row, 6 * row + 6), (value) => value / 32767);
  const [first, second] = [numbers.slice(0, 3), numbers.slice(3)];
  if (!first.some((value) => value) || !second.some((value) => value)) {
    // Its surroundings do not define an orientation.
    return [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ];
  }
  const third = [1, 2, 0].map((one, place) => {
    const other = [2, 0, 1][place];
    return first[one] * second[other] - first[other] * second[one];
  });
  return [first, second, third];
}

function apart(one, other) {
  return Math.hypot(one.x - other.x, one.y - other.y, one.z - other.z);
}

function bonds(atoms) {
  const found = [];
  for (let one = 0; one < atoms.length; one++) {
    for (let other = one + 1; other < atoms.length; other++) {
      const dx = atoms[one].x - atoms[other].x;
      if (dx > LONGEST_BOND_OF_SULFUR || dx < -LONGEST_BOND_OF_SULFUR) {
        continue;
      }
      const sulfur = atoms[one].element === "S" || atoms[other].element === "S";
      if (apart(atoms[one], atoms[other]) < (sulfur ? LONGEST_BOND_OF_SULFUR : LONGEST_BOND)) {
        found.push([one, other]);
      }
    }
  }
  return found;
}

function trace(atoms) {
  const alphas = atoms.flatMap((atom, place) => (atom.role === ALPHA ? [place] : []));
  const found = [];
  for (let place = 1; place < alphas.length; place++) {
    const [one, other] = [alphas[place - 1], alphas[place]];
    if (apart(atoms[one], atoms[other]) < LONGEST_STEP) {
      found.push([one, other]);
    }
  }
  return found;
}
