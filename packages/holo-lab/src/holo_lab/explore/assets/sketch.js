// Small pictures of surroundings, drawn as lines: the chain in gray, the residue itself in color, distant parts paler.
import { surroundings } from "./surroundings.js";

const RADIUS = 7.6; // Å from the middle of a picture to its edge
const SIDE_CHAIN = 0;

export const ELEMENT_COLORS = { C: "#e07a3f", N: "#3f7fe0", O: "#dd4b44", S: "#cfa21c", P: "#cf7f1c", SE: "#cfa21c" };
export const OTHER_ELEMENT = "#5a9367";

// Rotates a vector by a quaternion [x, y, z, w].
function turned({ x, y, z }, [qx, qy, qz, qw]) {
  const [tx, ty, tz] = [2 * (qy * z - qz * y), 2 * (qz * x - qx * z), 2 * (qx * y - qy * x)];
  return [
    x + qw * tx + qy * tz - qz * ty,
    y + qw * ty + qz * tx - qx * tz,
    z + qw * tz + qx * ty - qy * tx,
  ];
}

export function drawSketch(canvas, row, turn) {
  const { atoms, bonds, trace } = surroundings(row);
  const ratio = devicePixelRatio || 1;
  const side = canvas.clientWidth || 96;
  canvas.width = canvas.height = Math.round(side * ratio);
  const context = canvas.getContext("2d");
  const unit = canvas.width / 2 / RADIUS;
  const places = atoms.map((atom) => turned(atom, turn));
  const styles = getComputedStyle(document.documentElement);
  const [bone, thin] = ["--bone", "--thin"].map((name) => styles.getPropertyValue(name));
  const strokes = [
    ...trace.map(([one, other]) => ({ one, other, color: bone, width: 0.85 })),
    ...bonds.flatMap(([one, other]) => bondStrokes(atoms, one, other, thin)),
  ];
  for (const stroke of strokes) {
    stroke.depth = (places[stroke.one][2] + places[stroke.other][2]) / 2 + (stroke.own ? 0.6 : 0);
  }
  strokes.sort((first, second) => first.depth - second.depth);
  context.lineCap = "round";
  context.translate(canvas.width / 2, canvas.height / 2);
  for (const { one, other, color, width, depth, own } of strokes) {
    const [a, b] = [places[one], places[other]];
    context.globalAlpha = own ? 1 : Math.min(Math.max(0.55 + depth / 18, 0.12), 1);
    context.strokeStyle = color;
    context.lineWidth = width * unit * (1 + depth / 40);
    context.beginPath();
    context.moveTo(a[0] * unit, -a[1] * unit);
    context.lineTo(b[0] * unit, -b[1] * unit);
    context.stroke();
  }
}

// The residue's own bonds have the color of the element in each half; of other residues only the side chains are drawn,
// because the trace represents the backbone.
function bondStrokes(atoms, one, other, thin) {
  const [first, second] = [atoms[one], atoms[other]];
  if (first.own && second.own) {
    const color = first.element === "C" ? second.element : first.element;
    return [{ one, other, color: ELEMENT_COLORS[color] ?? OTHER_ELEMENT, width: 0.62, own: true }];
  }
  const isSideChain = first.role === SIDE_CHAIN || second.role === SIDE_CHAIN;
  return isSideChain ? [{ one, other, color: thin, width: 0.24 }] : [];
}
