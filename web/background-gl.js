// @ts-check
// Draws somebody before another background, by WebGL2: nothing is read back. Textures have the upper row first.
import { between, blurOf, blurredSize, filling, inModel, TAPS, taps } from "./background-rules.js";

const WHOLE = { x: 0, y: 0, width: 1, height: 1 };

const CORNERS = `#version 300 es
out vec2 at;
uniform float turned;
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1) * 2.0;
  at = vec2(corner.x, turned > 0.0 ? 1.0 - corner.y : corner.y);
  gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}`;

/** What all others begin with. `person`: how sure it is that the person is there; who is not sure shows nothing of the room. */
const HEAD = `#version 300 es
precision mediump float;
in vec2 at;
out vec4 colour;
uniform sampler2D frame, mask, behind;
uniform vec4 part;
uniform float found;
float person(vec2 at) {
  return found * smoothstep(0.45, 0.85, texture(mask, part.xy + at * part.zw).r);
}
`;

/** All that a smaller pixel covers, up to four times four. */
const COVERED = `
uniform vec2 quarter;
vec4 covered(vec2 at) {
  vec2 other = vec2(quarter.x, -quarter.y);
  return 0.25 * (texture(frame, at - quarter) + texture(frame, at + quarter) + texture(frame, at - other) + texture(frame, at + other));
}
`;

/** A part of a picture, in a smaller size. */
const SHRINK = `${HEAD}${COVERED}
void main() { colour = covered(part.xy + at * part.zw); }`;

const COPY = `${HEAD}
void main() { colour = texture(frame, at); }`;

/** The last step down leaves the person out, whose colours would run into what is behind them. */
const BEHIND = `${HEAD}${COVERED}
void main() {
  float much = 1.02 - person(at);
  colour = vec4(covered(at).rgb * much, much) / 1.02;
}`;

const BLUR = `${HEAD}
uniform vec2 along;
uniform float own, places[${TAPS}], weights[${TAPS}];
uniform int many;
void main() {
  vec4 sum = own * texture(frame, at);
  for (int tap = 0; tap < many; tap++) {
    vec2 far = along * places[tap];
    sum += weights[tap] * (texture(frame, at - far) + texture(frame, at + far));
  }
  colour = sum;
}`;

/** The person before what was blurred, or before a picture; the frame has the size of the canvas. */
const LAY = `${HEAD}
uniform vec4 filled;
uniform float pictured;
void main() {
  float here = person(at);
  vec3 near = vec3(0.0), far = vec3(0.0);
  // What does not count is not read: where the graphics card is software that is half of the work.
  if (here > 0.0) {
    ivec2 size = textureSize(frame, 0);
    near = texelFetch(frame, ivec2(gl_FragCoord.x, float(size.y) - gl_FragCoord.y), 0).rgb;
  }
  if (here < 1.0) {
    vec4 blurred = texture(behind, filled.xy + at * filled.zw);
    far = pictured > 0.0 ? blurred.rgb : blurred.rgb / max(blurred.a, 0.004);
  }
  colour = vec4(mix(far, near, here), 1.0);
}`;

/** @typedef {{width: number, height: number}} Size @typedef {Size & {texture: WebGLTexture, into: WebGLFramebuffer | null}} Plane */

/** Programs and textures of one context. Whoever else draws there finds the state changed, and leaves it as they like. */
export class Drawing {
  gl;
  #programs;
  #nothing;
  /** @type {Map<string, Plane>} */
  #planes = new Map();

  /** @param {WebGL2RenderingContext} gl @param {Record<string, string>} sources */
  constructor(gl, sources) {
    this.gl = gl;
    this.#nothing = gl.createVertexArray();
    this.#programs = Object.fromEntries(Object.entries(sources).map(([name, source]) => [name, this.#program(source)]));
  }

