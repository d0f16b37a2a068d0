// One frame, large: the picture with its rectangles, and drawing with the mouse.
import { same } from "./review_model.js";

const SVG = "http://www.w3.org/2000/svg";
export const pictureUrl = (transfer, instance, frame, options = {}) =>
  `../api/review/${encodeURIComponent(transfer)}/${encodeURIComponent(instance.id)}/${frame}.png?${new URLSearchParams(options)}`;

function rectangle([x0, y0, x1, y1], kind) {
  const rect = document.createElementNS(SVG, "rect");
  for (const [name, value] of Object.entries({ x: x0, y: y0, width: x1 - x0, height: y1 - y0, class: kind })) rect.setAttribute(name, value);
  return rect;
}

export function overlay(svg, model, instance, frame, chosen = null) {
  svg.replaceChildren(
    ...model.boxes(instance, frame).map((known) => {
      const kind = known.matches ? "identifier" : known.source === "reviewer" ? "reviewer" : "ocr";
      const rect = rectangle(known.box, chosen && same(known, { box: chosen }) ? `${kind} chosen` : kind);
      rect.dataset.box = known.box.join();
      const title = document.createElementNS(SVG, "title");
      title.textContent = `${known.source}, ${known.confidence} %${known.matches ? ", seems to identify" : ""}`;
      rect.append(title);
      return rect;
    }),
    ...(instance.residue.get(frame) ?? []).map((known) => rectangle(known.box, "residue")));
}

export function stage(model, transfer, instance, frame, options = {}) {
  const holder = document.createElement("div");
  holder.className = "stage";
  holder.style.aspectRatio = `${instance.columns} / ${instance.rows}`;
  const image = Object.assign(document.createElement("img"), { loading: options.small ? "lazy" : "eager", alt: "This frame cannot be shown", draggable: false });
  // A browser keeps pictures in memory whatever the server says; after another masking the address must be another.
  image.src = pictureUrl(transfer, instance, frame, { ...options, version: model.version });
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${instance.columns} ${instance.rows}`);
  svg.setAttribute("preserveAspectRatio", "none");
  overlay(svg, model, instance, frame);
  holder.append(image, svg);
  return holder;
}

export class Viewer {
  // `changed` is called after every change of rectangles, `moved` when another frame or picture is wanted.
  constructor(root, transfer, changed) {
    Object.assign(this, { root, transfer, changed, model: null, instance: null, frame: 0, chosen: null, both: true });
    this.stages = root.querySelector("#stages");
    this.slider = root.querySelector("#frame");
    this.slider.addEventListener("input", () => this.show(this.instance, Number(this.slider.value)));
    this.stages.addEventListener("wheel", (event) => { if (this.instance.frames > 1) { event.preventDefault(); this.step(Math.sign(event.deltaY)); } }, { passive: false });
    this.stages.addEventListener("pointerdown", (event) => this.press(event));
  }

  show(instance, frame) {
    Object.assign(this, { instance, frame, chosen: null });
    const sides = instance.masked ? (this.both ? ["original", "masked"] : ["masked"]) : ["original"];
    this.stages.replaceChildren(...sides.map((which) => {
      const figure = document.createElement("figure");
      const holder = stage(this.model, this.transfer, instance, frame, { which });
      holder.style.maxWidth = `calc(62vh * ${instance.columns / instance.rows})`;
      figure.append(holder, Object.assign(document.createElement("figcaption"), { textContent: which }));
      return figure;
    }));
    this.slider.max = instance.frames - 1;
    this.slider.value = frame;
    this.slider.hidden = instance.frames < 2;
    this.root.querySelector("#title").textContent = `${instance.id}, series ${instance.series}${instance.frames > 1 ? `, frame ${frame + 1} of ${instance.frames}` : ""}`;
    this.root.querySelector("#why").textContent = [instance.modality, `${instance.columns} x ${instance.rows}`, ...instance.doubts.map((kind) => `doubt: ${kind}`)].join(" · ");
    this.root.querySelector('[data-do="hold"]').setAttribute("aria-pressed", String(instance.hold));
    this.root.querySelector('[data-do="masked"]').hidden = !instance.masked;
  }

  redraw() {
    for (const svg of this.stages.querySelectorAll("svg")) overlay(svg, this.model, this.instance, this.frame, this.chosen);
    this.root.querySelector('[data-do="hold"]').setAttribute("aria-pressed", String(this.instance.hold));
    this.changed();
  }

  step(by) {
    const frame = Math.min(this.instance.frames - 1, Math.max(0, this.frame + by));
    if (frame !== this.frame) this.show(this.instance, frame);
  }

  place(event, svg) {
    const area = svg.getBoundingClientRect(), { rows, columns } = this.instance;
    const limit = (value, most) => Math.round(Math.min(Math.max(value, 0), 1) * most);
    return [limit((event.clientX - area.left) / area.width, columns), limit((event.clientY - area.top) / area.height, rows)];
  }

  press(event) {
    const svg = event.target.closest("svg");
    if (!svg || event.button !== 0) return;
    event.preventDefault();
    this.root.focus();
    const on = event.target.dataset?.box, from = this.place(event, svg), drawing = rectangle([0, 0, 0, 0], "drawing");
    const boxTo = (to) => [Math.min(from[0], to[0]), Math.min(from[1], to[1]), Math.max(from[0], to[0]), Math.max(from[1], to[1])];
    svg.append(drawing);
    svg.setPointerCapture(event.pointerId);
    const move = (moved) => { const [x0, y0, x1, y1] = boxTo(this.place(moved, svg)); for (const [name, value] of Object.entries({ x: x0, y: y0, width: x1 - x0, height: y1 - y0 })) drawing.setAttribute(name, value); };
    const end = (ended) => {
      svg.removeEventListener("pointermove", move);
      drawing.remove();
      const box = boxTo(this.place(ended, svg));
      if (box[2] - box[0] > 2 && box[3] - box[1] > 2) { this.model.draw(this.instance, this.frame, box); this.chosen = box; }
      else this.chosen = on ? on.split(",").map(Number) : null;
      this.redraw();
    };
    svg.addEventListener("pointermove", move);
    svg.addEventListener("pointerup", end, { once: true });
  }

  // The chosen rectangle, or all of this frame.
  get selected() {
    const boxes = this.model.boxes(this.instance, this.frame);
    return this.chosen ? boxes.filter((known) => same(known, { box: this.chosen })) : boxes;
  }

  act(what) {
    const { model, instance, frame } = this;
    if (what === "remove" && this.chosen) { model.remove(instance, frame, this.chosen); this.chosen = null; }
    else if (what === "clear") model.clear(instance, frame);
    else if (what === "all" || what === "series") model.copy(instance, this.selected, what === "series");
    else if (what === "hold") model.hold(instance);
    else if (what === "undo") model.undo();
    else if (what === "masked") { this.both = !this.both; this.show(instance, frame); }
    this.redraw();
  }
}
