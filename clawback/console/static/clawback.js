// Keys, copy buttons, drafts, and how old the page is. Reading and deciding work without it.
"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const on = (name, act) => document.addEventListener(name, act);
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
    "/": () => $("#search")?.focus(),
    "?": () => $("#help")?.showModal(),
    g: () => { going = Date.now(); },
  };

  for (const key of "adeuc") KEYS[key] = () => focusOn(`[data-key=${key}]`);

  const currentRow = () => document.activeElement?.closest("[data-row]");

  function focusOn(selector) {
    const found = $(selector);
    found?.closest("details")?.setAttribute("open", "");
    found?.focus();
  }

  on("keydown", (event) => {
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

  on("click", async (event) => {
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

  for (const field of $$("[data-draft]")) {
    const kept = sessionStorage.getItem(draftKey(field));
    if (kept && !field.value) field.value = kept;
  }

  on("input", (event) => {
    const field = event.target.closest("[data-draft]");
    if (field) sessionStorage.setItem(draftKey(field), field.value);
  });

  // A success ends a draft; a refused stream says why.
  on("htmx:after:request", (event) => {
    const status = event.detail?.ctx?.response?.status ?? 0;
    if (event.target.id === "live") lost = WHY[status] ?? lost;
    if (status < 200 || status >= 300) return;
    for (const field of $$("[data-draft]", event.target)) {
      sessionStorage.removeItem(draftKey(field));
    }
  });

  // sent once, and a word after five seconds

  on("submit", (event) => {
    const form = event.target.closest("form[data-once]");
    if (!form) return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    setTimeout(() => {
      const note = $("[data-sending]", form);
      if (note && form.isConnected) note.hidden = false;
    }, 5000);
  });

  on("htmx:finally:request", (event) => {
    delete event.target.dataset?.sent;
    const note = $("[data-sending]", event.target);
    if (note) note.hidden = true;
  });

  // A decision that did not count: its answer has the difference, which is read first.
  on("htmx:after:swap", () => $("#decision [data-focus]")?.focus());

  const LOST = "· connection lost; showing an earlier state";
  const WHY = {
    401: "You are signed out. Sign in again in a new tab.",
    429: "· not live: two other windows are",
  };
  let lost = LOST, pause = 4000;

  const hear = () => { heard = Date.now(); lost = LOST; pause = 4000; };
  "hello ping case-changed list-changed undo-progress stop-changed".split(" ")
    .forEach((name) => on(name, hear));

  on("list-changed", (event) => {
    const note = $("#news");
    if (note && event.detail?.data !== note.dataset.version) note.hidden = false;
  });

  on("htmx:sse:error", (event) => { lost = WHY[event.detail?.status] ?? lost; });

  setInterval(() => {
    const live = $("#live"), silence = Date.now() - heard;
    if (!live) return;
    const now = live._htmx?.sse ? "· live" : "", note = $("#connection");
    // htmx may start before its extension, and repeats no first connection that was refused.
    if (!live._htmx) htmx.process(live);
    else if (silence > pause && !now && !document.hidden) {
      pause = silence + 5000;
      htmx.trigger(live, "reconnect");
    }
    const text = silence > SILENT || lost !== LOST ? lost : now;
    if (note && note.textContent !== text) note.textContent = text;
    for (const button of $$("[data-decides]")) {
      if (silence > STALE === button.hasAttribute("data-stale")) continue;
      button.disabled = button.toggleAttribute("data-stale");
      button.title = button.disabled ? "Refresh the page first" : "";
    }
  }, 1000);

  const ending = $("#session-end");
  let endsAt = Date.now() + 1000 * (ending?.dataset.seconds ?? 0);
  if (ending) setInterval(() => { ending.hidden = endsAt - Date.now() > 60000; }, 1000);

  $("#stay")?.addEventListener("click", async () => {
    const headers = { "X-Clawback-CSRF": ending.dataset.csrf };
    const answer = await fetch("/auth/extend", { method: "POST", headers });
    if (answer.ok) endsAt = Date.now() + 1000 * (await answer.json()).seconds;
    else location.assign("/sign-in");
  });

  const zone = $("#browser-zone");
  if (zone) zone.textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
  $("[data-focus]")?.focus();
})();