  /** @param {string} source */
  #program(source) {
    const { gl } = this;
    const program = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, CORNERS], [gl.FRAGMENT_SHADER, source]]) {
      const shader = /** @type {WebGLShader} */ (gl.createShader(/** @type {number} */ (kind)));
      gl.shaderSource(shader, /** @type {string} */ (text));
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) throw new Error(`no program: ${gl.getProgramInfoLog(program)}`);
    return program;
  }

  /** A texture of this name and size. @param {string} name @param {Size} size @returns {Plane} */
  plane(name, { width, height }) {
    const { gl } = this;
    const kept = this.#planes.get(name);
    if (kept?.width === width && kept.height === height) return kept;
    if (kept) gl.deleteTexture(kept.texture);
    const texture = this.#empty();
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, width, height, 0, gl.RGBA, gl.UNSIGNED_BYTE, null);
    const into = kept?.into ?? gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, into);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
    const made = { width, height, texture, into };
    this.#planes.set(name, made);
    return made;
  }

  /** What a picture shows, as a texture of this name. @param {string} name @param {VideoFrame | ImageBitmap} image @param {Size} size @returns {Plane} */
  taken(name, image, { width, height }) {
    const { gl } = this;
    const texture = this.#planes.get(name)?.texture ?? this.#empty();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, image);
    const made = { width, height, texture, into: null };
    this.#planes.set(name, made);
    return made;
  }

  #empty() {
    const { gl } = this;
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    for (const way of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, way, gl.CLAMP_TO_EDGE);
    for (const way of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, way, gl.LINEAR);
    return texture;
  }

  /**
   * @param {string} program
   * @param {Plane | (Size & {into: null})} to  no framebuffer: the canvas, where the lower row is the first
   * @param {Record<string, WebGLTexture>} seen  textures by their names
   * @param {Record<string, number | number[]>} given  numbers, and vectors of two or four
   * @param {{places: number[], weights: number[], own: number}} [mixed]
   */
  draw(program, to, seen, given = {}, mixed) {
    const { gl } = this;
    const used = this.#programs[program];
    gl.useProgram(used);
    gl.bindVertexArray(this.#nothing);
    for (const what of [gl.BLEND, gl.DEPTH_TEST, gl.CULL_FACE, gl.SCISSOR_TEST, gl.STENCIL_TEST]) gl.disable(what);
    gl.colorMask(true, true, true, true);
    gl.bindFramebuffer(gl.FRAMEBUFFER, to.into);
    gl.viewport(0, 0, to.width, to.height);
    Object.entries(seen).forEach(([name, texture], unit) => {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.uniform1i(gl.getUniformLocation(used, name), unit);
    });
    gl.uniform1f(gl.getUniformLocation(used, "turned"), to.into ? 0 : 1);
    for (const [name, value] of Object.entries(given)) {
      const place = gl.getUniformLocation(used, name);
      if (typeof value === "number") gl.uniform1f(place, value);
      else gl[value.length === 2 ? "uniform2fv" : "uniform4fv"](place, value);
    }
    if (mixed) {
      gl.uniform1f(gl.getUniformLocation(used, "own"), mixed.own);
      gl.uniform1fv(gl.getUniformLocation(used, "places"), mixed.places);
      gl.uniform1fv(gl.getUniformLocation(used, "weights"), mixed.weights);
      gl.uniform1i(gl.getUniformLocation(used, "many"), mixed.places.length);
    }
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    gl.bindVertexArray(null);
    gl.activeTexture(gl.TEXTURE0);
  }
}

/** @param {{x: number, y: number, width: number, height: number}} part */
const numbers = ({ x, y, width, height }) => [x, y, width, height];

/** A context for pictures, which is the only thing that can be missing. @param {OffscreenCanvas} canvas */
export function context(canvas) {
  const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false, stencil: false });
  if (!gl) throw new Error("this browser has no WebGL2");
  return gl;
}

/** A quarter of what a pixel covers of a part. @param {Size} to @param {{width: number, height: number}} [part] */
const quarter = (to, part = WHOLE) => [part.width / to.width / 4, part.height / to.height / 4];

