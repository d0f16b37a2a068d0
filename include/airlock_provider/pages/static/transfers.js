// The list of transfers, one transfer's history, and the form for a new one. Everything is written as text, never as HTML.
const PAGE = 50, REFRESH_MS = 4000;
const STATES = ["requested", "running", "in review", "held", "failed", "refused", "prepared", "empty", "sent", "cancelled", "withdrawn"];
const CHAIN = ["accept_request", "wait_for_study", "pull_study", "screen_instances", "detect_burned_in_text", "review_findings", "rewrite_pixels", "review_masked",
  "deidentify", "verify_output", "release_to_research", "send_to_research", "confirm_receipt", "update_redcap", "archive_request"];
const view = { state: "", offset: 0, chosen: location.hash.slice(1), mayStart: false, drawn: {} };
const by = (id) => document.getElementById(id);

function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

async function call(path, options = {}) {
  const answer = await fetch(path, { credentials: "same-origin", ...options });
  const body = await answer.json().catch(() => ({}));
  if (answer.ok) return body;
  if (answer.status === 401) throw new Error("You are not logged in any more. Load the Airflow page again.");
  if (answer.status === 403) throw new Error("Your role does not allow this.");
  const detail = typeof body.detail === "string" ? body.detail : "";
  throw Object.assign(new Error(detail || `The server answered ${answer.status}. See its log.`), { status: answer.status });
}

function tell(error) {
  by("problem").hidden = !error;
  by("problem").textContent = error ? error.message : "";
}

const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;
const when = (text, seconds) => {
  if (!text) return "";
  const shown = new Date(text).toLocaleString("sv", { dateStyle: "short", timeStyle: seconds ? "medium" : "short" });
  return make("time", { dateTime: text, title: `${shown}, ${ZONE}` }, seconds ? shown.replace(" ", "\n") : shown);
};
const span = (seconds) => seconds === null || seconds === undefined ? "" : seconds < 120 ? `${seconds} s` : seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;

function bar(transfer) {
  if (!["running", "requested"].includes(transfer.state)) return [transfer.message];
  const total = transfer.expected || transfer.in;
  const title = total ? `${transfer.in - transfer.open} of ${total} instances ended` : "Its instances are not counted yet";
  const progress = make("progress", total ? { max: total, value: transfer.in - transfer.open, title } : { title });
  progress.setAttribute("aria-label", title);
  return [progress, transfer.message ? make("div", { className: "dim" }, transfer.message) : ""];
}

function row(transfer) {
  const cells = ["in", "sent", "skipped", "held", "boxes"].map((name) => make("td", { className: "number" }, String(transfer[name])));
  const line = make("tr", { tabIndex: 0 },
    make("td", {}, when(transfer.arrived_at)), make("td", {}, transfer.project || "unknown"),
    make("td", { className: "id" }, make("code", {}, transfer.transfer)),
    make("td", { className: `state ${transfer.state}` }, transfer.state, transfer.overdue ? make("div", { className: "failed" }, "overdue") : "", transfer.redcap_owed ? make("div", { className: "dim" }, "REDCap is told later") : ""),
    make("td", {}, ...bar(transfer)), ...cells, make("td", { className: "number" }, span(transfer.seconds)));
  line.dataset.transfer = transfer.transfer;
  line.setAttribute("aria-selected", String(transfer.transfer === view.chosen));
  return line;
}

function stateButtons(states) {
  const all = Object.values(states).reduce((sum, number) => sum + number, 0);
  const entries = [["", `all ${all}`], ...STATES.filter((state) => states[state]).map((state) => [state, `${state} ${states[state]}`])];
  by("states").replaceChildren(...entries.map(([state, label]) => {
    const button = make("button", { className: state, onclick: () => { view.state = state; view.offset = 0; refresh(); } }, label);
    button.setAttribute("aria-pressed", String(state === view.state));
    return button;
  }));
}

// What did not change is left alone, so that neither the focus nor a selection of text is lost every few seconds.
function isNew(part, content) {
  const text = JSON.stringify(content);
  const changed = view.drawn[part] !== text;
  view.drawn[part] = text;
  return changed;
}

async function refresh() {
  const query = new URLSearchParams({ project: by("project").value, days: by("days").value, offset: view.offset, limit: PAGE });
  if (view.state) query.set("state", view.state);
  try {
    const found = await call(`api/transfers?${query}`);
    if (isNew("list", [found.transfers, view.chosen])) {
      const focused = document.activeElement?.dataset?.transfer;
      by("list").tBodies[0].replaceChildren(...found.transfers.map(row));
      if (focused) document.querySelector(`tr[data-transfer="${focused}"]`)?.focus();
    }
    if (isNew("states", [found.states, view.state])) stateButtons(found.states);
    const chosen = by("project").value;
    const names = [...new Set([...found.projects, chosen])].filter(Boolean).sort();
    if (isNew("projects", names)) by("project").replaceChildren(make("option", { value: "" }, "all"), ...names.map((name) => make("option", { value: name, selected: name === chosen }, name)));
    by("none").hidden = found.total > 0;
    by("range").textContent = found.total > PAGE ? `${view.offset + 1} to ${Math.min(view.offset + PAGE, found.total)} of ${found.total}` : "";
    by("newer").hidden = view.offset === 0;
    by("older").hidden = view.offset + PAGE >= found.total;
    tell(null);
    if (view.chosen) await showDetail();
  } catch (error) { tell(error); }
}

