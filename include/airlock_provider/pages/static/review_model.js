// What the reviewer has decided so far: rectangles by instance and frame, instances to hold, and what can be undone.
// A rectangle is { box: [x0, y0, x1, y1], source, confidence, matches } in pixels of the stored frame.
export const same = (a, b) => a.box.every((side, index) => side === b.box[index]);
const drawn = (box) => ({ box, source: "reviewer", confidence: 100, matches: false });
const read = ([x0, y0, x1, y1, source, confidence, matches]) => ({ box: [x0, y0, x1, y1], source, confidence, matches });

export class Model {
  constructor(facts) {
    this.undos = [];
    this.unsaved = false;
    this.version = facts.asked_at;
    this.instances = facts.instances.map((instance) => this.load(instance));
    this.byId = new Map(this.instances.map((instance) => [instance.id, instance]));
  }

  load(instance) {
    const frames = new Map(Object.entries(instance.boxes).map(([number, boxes]) => [Number(number), boxes.map(read)]));
    const residue = new Map(Object.entries(instance.residue).map(([number, boxes]) => [Number(number), boxes.map(read)]));
    const changed = new Set();
    for (const [number, boxes] of Object.entries(instance.saved?.frames ?? {})) {
      const before = frames.get(Number(number)) ?? [];
      frames.set(Number(number), boxes.map((box) => before.find((known) => same(known, { box })) ?? drawn(box)));
      changed.add(Number(number));
    }
    return { ...instance, found: frames, residue, changed, hold: Boolean(instance.saved?.hold ?? instance.held) };
  }

  boxes(instance, frame) { return instance.found.get(frame) ?? []; }

  // Frames worth a tile: those with rectangles, or the middle one of an instance that has none.
  framesOf(instance) {
    const frames = new Set([...instance.found.keys(), ...instance.residue.keys()]);
    if (!frames.size) frames.add(Math.floor(instance.frames / 2));
    return [...frames].sort((a, b) => a - b);
  }

  // Change several frames in one step that can be undone: edits are [instance, frame, boxes].
  edit(edits) {
    if (!edits.length) return;
    this.undos.push(edits.map(([instance, frame]) => ({ instance, frame, boxes: instance.found.get(frame), changed: instance.changed.has(frame) })));
    for (const [instance, frame, boxes] of edits) { instance.found.set(frame, boxes); instance.changed.add(frame); }
    this.unsaved = true;
  }

  undo() {
    for (const { instance, frame, boxes, changed, hold } of this.undos.pop() ?? []) {
      if (hold !== undefined) { instance.hold = hold; continue; }
      if (boxes) instance.found.set(frame, boxes); else instance.found.delete(frame);
      if (!changed) instance.changed.delete(frame);
    }
    this.unsaved = true;
  }

  draw(instance, frame, box) { this.edit([[instance, frame, [...this.boxes(instance, frame), drawn(box)]]]); }
  remove(instance, frame, box) { this.edit([[instance, frame, this.boxes(instance, frame).filter((known) => !same(known, { box }))]]); }
  clear(instance, frame) { if (this.boxes(instance, frame).length) this.edit([[instance, frame, []]]); }

  hold(instance) {
    this.undos.push([{ instance, hold: instance.hold }]);
    instance.hold = !instance.hold;
    this.unsaved = true;
  }

  // Copy rectangles to every frame of the instance, or of every instance of its series and size.
  copy(instance, boxes, wholeSeries) {
    const alike = wholeSeries ? this.instances.filter((other) => ["series", "rows", "columns"].every((name) => other[name] === instance[name])) : [instance];
    this.edit(alike.flatMap((other) => [...Array(other.frames).keys()].flatMap((frame) => {
      const there = this.boxes(other, frame);
      const missing = boxes.filter((box) => !there.some((known) => same(known, box)));
      return missing.length ? [[other, frame, [...there, ...missing.map((box) => drawn(box.box))]]] : [];
    })));
  }

  get drew() { return this.instances.some((instance) => instance.changed.size || (instance.held && !instance.hold)); }
  get counts() { return `${this.instances.reduce((sum, i) => sum + i.changed.size, 0)} frames changed, ${this.instances.filter((i) => i.hold).length} instances to hold`; }

  toSave() {
    const touched = this.instances.filter((instance) => instance.changed.size || instance.hold !== instance.held);
    return { instances: Object.fromEntries(touched.map((instance) => [instance.id, { hold: instance.hold,
      frames: Object.fromEntries([...instance.changed].map((frame) => [frame, this.boxes(instance, frame).map((known) => known.box)])) }])) };
  }
}
