// The review page: the contact sheet, the answer, and what ties them to the viewer. Everything is written as text.
import { Model } from "./review_model.js";
import { Viewer, overlay, stage } from "./review_viewer.js";

const REFRESH_MS = 3000, MASK = "Mask and check again", RELEASE = "Release";
const KEYS = { Delete: "remove", Backspace: "remove", c: "clear", a: "all", s: "series", h: "hold", z: "undo", m: "masked" };
const by = (id) => document.getElementById(id);
const transfer = decodeURIComponent(location.pathname.split("/").filter(Boolean).at(-1));
const view = { facts: null, model: null, tiles: [], current: 0, answered: null };
const viewer = new Viewer(by("viewer"), transfer, refreshTiles);

async function call(path, method = "GET", body = undefined) {
  const answer = await fetch(path, { method, credentials: "same-origin", ...(body && { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }) });
  const content = await answer.json().catch(() => ({}));
  if (answer.ok) return content;
  if (answer.status === 401) throw new Error("You are not logged in any more. Load the Airflow page again.");
  if (answer.status === 403) throw new Error("Your role does not allow this.");
  const detail = typeof content.detail === "string" ? content.detail : "";
  throw new Error(detail || `The server answered ${answer.status}. See its log.`);
}

function tell(error, good = "") {
  by("problem").hidden = !error;
  by("problem").textContent = error ? error.message : "";
  by("told").hidden = !good;
  by("told").textContent = good;
}

const guarded = (work) => async (...given) => { try { await work(...given); } catch (error) { tell(error); } };

async function refresh() {
  const facts = await call(`../api/review/${encodeURIComponent(transfer)}`);
  by("transfer").textContent = facts.transfer;
  by("state").textContent = facts.waiting ? "waits for an answer" : facts.state;
  by("state").className = `state ${facts.state}`;
  by("back").href = `../#${encodeURIComponent(facts.transfer)}`;
  const open = facts.waiting && facts.asked_at !== view.answered;
  by("answer").hidden = !open || !facts.may_answer;
  by("desk").hidden = !open || !facts.may_answer || !facts.instances.length;
  by("nothing").hidden = !open || !facts.may_answer || facts.instances.length > 0;
  if (!open && !by("told").textContent) tell(null, "Nobody is asked about this transfer now.");
  if (open && !facts.may_answer) tell(new Error("Your role does not allow to see these pictures or to answer."));
  if (open && facts.may_answer && view.facts?.asked_at !== facts.asked_at) start(facts);
}

function start(facts) {
  tell(null);
  Object.assign(view, { facts, model: new Model(facts), current: 0 });
  viewer.model = view.model;
  by("counts").textContent = Object.entries(facts.counts).map(([name, number]) => `${name.replaceAll("_", " ")} ${number}`).join(", ");
  by("reason").replaceChildren(...facts.reasons.map((reason) => new Option(reason, reason)));
  // A release asks about a whole transfer, of which no picture need be in doubt or masked.
  const nothing = !view.model.instances.length;
  by("desk").hidden = by("save").hidden = by("changed").hidden = nothing;
  by("nothing").hidden = !nothing;
  by("report").href = `../api/transfers/${encodeURIComponent(transfer)}/report`;
  const options = nothing ? facts.options.filter((option) => option !== MASK) : facts.options.includes(MASK) ? facts.options : [RELEASE, MASK, ...facts.options.slice(1)];
  by("buttons").replaceChildren(...options.map((option) => Object.assign(document.createElement("button"),
    { type: "button", className: option === MASK ? "main" : "", textContent: option, onclick: guarded(() => answer(option)) })));
  buildSheet();
}

function buildSheet() {
  const doubtful = by("filter").value === "doubt";
  const wanted = view.model.instances.filter((instance) => !doubtful || instance.doubts.length);
  view.tiles = wanted.flatMap((instance) => view.model.framesOf(instance).map((frame) => ({ instance, frame, element: null })));
  by("sheet").replaceChildren(...view.tiles.map(tile));
  by("shown").textContent = `${view.tiles.length} frames of ${wanted.length} instances`;
  if (view.tiles.length) select(0);
  refreshTiles();
}

