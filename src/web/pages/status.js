// Shows how stakeout is, and asks it for things.
"use strict";
const token = document.querySelector("meta[name=token]").content;
const by = (id) => document.getElementById(id);

function cell(text, className) {
  const made = document.createElement("td");
  if (text instanceof Node) made.append(text);
  else made.textContent = text ?? "";
  if (className) made.className = className;
  return made;
}

function row(...cells) {
  const made = document.createElement("tr");
  made.append(...cells);
  return made;
}

function code(text) {
  const made = document.createElement("code");
  made.textContent = text;
  return made;
}

const duration = (ms) => ms === null || ms === undefined ? ""
  : ms < 1000 ? `${ms} ms`
  : ms < 60000 ? `${(ms / 1000).toFixed(1)} s`
  : `${Math.floor(ms / 60000)} min`;

const colour = (it) => it.building ? "busy"
  : it.ready ? "good"
  : ["failed", "retrying"].includes(it.state) ? "wrong"
  : it.state === "done" ? "faint" : "busy";

const words = (it) => [it.state, it.building && "building", it.paused && "paused"].filter(Boolean).join(", ");

function services(status) {
  const all = status.services?.length ? status.services : [status];
  by("services").replaceChildren(...all.map((it) => {
    const { program, build } = it;
    const counts = program?.restarts ?? {};
    const process = program === null ? "" : program.pid === null
      ? `ended: ${program.last_exit ?? "not started"}`
      : `${program.pid}, for ${duration(program.started_ms_ago)}`;
    return row(
      cell(code(it.name ?? program?.command ?? "")),
      cell(words(it), colour(it)),
      cell(process),
      cell(it.generation, "number"),
      cell(program === null ? "" : `${counts.by_change} by change, ${counts.by_failure} by failure, ${counts.by_request} on request`),
      cell(build === null ? "" : build.failure ?? `${build.result}, ${duration(build.took_ms)}`, build?.result === "failed" ? "wrong" : ""),
    );
  }));
}

const TRUST = {
  share: "a share, where edits made elsewhere make no events: looked at again and again",
  trusted: "events are relied upon; all is looked at every 10 s besides",
  missed: "a change came without an event: looked at again and again",
};

const CAUSE = { begin: "the first", change: "by change", failure: "by failure", request: "on request" };

const PARTS = ["detect", "settle", "build", "stop", "ready"];

function restarts(status) {
  const all = status.services?.length ? status.services : [status];
  const recent = all.flatMap((it) => (it.recent ?? []).map((one) => ({ name: it.name, ...one })));
  recent.sort((a, b) => b.at - a.at);
  const total = (one) => PARTS.reduce((sum, part) => sum + (one[part + "_ms"] ?? 0), 0);
  const longest = Math.max(1, ...recent.map(total));
  by("restarts").replaceChildren(...recent.slice(0, 20).map((one) => {
    const bar = document.createElement("div");
    bar.className = "bar";
    bar.style.width = `${(100 * total(one)) / longest}%`;
    for (const part of PARTS) {
      const took = one[part + "_ms"];
      if (took === null || took === undefined) continue;
      const piece = document.createElement("i");
      piece.className = part;
      piece.style.flexGrow = took;
      piece.title = `${part}: ${duration(took)}`;
      bar.append(piece);
    }
    const wide = cell(bar);
    wide.style.width = "60%";
    const time = new Date(one.at * 1000).toLocaleTimeString();
    return row(cell(time, "faint"), cell(one.name ?? ""), cell(`generation ${one.generation}, ${CAUSE[one.cause]}`), wide, cell(duration(total(one)), "number"));
  }));
}

function watching(status) {
  const { watching } = status;
  const lines = [];
  if (watching) {
    lines.push(["Roots", code(watching.roots.join("  "))]);
    lines.push(["Files", watching.files.toLocaleString()]);
    if (watching.interval_ms !== null) lines.push(["Looked at every", duration(watching.interval_ms)]);
    for (const mount of watching.mounts ?? []) lines.push([code(mount.path), TRUST[mount.trust]]);
    for (const silent of watching.silent) lines.push([code(silent.root), `does not answer since ${new Date(silent.since * 1000).toLocaleTimeString()}`]);
    for (const path of watching.unreadable) lines.push([code(path), "cannot be read"]);
  }
  by("watching").replaceChildren(...lines.map(([what, text]) => row(cell(what, "faint"), cell(text))));
  const { changes } = status;
  by("change").textContent = changes
    ? `${changes.summary}, at ${new Date(changes.at * 1000).toLocaleTimeString()}` : "none yet";
}

async function output() {
  const lines = await (await fetch("output.json")).json();
  by("output").replaceChildren(...lines.flatMap((line) => [...line.map(([text, className]) => {
    const span = document.createElement("span");
    span.textContent = text;
    span.className = className;
    return span;
  }), "\n"]));
}

let isAsking = false;
let isAskedAgain = false;
async function refresh() {
  if (isAsking) {
    isAskedAgain = true;
    return;
  }
  isAsking = true;
  try {
    const status = await (await fetch("status.json")).json();
    const state = by("state");
    state.textContent = words(status);
    state.className = colour(status);
    for (const button of document.querySelectorAll("[data-ask]")) {
      const { ask } = button.dataset;
      if (ask === "pause") button.hidden = status.paused;
      if (ask === "resume") button.hidden = !status.paused;
    }
    services(status);
    restarts(status);
    watching(status);
    await output();
  } catch {
    by("state").textContent = "does not answer";
    by("state").className = "wrong";
  }
  isAsking = false;
  if (isAskedAgain) {
    isAskedAgain = false;
    setTimeout(refresh, 200);
  }
}

for (const button of document.querySelectorAll("[data-ask]")) {
  button.onclick = async () => {
    const answer = await fetch(button.dataset.ask, { method: "POST", headers: { "x-stakeout-token": token } });
    by("said").textContent = await answer.text();
    refresh();
  };
}

const events = new EventSource("events");
events.onopen = refresh;
events.onmessage = refresh;
events.onerror = refresh;
setInterval(refresh, 5000);
refresh();
