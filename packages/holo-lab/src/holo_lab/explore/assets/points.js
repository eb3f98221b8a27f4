// Draws up to 100,000 points by WebGL, without a library, because the existing ones create code from text at run time,
// which a strict Content-Security-Policy forbids.

const VERTEX = `#version 300 es
in vec2 from;
in vec2 to;
in vec4 color;
uniform float share;
uniform vec2 scale;
uniform vec2 offset;
uniform float size;
out vec4 shade;
void main() {
  gl_Position = vec4(mix(from, to, share) * scale + offset, 0.0, 1.0);
  gl_PointSize = size;
  shade = color;
}`;

const FRAGMENT = `#version 300 es
precision highp float;
in vec4 shade;
uniform float size;
out vec4 result;
void main() {
  float radius = length(gl_PointCoord - 0.5) * size;
  float inside = 1.0 - smoothstep(0.5 * size - 1.0, 0.5 * size, radius);
  result = vec4(shade.rgb * shade.a, shade.a) * inside;
}`;

export class Points {
  constructor(canvas, count) {
    const gl = canvas.getContext("webgl2", { antialias: false, alpha: true, premultipliedAlpha: true });
    if (!gl) {
      throw new Error("This browser cannot draw the map, because it lacks WebGL 2.");
    }
    this.canvas = canvas;
    this.gl = gl;
    this.count = count;
    this.program = compile(gl);
    gl.useProgram(this.program);
    this.buffers = Object.fromEntries(["from", "to", "color"].map((name) => [name, gl.createBuffer()]));
    this.order = gl.createBuffer();
    this.#attribute("from", 2, gl.FLOAT, false);
    this.#attribute("to", 2, gl.FLOAT, false);
    this.#attribute("color", 4, gl.UNSIGNED_BYTE, true);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.order);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  #attribute(name, size, type, normalized) {
    const { gl } = this;
    const place = gl.getAttribLocation(this.program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[name]);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, size, type, normalized, 0, 0);
  }

  #fill(name, values) {
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.buffers[name]);
    this.gl.bufferData(this.gl.ARRAY_BUFFER, values, this.gl.DYNAMIC_DRAW);
  }

  // Points move from one position to the other.
  place(from, to) {
    this.#fill("from", from);
    this.#fill("to", to);
  }

  // `order`: the order in which points are drawn, the last on top.
  color(colors, order) {
    this.#fill("color", colors);
    this.gl.bufferData(this.gl.ELEMENT_ARRAY_BUFFER, order, this.gl.DYNAMIC_DRAW);
  }

  // `count`: how many of the last points in the order are drawn.
  draw({ scale, offset, share, size, count }) {
    const { gl } = this;
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.uniform1f(gl.getUniformLocation(this.program, "share"), share);
    gl.uniform2fv(gl.getUniformLocation(this.program, "scale"), scale);
    gl.uniform2fv(gl.getUniformLocation(this.program, "offset"), offset);
    gl.uniform1f(gl.getUniformLocation(this.program, "size"), size);
    gl.drawElements(gl.POINTS, count, gl.UNSIGNED_INT, 4 * (this.count - count));
  }
}

function compile(gl) {
  const program = gl.createProgram();
  for (const [kind, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
    throw new Error(gl.getProgramInfoLog(program) || "the shaders cannot be linked");
  }
  return program;
}