function stepLine(step, run) {
  const place = step.step === "redcap" || !run ? step.step
    : make("a", { href: `../dags/transfer/runs/${encodeURIComponent(run)}/tasks/${step.step}`, target: "_top" }, step.step);
  const told = step.told.message ?? Object.entries(step.told).map(([name, value]) => `${name} ${value}`).join(", ");
  return make("tr", {}, make("td", {}, when(step.at, true)), make("td", {}, place, make("div", { className: `state ${step.ended === "failed" ? "failed" : step.ended === "finished" ? "sent" : "running"}` }, [step.ended === "not ended" ? "running" : step.ended, span(step.seconds)].filter(Boolean).join(", "))),
    make("td", { className: "dim" }, told));
}

// Who asked, stopped, answered or took back; without a name it was Airlock itself.
function personLine(person) {
  const what = ["door", "gate", "answer", "reason", "count"].filter((name) => person[name]).map((name) => `${name} ${person[name]}`).join(", ");
  return make("tr", {}, make("td", {}, when(person.at, true)), make("td", {}, person.did, make("div", { className: "dim" }, `by ${person.by || "Airlock"}`)),
    make("td", { className: "dim" }, what));
}

function timeline(facts) {
  const lines = [...facts.people.map((person) => ({ at: person.at, rank: -1, line: () => personLine(person) })),
    ...facts.steps.map((step) => ({ at: step.at, rank: CHAIN.indexOf(step.step), line: () => stepLine(step, facts.run) }))];
  lines.sort((a, b) => a.at.localeCompare(b.at) || a.rank - b.rank);
  const heads = [`At (${ZONE})`, "What", "Told"].map((name) => make("th", {}, name));
  return make("table", { id: "timeline" }, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...lines.map((one) => one.line())));
}

async function showDetail() {
  const facts = await call(`api/transfers/${encodeURIComponent(view.chosen)}`).catch((error) => { if (error.status === 404) return null; throw error; });
  if (!facts) {
    if (isNew("detail", view.chosen)) show(make("h2", {}, make("code", {}, view.chosen)), make("p", {}, "The ledger knows no such transfer (yet). If it was just asked for, it waits in the drop folder until the intake takes it."), closeButton());
    return;
  }
  delete facts.made_at;
  if (!isNew("detail", [facts, view.mayStart])) return;
  const ended = !["running", "requested", "in review"].includes(facts.state);
  const again = make("button", { onclick: () => startAgain(facts, false) }, "Do it again from the start");
  const goOn = make("button", { onclick: () => startAgain(facts, true) }, "Go on at the failed task");
  const stop = make("button", { onclick: () => change(facts, "cancel", "Stop this transfer? Its files are removed; what was sent already stays at the research PACS.") }, "Cancel");
  const back = make("button", { onclick: () => change(facts, "withdraw", "Take this transfer back? Airlock lists what must be deleted at the research PACS, and tells REDCap.") }, "Withdraw");
  // Those who may only look see no button that they may not press.
  const may = !view.mayStart ? [] : !ended ? [stop]
    : [["failed", "held"].includes(facts.state) ? goOn : "", facts.run ? again : "", facts.state === "withdrawn" ? "" : back];
  const reasons = Object.entries(facts.reasons).map(([reason, number]) => make("tr", {}, make("td", {}, reason), make("td", { className: "number" }, String(number))));
  show(
    make("h2", {}, make("code", {}, facts.transfer)),
    make("p", { className: `state ${facts.state}`, style: "white-space: normal" }, facts.outcome),
    facts.state === "in review" ? make("p", {}, make("a", { href: `review/${encodeURIComponent(facts.transfer)}`, id: "review" }, "Look at the pictures and answer")) : "",
    facts.redcap_owed.length ? make("p", { className: "held" }, `REDCap is told later: ${facts.redcap_owed[0]}`) : "",
    make("div", { className: "buttons" },
      make("a", { href: `api/transfers/${encodeURIComponent(facts.transfer)}/report`, target: "_blank" }, "Report"),
      facts.run ? make("a", { href: `../dags/transfer/runs/${encodeURIComponent(facts.run)}`, target: "_top" }, "Airflow run") : "", ...may, closeButton()),
    make("h3", {}, "Timeline"), timeline(facts),
    ...(reasons.length ? [make("h3", {}, "Why instances were left out or held"), make("table", {}, make("tbody", {}, ...reasons))] : []),
    make("p", { className: "dim" }, facts.chain.problem ? `Its history was changed: ${facts.chain.problem}` : `${facts.chain.events} events, unchanged.`));
}

const closeButton = () => make("button", { onclick: () => choose("") }, "Close");

