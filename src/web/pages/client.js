// What stakeout puts into pages: loads them again when there is something new to see, and shows over
// them what went wrong. It writes no markup, so that no policy of the page stands against it.
"use strict";
(() => {
  // Of a page that is there instead of the program's own, `waiting` says what for.
  const { page, kept, waiting, failure: shown, changes } = document.currentScript.dataset;
  const own = new URL(".", document.currentScript.src);
  // A page within a page leaves it to the outer one, if that has this script, too.
  try {
    if (window !== window.top && window.top.__stakeout) return;
  } catch { /* Another site's; then it is ours to do. */ }
  if (window.__stakeout) return;
  window.__stakeout = true;

  let live = null;
  let styles = null;
  let isLeaving = false;

  function reload() {
    if (isLeaving) return;
    isLeaving = true;
    live?.close();
    location.reload();
  }

  // Only pages that are looked at listen: browsers have few connections for each site.
  function listen() {
    if (document.hidden || isLeaving) {
      live?.close();
      live = null;
    } else if (live === null) {
      live = new EventSource(new URL("live", own));
      live.onmessage = ({ data }) => show(JSON.parse(data));
    }
  }

  // Whether another page is to be seen than this one.
  function isOver(scene) {
    switch (waiting) {
      case undefined: return scene.page !== page;
      case "change": return scene.state === "closed" || String(scene.changes) !== changes;
      case "state": return scene.state !== "busy";
      case "listening": return scene.state === "closed" || scene.page !== page;
      default: return scene.state === "open" || (scene.failure !== null && scene.failure.id !== shown);
    }
  }

  function show(scene) {
    if (isOver(scene)) {
      // What answers a form is not asked for again: that would send it once more.
      if (kept === undefined) return reload();
      badge.show("there is something new: load the page again");
      return;
    }
    if (styles !== null && styles !== scene.styles) swapStyles(scene.styles);
    styles = scene.styles;
    // A page that is all about the failure shows it by itself.
    overlay.show(waiting === undefined ? scene.failure : null);
    badge.show(scene.state === "busy" ? scene.doing + "…" : null);
  }

  // The new sheet is there before the old one goes, so that nothing flickers.
  function swapStyles(version) {
    const links = documents(window).flatMap((page) => [...page.querySelectorAll('link[rel~="stylesheet"][href]')]);
    const ours = links.filter((link) => new URL(link.href).origin === location.origin);
    // What a sheet imports, or a page contains, cannot be asked for alone.
    if (ours.length === 0 || ours.some(imports)) return reload();
    for (const old of ours) {
      const url = new URL(old.href);
      url.searchParams.set("stakeout", version);
      const next = old.cloneNode();
      next.href = url;
      next.removeAttribute("integrity");
      next.onload = next.onerror = () => old.remove();
      old.after(next);
    }
  }

  // The documents of a window and of all frames in it that are ours to look at.
  function documents(of) {
    try {
      return [of.document, ...Array.from({ length: of.length }, (_, index) => documents(of[index])).flat()];
    } catch {
      return [];
    }
  }

  function imports(link) {
    try {
      return [...(link.sheet?.cssRules ?? [])].some((rule) => rule.constructor.name === "CSSImportRule");
    } catch {
      return false;
    }
  }

  // Elements of ours, which the page's styles do not reach.
  function shadow(name, css) {
    const host = document.createElement("stakeout-" + name);
    const root = host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    root.adoptedStyleSheets = [sheet];
    return { host, root };
  }

  function element(name, text, className) {
    const made = document.createElement(name);
    made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  const overlay = {
    shown: null,
    closed: null,
    host: null,
    show(failure) {
      const text = JSON.stringify(failure);
      if (text === this.shown) return;
      this.shown = text;
      this.host?.remove();
      if (failure === null || text === this.closed) return;
      const { host, root } = shadow("failure", CSS_OVERLAY + CSS_COLOURS);
      const box = element("section", "");
      box.setAttribute("role", "alert");
      const close = element("button", "×");
      close.setAttribute("aria-label", "Close");
      close.onclick = () => this.close();
      const all = element("a", "All of it, and how stakeout is");
      all.href = own;
      const output = element("pre", "");
      for (const line of failure.lines) {
        for (const [text, className] of line) output.append(element("span", text, className));
        output.append("\n");
      }
      box.append(close, element("h1", failure.title), output, all);
      root.append(box);
      document.documentElement.append(host);
      output.scrollTop = output.scrollHeight;
      this.host = host;
    },
    close() {
      this.closed = this.shown;
      this.host?.remove();
    },
  };
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") overlay.close();
  });

  const badge = {
    host: null,
    timer: null,
    show(text) {
      clearTimeout(this.timer);
      this.host?.remove();
      if (text === null) return;
      // What takes no time is not worth a word.
      this.timer = setTimeout(() => {
        const { host, root } = shadow("badge", CSS_BADGE);
        root.append(element("p", text));
        document.documentElement.append(host);
        this.host = host;
      }, 300);
    },
  };

  const CSS_OVERLAY = `
    section { position: fixed; inset: 0; z-index: 2147483647; overflow: auto; box-sizing: border-box;
      padding: 5vh 5vw; background: rgb(22 22 26 / .94); color: #ddd;
      font: 14px/1.5 ui-monospace, Menlo, Consolas, monospace; text-align: left }
    h1 { margin: 0 2em 1em 0; color: #ff6b6b; font-size: 18px }
    pre { max-height: 70vh; overflow: auto; margin: 0 0 1em; padding: 1em; background: #000;
      white-space: pre-wrap; overflow-wrap: anywhere; font: inherit }
    a { color: #7cc7ff }
    button { float: right; border: 0; background: none; color: #ddd; font-size: 28px; cursor: pointer }`;
  const CSS_COLOURS = `{{colours}}`;
  const CSS_BADGE = `
    p { position: fixed; right: 12px; bottom: 12px; z-index: 2147483646; margin: 0; padding: 4px 10px;
      border-radius: 4px; background: #16161a; color: #f2d06b; font: 13px/1.5 system-ui, sans-serif }`;

  // Nothing tells when a program that runs begins to listen: ask until it answers.
  async function awaitProgram() {
    while (!isLeaving) {
      try {
        const answer = await fetch(location.href, { method: "HEAD", cache: "no-store" });
        if (answer.status !== 502 && answer.status !== 504) return reload();
      } catch { /* stakeout itself is away. */ }
      await new Promise((done) => setTimeout(done, 1000));
    }
  }

  document.addEventListener("visibilitychange", listen);
  addEventListener("pageshow", listen);
  addEventListener("pagehide", () => { live?.close(); live = null; });
  listen();
  if (waiting === "listening") awaitProgram();
})();
