// Keys, copy buttons, drafts, and how old the page is. Everything that reads or decides works
// without this file.
"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector) => [...document.querySelectorAll(selector)];
  const STALE = 60000, SILENT = 15000;
  let heard = Date.now(), going = 0;

  // keys

  const rows = () => $$("[data-row]");
  const open = (row) => row && $("a[data-open]", row)?.click();

  function step(by) {
    const all = rows();
    const now = all.findIndex((row) => row.contains(document.activeElement));
    const row = all[Math.min(Math.max(now + by, 0), all.length - 1)];
    (row && ($("a[data-open]", row) ?? row))?.focus();
  }

  const KEYS = {
    j: () => step(1),
    k: () => step(-1),
    x: () => $("input[type=checkbox]", currentRow() ?? document)?.click(),
    o: () => open(currentRow()),
    a: () => focusOn("[data-key=a]"),
    d: () => focusOn("[data-key=d]"),
    u: () => focusOn("[data-key=u]"),
    e: () => focusOn("[data-key=e]"),
    c: () => focusOn("[data-key=c]"),
    "/": () => $("#search")?.focus(),
    "?": () => $("#help")?.showModal(),
    g: () => { going = Date.now(); },
  };

  const currentRow = () => document.activeElement?.closest("[data-row]");

  function focusOn(selector) {
    const found = $(selector);
    found?.closest("details")?.setAttribute("open", "");
    found?.focus();
  }

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]), textarea, select");
    if (typing || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.body.hasAttribute("data-no-letter-keys") || $("dialog[open]")) return;
    if (Date.now() - going < 2000 && event.key !== "g") {
      going = 0;
      const link = $(`[data-go="${CSS.escape(event.key)}"]`);
      if (link) { event.preventDefault(); link.click(); return; }
    }
    const act = Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : null;
    if (act) { event.preventDefault(); act(); }
  });

  // copy

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "copied";
    } catch {
      button.textContent = "not copied";
    }
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  });

  // drafts survive a session that ends

  const draftKey = (field) => `draft ${location.pathname} ${field.name}`;

  function restoreDrafts() {
    for (const field of $$("[data-draft]")) {
      const kept = sessionStorage.getItem(draftKey(field));
      if (kept && !field.value) field.value = kept;
    }
  }

  document.addEventListener("input", (event) => {
    const field = event.target.closest("[data-draft]");
    if (field) sessionStorage.setItem(draftKey(field), field.value);
  });

  // The draft goes when the answer is a success.
  document.addEventListener("htmx:after:request", (event) => {
    const status = event.detail?.ctx?.response?.status ?? 0;
    if (status >= 200 && status < 300) {
      for (const field of event.target.querySelectorAll?.("[data-draft]") ?? []) {
        sessionStorage.removeItem(draftKey(field));
      }
    }
  });

  // buttons: sent once, and a word after five seconds

  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-once]");
    if (!form) return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    setTimeout(() => {
      const note = $("[data-sending]", form);
      if (note && form.isConnected) note.hidden = false;
    }, 5000);
  });

  document.addEventListener("htmx:finally:request", (event) => {
    delete event.target.dataset?.sent;
    const note = $("[data-sending]", event.target);
    if (note) note.hidden = true;
  });

  // A decision that did not count: its answer has the difference, which is read first.
  document.addEventListener("htmx:after:swap", () => $("#decision [data-focus]")?.focus());

  const hear = () => { heard = Date.now(); };
  for (const name of ["hello", "ping", "case-changed", "list-changed", "undo-progress", "stop-changed"]) {
    document.addEventListener(name, hear);
  }

  document.addEventListener("list-changed", (event) => {
    const note = $("#news");
    if (note && event.detail?.data !== note.dataset.version) note.hidden = false;
  });

  document.addEventListener("htmx:sse:error", (event) => {
    if (event.detail?.status === 401) setConnection("You are signed out. Sign in again in a new tab.");
  });

  function setConnection(text) {
    const found = $("#connection");
    if (found && found.textContent !== text) found.textContent = text;
  }

  setInterval(() => {
    if (!$("#live")) return;
    const silence = Date.now() - heard;
    if (silence > SILENT) setConnection("· connection lost; this page shows an earlier state");
    else setConnection("· live");
    for (const button of $$("[data-decides]")) {
      const isStale = silence > STALE;
      if (isStale !== button.hasAttribute("data-stale")) {
        button.toggleAttribute("data-stale", isStale);
        button.disabled = isStale;
        button.title = isStale ? "Refresh the page first" : "";
      }
    }
  }, 1000);

  // a minute before the session ends

  const ending = $("#session-end");
  let endsAt = Date.now() + 1000 * (ending?.dataset.seconds ?? 0);
  if (ending) setInterval(() => { ending.hidden = endsAt - Date.now() > 60000; }, 1000);

  $("#stay")?.addEventListener("click", async () => {
    const headers = { "X-Clawback-CSRF": ending.dataset.csrf };
    const answer = await fetch("/auth/extend", { method: "POST", headers });
    if (answer.ok) endsAt = Date.now() + 1000 * (await answer.json()).seconds;
    else location.assign("/sign-in");
  });

  // start

  const zone = $("#browser-zone");
  if (zone) zone.textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
  restoreDrafts();
  $("[data-focus]")?.focus();
})();