function show(...content) {
  const focused = by("detail").contains(document.activeElement) ? document.activeElement.textContent : null;
  by("detail").replaceChildren(...content.filter(Boolean));
  by("detail").hidden = false;
  if (focused !== null) ([...by("detail").querySelectorAll("button, a")].find((one) => one.textContent === focused) ?? by("detail")).focus();
  document.querySelector("main").classList.add("split");
}

async function choose(transfer) {
  const before = view.chosen;
  view.chosen = transfer;
  delete view.drawn.detail;
  history.replaceState(null, "", `#${transfer}`);
  by("detail").hidden = !transfer;
  document.querySelector("main").classList.toggle("split", Boolean(transfer));
  await refresh();
  // Above the list where there is no room beside it; either way, the keyboard's place is not lost.
  if (transfer && transfer !== before && !by("detail").contains(document.activeElement)) { by("detail").focus({ preventScroll: true }); by("detail").scrollIntoView({ block: "nearest" }); }
  else if (before) document.querySelector(`tr[data-transfer="${before}"]`)?.focus();
}

// A transfer ends a moment before its run does; the scheduler takes it ill when a run is cleared in that moment.
async function runEnds(run) {
  for (let tries = 0; tries < 60; tries++) {
    const { state } = await call(`../api/v2/dags/transfer/dagRuns/${encodeURIComponent(run)}`);
    if (["success", "failed"].includes(state)) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error("Its run has not ended yet. Try again in a minute.");
}

async function startAgain(facts, onlyFailed) {
  const question = onlyFailed ? "Go on at the failed task?" : "Do this transfer again from the start? What the research PACS has is replaced by the same instances.";
  if (!confirm(question)) return;
  try {
    await runEnds(facts.run);
    await call(`api/transfers/${encodeURIComponent(facts.transfer)}/again`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ from_start: !onlyFailed }) });
    await call("../api/v2/dags/transfer/clearTaskInstances", { method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ dry_run: false, dag_run_id: facts.run, only_failed: onlyFailed, include_downstream: true, reset_dag_runs: true }) });
    await refresh();
  } catch (error) { tell(error); }
}

// A gate looks at nothing while it waits for a person; an answer lets it go on, and so see that the transfer is to stop.
async function endQuestion(run) {
  const tasks = `../api/v2/dags/transfer/dagRuns/${encodeURIComponent(run)}/taskInstances`;
  const { task_instances: waiting } = await call(`${tasks}?state=awaiting_input`);
  for (const { task_id: gate } of waiting) {
    await call(`${tasks}/${gate}/-1/hitlDetails`, { method: "PATCH", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ chosen_options: ["Quarantine"], params_input: { reason: "not given", rectangles: "" } }) });
  }
}

async function change(facts, what, question) {
  if (!confirm(question)) return;
  try {
    const done = await call(`api/transfers/${encodeURIComponent(facts.transfer)}/${what}`, { method: "POST" });
    if (what === "cancel" && facts.state === "in review") await endQuestion(facts.run);
    await refresh();
    if (done.to_delete) alert(`${done.to_delete} instances must be deleted at the research PACS. They are listed in withdrawn/${done.list} below AIRLOCK_HOME.`);
  } catch (error) { tell(error); }
}

by("list").addEventListener("click", (event) => { const line = event.target.closest("tr[data-transfer]"); if (line) choose(line.dataset.transfer); });
by("list").addEventListener("keydown", (event) => { const line = event.target.closest("tr[data-transfer]"); if (line && [" ", "Enter"].includes(event.key)) { event.preventDefault(); choose(line.dataset.transfer); } });
document.addEventListener("keydown", (event) => { if (event.key === "Escape" && view.chosen && !by("form").open) choose(""); });
for (const id of ["project", "days"]) by(id).addEventListener("change", () => { view.offset = 0; refresh(); });
by("older").addEventListener("click", () => { view.offset += PAGE; refresh(); });
by("newer").addEventListener("click", () => { view.offset = Math.max(0, view.offset - PAGE); refresh(); });
by("new").addEventListener("click", () => { by("form-problem").hidden = true; by("form").showModal(); });
by("form").querySelector("form").addEventListener("submit", async (event) => {
  if (event.submitter?.value !== "write") return;
  event.preventDefault();
  const fields = Object.fromEntries([...new FormData(event.target)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value));
  for (const name of ["dry_run", "stop_before_send"]) if (fields[name]) fields[name] = true;
  fields.redcap_repeat_instance = Number(fields.redcap_repeat_instance);
  by("write").disabled = true;
  try {
    const made = await call("api/requests", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(fields) });
    by("form").close();
    event.target.reset();
    choose(made.transfer);
  } catch (error) { by("form-problem").hidden = false; by("form-problem").textContent = error.message; }
  finally { by("write").disabled = false; }
});

by("requested").textContent = `Requested (${ZONE})`;
call("api/me").then((me) => {
  view.mayStart = me.may_start;
  by("new").hidden = by("none-new").hidden = !me.may_start;
  by("form").querySelector("select").append(...me.projects.map((name) => make("option", { value: name }, name)));
}).catch(tell).finally(refresh);
setInterval(() => { if (!document.hidden && !by("form").open) refresh(); }, REFRESH_MS);
