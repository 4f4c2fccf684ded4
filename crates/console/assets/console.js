// Times in the reader's zone, copy buttons, and live progress. Pages are whole without it.
(() => {
  "use strict";
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

  const refine = (root) => {
    for (const time of root.querySelectorAll("time[datetime]:not([data-keep],[data-done])")) {
      time.dataset.done = "";
      time.textContent = format.format(new Date(time.dateTime));
    }
    for (const button of root.querySelectorAll("button[data-copy][hidden]")) button.hidden = !navigator.clipboard;
    for (const code of root.querySelectorAll("code[data-origin]")) {
      code.textContent = new URL(code.textContent, location.href).href;
      code.removeAttribute("data-origin");
      const button = code.parentElement.querySelector("button[data-copy]");
      if (button) button.dataset.copy = code.textContent;
    }
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copy]");
    if (button) {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    }
    // A menu closes when the reader goes elsewhere.
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
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
      for (const place of panel.querySelectorAll("[data-p]")) place.textContent = now[place.dataset.p] ?? "…";
      const bar = panel.querySelector("[data-bar]");
      bar.max = Math.max(now.found, 1);
      bar.value = now.looked;
      const said = now.stopping ? "Stopping: what was seen is being kept." : calm;
      if (word.textContent !== said) word.textContent = said;
    });
    events.addEventListener("end", () => {
      events.close();
      location.reload();
    });
    events.onerror = () => {
      word.textContent = "The connection to the console was lost. The audit goes on; this page tries again by itself.";
    };
  };

  refine(document);
  for (const panel of document.querySelectorAll("[data-live]")) follow(panel);
  new MutationObserver((changes) => {
    for (const change of changes) {
      for (const node of change.addedNodes) if (node.nodeType === 1) refine(node.parentElement ?? node);
    }
  }).observe(document.body, { childList: true, subtree: true });
})();
