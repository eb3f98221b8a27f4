// What the pointer does on the map: it pans, zooms by its wheel or by two fingers, points, and selects areas.
const STILL = 5; // pixels that a pointer may travel for a click

export function listenToPointer(map) {
  const { marks } = map;
  const pointers = new Map();
  let travelled = 0;
  let origin = null;
  const at = (event) => {
    const box = marks.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  marks.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) {
      return;
    }
    marks.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at(event));
    travelled = 0;
    if ((map.brushing || event.shiftKey) && pointers.size === 1) {
      map.rectangle = [...at(event), ...at(event)];
      origin = at(event);
    }
  });
  marks.addEventListener("pointermove", (event) => {
    const [x, y] = at(event);
    const before = pointers.get(event.pointerId);
    if (!before) {
      map.hover(map.nearest(x, y), x, y);
      return;
    }
    travelled += Math.hypot(x - before[0], y - before[1]);
    if (pointers.size === 2) {
      const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      const factor = Math.hypot(x - other[0], y - other[1]) / Math.hypot(before[0] - other[0], before[1] - other[1]);
      map.rectangle = null;
      map.zoomAt(factor || 1, (x + other[0]) / 2, (y + other[1]) / 2);
    } else if (map.rectangle) {
      const [a, b] = origin;
      map.rectangle = [Math.min(a, x), Math.min(b, y), Math.max(a, x), Math.max(b, y)];
      map.draw();
    } else {
      map.panBy(x - before[0], y - before[1]);
    }
    pointers.set(event.pointerId, [x, y]);
  });
  const released = (event) => {
    if (!pointers.delete(event.pointerId)) {
      return;
    }
    const [x, y] = at(event);
    if (travelled < STILL) {
      map.rectangle = null;
      map.draw();
      map.listener.pick(map.nearest(x, y));
    } else if (map.rectangle) {
      const rows = map.rowsIn(map.rectangle);
      map.rectangle = null;
      map.listener.brush(rows);
    }
  };
  marks.addEventListener("pointerup", released);
  marks.addEventListener("pointercancel", (event) => {
    pointers.delete(event.pointerId);
    map.rectangle = null;
  });
  marks.addEventListener("pointerleave", () => map.hover(null, 0, 0));
  marks.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      map.zoomAt(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), ...at(event));
    },
    { passive: false },
  );
}
