// The visible points, sorted into the cells of a grid, so that those of an area are found without testing all.
const CELLS = 160; // along each side

const cellAt = (value) => Math.min(Math.max(Math.floor(value * CELLS), 0), CELLS - 1);

export class Grid {
  // `at` holds x and y of each row, from 0 to 1; `shown` is 1 for the rows that are visible, else 0.
  constructor(at, shown) {
    const starts = new Uint32Array(CELLS * CELLS + 1);
    const cellOf = (row) => cellAt(at[2 * row + 1]) * CELLS + cellAt(at[2 * row]);
    shown.forEach((visible, row) => {
      starts[cellOf(row) + 1] += visible;
    });
    for (let cell = 0; cell < CELLS * CELLS; cell++) {
      starts[cell + 1] += starts[cell];
    }
    const next = starts.slice();
    this.rows = new Uint32Array(starts[CELLS * CELLS]);
    shown.forEach((visible, row) => {
      if (visible) {
        this.rows[next[cellOf(row)]++] = row;
      }
    });
    this.at = at;
    this.starts = starts;
  }

  // Calls a function with each visible row between two corners.
  within(low, high, call) {
    const [[x0, y0], [x1, y1]] = [low, high].map((corner) => corner.map(cellAt));
    for (let y = y0; y <= y1; y++) {
      for (let x = x0; x <= x1; x++) {
        const cell = y * CELLS + x;
        for (let place = this.starts[cell]; place < this.starts[cell + 1]; place++) {
          const row = this.rows[place];
          const [a, b] = [this.at[2 * row], this.at[2 * row + 1]];
          if (a >= low[0] && a <= high[0] && b >= low[1] && b <= high[1]) {
            call(row);
          }
        }
      }
    }
  }
}
