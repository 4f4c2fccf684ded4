(() => {
  "use strict";
  const form = document.forms.filter, count = document.getElementById("count");
  if (!form) return;
  const rows = [...document.querySelectorAll(".servers > tbody")].map((body) => ({ body, text: body.rows[0].textContent.toLowerCase() }));
  const chosen = (name) => form.elements[name].value;
  const apply = () => {
    const words = chosen("text").toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = ["status", "outcome", "severity", "subscription"].map((name) => [name, chosen(name)]).filter(([, value]) => value);
    let shown = 0;
    for (const { body, text } of rows) {
      const fits = wanted.every(([name, value]) => body.dataset[name] === value) && words.every((word) => text.includes(word));
      body.hidden = !fits;
      shown += fits;
    }
    count.textContent = shown === rows.length ? `${shown} servers` : `${shown} of ${rows.length} servers`;
  };
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  // A pause in typing: with thousands of servers, every change takes the browser a moment.
  let waiting;
  form.addEventListener("input", (event) => {
    clearTimeout(waiting);
    if (event.target.name === "text" && rows.length > 500) waiting = setTimeout(apply, 250);
    else apply();
  });
  form.addEventListener("reset", () => setTimeout(apply));
  for (const link of document.querySelectorAll("[data-choose]")) {
    link.addEventListener("click", () => {
      form.reset();
      const [name, value] = link.dataset.choose.split("=");
      form.elements[name].value = value;
      apply();
    });
  }
  // A link to a server opens its evidence, and shows every server again where the filters hide it.
  const arrive = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (target?.hidden) { form.reset(); apply(); }
    const box = target?.querySelector(".open");
    if (box) { box.checked = true; target.scrollIntoView(); }
  };
  addEventListener("hashchange", arrive);
  const table = document.querySelector(".servers");
  table.classList.add("scripted");
  table.addEventListener("click", (event) => {
    const row = event.target.closest(".servers > tbody > tr:first-child");
    if (!row || event.target.closest("a, input") || String(getSelection())) return;
    const box = row.querySelector(".open");
    box.checked = !box.checked;
  });
  table.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches(".open")) event.target.checked = !event.target.checked;
  });
  apply();
  arrive();
})();
