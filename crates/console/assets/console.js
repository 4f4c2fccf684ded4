// Times in the reader's zone, copy buttons, and live progress. Pages are whole without it.
(() => {
  "use strict";
  const all = (root, selector) => root.querySelectorAll(selector);
  const on = document.addEventListener.bind(document);
  const parts = [{ dateStyle: "medium" }, { timeStyle: "short" }].map((style) => new Intl.DateTimeFormat(undefined, style));
  // A line breaks between day and hour alone, unless the screen is too narrow.
  const space = matchMedia("(max-width: 359px)").matches ? " " : "\u00a0";

  const refine = (root) => {
    for (const time of all(root, "time[datetime]:not([data-keep],[data-done])")) {
      time.dataset.done = "";
      const at = new Date(time.dateTime);
      time.textContent = parts.map((part) => part.format(at).replace(/\s/g, space)).join(" ");
    }
    for (const button of all(root, "button[data-copy][hidden]")) button.hidden = !navigator.clipboard;
    for (const code of all(root, "code[data-origin]")) {
      code.textContent = new URL(code.textContent, location.href).href;
      code.removeAttribute("data-origin");
      const button = code.parentElement.querySelector("button[data-copy]");
      if (button) button.dataset.copy = code.textContent;
    }
  };

  on("click", async (event) => {
    const button = event.target.closest("button[data-copy]");
    if (button) {
      await navigator.clipboard.writeText(button.dataset.copy || location.href);
      const words = button.textContent;
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = words; }, 1500);
    }
    if (event.target.closest("[data-clear]")) {
      keep([]);
      choose();
    }
    // A menu closes from outside.
    for (const menu of all(document, "details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  on("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = document.querySelector("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  const follow = (panel) => {
    const word = panel.querySelector("[data-word]");
    const calm = word.textContent;
    const events = new EventSource(panel.dataset.live);
    events.addEventListener("progress", (event) => {
      const now = JSON.parse(event.data);
      for (const place of all(panel, "[data-p]")) place.textContent = now[place.dataset.p] ?? "…";
      const bar = panel.querySelector("[data-bar]");
      bar.max = Math.max(now.found, 1);
      bar.value = now.looked;
      for (const [step, at] of Object.entries(now.steps ?? {})) {
        const place = document.querySelector(`[data-step="${Number(step)}"]`);
        if (place) {
          place.textContent = at;
          place.dataset.at = /failed|refused|timed out|changed by|reverted/.test(at) ? "bad" : "";
        }
      }
      const said = now.stopping ? panel.dataset.stopping : calm;
      if (word.textContent !== said) word.textContent = said;
    });
    events.addEventListener("end", () => {
      events.close();
      location.reload();
    });
    events.onerror = () => {
      word.textContent = `The connection to the console was lost. ${panel.dataset.what} continues unless the console has ended too. This page reconnects by itself.`;
    };
  };

  // Save and Discard are for what differs.
  const watchForm = (form) => {
    const state = () => new URLSearchParams(new FormData(form)).toString();
    const before = state();
    const check = () => all(form, "[data-needs-change]").forEach((button) => { button.disabled = state() === before; });
    form.addEventListener("change", check);
    form.addEventListener("reset", () => setTimeout(check));
    check();
  };

  // Chosen servers stay chosen on other pages of the list, in this tab, until a plan is asked for.
  const kept = "hostssl-chosen";
  const chosen = () => new Set((sessionStorage.getItem(kept) ?? "").split(" ").filter(Boolean));
  const keep = (keys) => sessionStorage.setItem(kept, [...keys].join(" "));
  const choose = () => {
    const [form, keys] = [document.querySelector("form[data-choose]"), chosen()];
    if (!form) return;
    for (const box of all(form, "input[name=server]")) box.checked = keys.has(box.value);
    form.querySelector("[data-chosen]").textContent = keys.size ? ` (${keys.size})` : "";
    form.querySelector("[data-clear]").hidden = !keys.size;
    form.querySelector("[data-needs-choice]").disabled = !keys.size;
    const [every, boxes] = [form.querySelector("[data-all]"), all(form, "input[name=server]")];
    every.hidden = false;
    every.checked = [...boxes].every((box) => box.checked);
    every.indeterminate = !every.checked && [...boxes].some((box) => box.checked);
  };
  on("change", ({ target }) => {
    if (!target.matches("[data-choose] input[name=server], [data-choose] [data-all]")) return;
    const keys = chosen();
    const boxes = target.matches("[data-all]") ? all(target.form, "input[name=server]") : [target];
    for (const box of boxes) keys[target.checked ? "add" : "delete"](box.value);
    keep(keys);
    choose();
  });
  on("submit", ({ target: form, submitter }) => {
    if (!form.matches("form[data-choose]")) return;
    for (const value of submitter?.name === "all" ? [] : chosen()) {
      form.append(Object.assign(document.createElement("input"), { type: "hidden", name: "server", value }));
    }
    keep([]);
  });
  addEventListener("pageshow", choose);
  on("htmx:after:swap", choose);

  for (const form of all(document, "form[data-save]")) watchForm(form);
  refine(document);
  for (const panel of all(document, "[data-live]")) follow(panel);
  new MutationObserver((changes) => {
    for (const change of changes) {
      for (const node of change.addedNodes) if (node.nodeType === 1) refine(node.parentElement ?? node);
    }
  }).observe(document.body, { childList: true, subtree: true });
})();