/** Makes a picture smaller, as far as one step goes. @param {Drawing} drawing @param {Plane} from @param {Size} to */
function nearly(drawing, from, to) {
  let plane = from;
  for (const step of between(from, to)) {
    const next = drawing.plane(`${step.width}x${step.height}`, step);
    drawing.draw("shrink", next, { frame: plane.texture }, { part: numbers(WHOLE), quarter: quarter(step) });
    plane = next;
  }
  return plane;
}

/** Shows a texture in a canvas. */
export class Showing {
  #drawing;

  /** @param {WebGL2RenderingContext} gl */
  constructor(gl) {
    this.#drawing = new Drawing(gl, { copy: COPY });
  }

  /** @param {WebGLTexture} texture @param {Size} size */
  show(texture, size) {
    this.#drawing.draw("copy", { ...size, into: null }, { frame: texture });
  }

  /** An empty texture. @param {Size} size */
  texture(size) {
    return this.#drawing.plane("input", size).texture;
  }
}

export class Composition {
  #canvas;
  #drawing;
  /** @type {Plane | null} */
  #mask = null;
  /** @type {Plane | null} */
  #picture = null;
  /** @type {string} */
  #look = "strong";

  /** @param {OffscreenCanvas} canvas */
  constructor(canvas) {
    this.#canvas = canvas;
    this.#drawing = new Drawing(context(canvas), { shrink: SHRINK, behind: BEHIND, blur: BLUR, lay: LAY });
  }

  get isLost() {
    return this.#drawing.gl.isContextLost();
  }

  /** @param {string} look  of `BACKGROUNDS` @param {ImageBitmap | null} picture */
  choose(look, picture) {
    this.#look = look;
    this.#picture = picture && this.#drawing.taken("picture", picture, picture);
    picture?.close();
  }

  /** Where the person is from now on. @param {ImageBitmap} mask */
  found(mask) {
    this.#mask = this.#drawing.taken("mask", mask, mask);
    mask.close();
  }

  /** Draws a frame. @param {VideoFrame | ImageBitmap} image @param {Size} size @param {boolean} found  it is known where the person is */
  draw(image, size, found) {
    const [canvas, drawing, mask] = [this.#canvas, this.#drawing, found ? this.#mask : null];
    if (canvas.width !== size.width || canvas.height !== size.height) [canvas.width, canvas.height] = [size.width, size.height];
    const frame = drawing.taken("frame", image, size);
    const known = { found: mask ? 1 : 0, part: numbers(inModel(size.width, size.height)) };
    const seen = { frame: frame.texture, mask: (mask ?? frame).texture };
    const picture = mask && this.#look === "picture" ? this.#picture : null;
    const behind = picture ?? this.#blurred(frame, seen, known, blurOf(this.#look, mask !== null));
    const filled = numbers(picture ? filling(picture, size) : WHOLE);
    drawing.draw("lay", { ...size, into: null }, { ...seen, behind: behind.texture }, { filled, pictured: picture ? 1 : 0, ...known });
  }

  /** @param {Plane} frame @param {{frame: WebGLTexture, mask: WebGLTexture}} seen @param {{found: number, part: number[]}} known @param {{side: number, sigma: number}} blur */
  #blurred(frame, seen, known, blur) {
    const drawing = this.#drawing;
    const size = blurredSize(frame.width, frame.height, blur);
    const plane = nearly(drawing, frame, size);
    const [one, other] = [drawing.plane("one", size), drawing.plane("other", size)];
    const mixed = taps(blur.sigma);
    drawing.draw("behind", one, { ...seen, frame: plane.texture }, { quarter: quarter(size), ...known });
    drawing.draw("blur", other, { frame: one.texture }, { along: [1 / size.width, 0] }, mixed);
    drawing.draw("blur", one, { frame: other.texture }, { along: [0, 1 / size.height] }, mixed);
    return one;
  }
}