function tile(entry, index) {
  const { instance, frame } = entry;
  const element = Object.assign(document.createElement("div"), { className: "tile", tabIndex: 0, onclick: () => select(index) });
  element.setAttribute("role", "listitem");
  const caption = document.createElement("div");
  element.append(stage(view.model, transfer, instance, frame, { small: true, which: instance.masked ? "masked" : "original" }), caption);
  return Object.assign(entry, { element, caption }).element;
}

function refreshTiles() {
  for (const { instance, frame, element, caption } of view.tiles) {
    overlay(element.querySelector("svg"), view.model, instance, frame);
    element.classList.toggle("doubt", instance.doubts.length > 0);
    element.classList.toggle("hold", instance.hold);
    const number = view.model.boxes(instance, frame).length;
    caption.textContent = `${instance.id.slice(0, 10)}${instance.frames > 1 ? ` · ${frame + 1}/${instance.frames}` : ""} · ${number} ${number === 1 ? "box" : "boxes"}${instance.hold ? " · held" : ""}`;
  }
  by("changed").textContent = view.model ? view.model.counts : "";
}

function select(index) {
  view.tiles[view.current]?.element.setAttribute("aria-current", "false");
  view.current = Math.min(view.tiles.length - 1, Math.max(0, index));
  const { instance, frame, element } = view.tiles[view.current];
  element.setAttribute("aria-current", "true");
  element.scrollIntoView({ block: "nearest" });
  viewer.show(instance, frame);
}

async function save() {
  if (view.model.unsaved) {
    const saved = await call(`../api/review/${encodeURIComponent(transfer)}/rectangles`, "PUT", view.model.toSave());
    view.facts.digest = saved.digest;
    view.model.unsaved = false;
  }
  return view.facts.digest;
}

async function answer(option) {
  const { facts, model } = view, later = facts.gate !== "review_findings";
  if (later && option === RELEASE && model.drew) throw new Error("There are rectangles that are not masked yet. Choose “Mask and check again”, or undo them.");
  const run = encodeURIComponent(facts.run);
  if (later && option === MASK) {
    model.unsaved = true;
    await save();
    await call("../../api/v2/dags/transfer/clearTaskInstances", "POST", { dry_run: false, dag_run_id: facts.run, task_ids: ["rewrite_pixels"],
      include_downstream: true, only_failed: false, reset_dag_runs: true });
  } else {
    const rectangles = option === "Quarantine" ? "" : await save();
    await call(`../../api/v2/dags/transfer/dagRuns/${run}/taskInstances/${facts.gate}/-1/hitlDetails`, "PATCH",
      { chosen_options: [option], params_input: { reason: by("reason").value, rectangles } });
  }
  view.answered = facts.asked_at;
  tell(null, `Answered: ${option}. This page shows the next question when there is one.`);
  await refresh();
}

async function propose() {
  const boxes = viewer.selected.map((known) => known.box);
  const made = await call(`../api/review/${encodeURIComponent(transfer)}/proposals`, "POST", { instance: viewer.instance.id, boxes });
  tell(null, `Proposed: ${made.file}. It takes effect when an administrator adopts it (airlock locations adopt).`);
}

by("save").addEventListener("click", guarded(async () => { await save(); tell(null, "Saved. Nothing is masked before the answer."); }));
by("filter").addEventListener("change", buildSheet);
by("viewer").addEventListener("click", (event) => {
  const what = event.target.closest("button")?.dataset.do;
  if (what) guarded(async () => what === "propose" ? propose() : viewer.act(what))();
});
document.addEventListener("keydown", (event) => {
  if (by("desk").hidden || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select, input")) return;
  if (event.key === "Enter" && event.target.closest("button, a")) return;
  const moves = { ArrowLeft: () => viewer.step(-1), ArrowRight: () => viewer.step(1), ArrowUp: () => select(view.current - 1), ArrowDown: () => select(view.current + 1),
    Enter: () => { const index = view.tiles.findIndex((entry) => entry.element === document.activeElement); if (index >= 0) select(index); } };
  const what = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!moves[event.key] && !what) return;
  event.preventDefault();
  if (moves[event.key]) moves[event.key](); else viewer.act(what);
});
window.addEventListener("beforeunload", (event) => { if (view.model?.unsaved && !by("desk").hidden) event.preventDefault(); });
guarded(refresh)();
setInterval(() => { if (!document.hidden) guarded(refresh)(); }, REFRESH_MS);
