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
  form.addEventListener("input", apply);
  form.addEventListener("reset", () => setTimeout(apply));
  for (const link of document.querySelectorAll("[data-choose]")) {
    link.addEventListener("click", () => {
      form.reset();
      const [name, value] = link.dataset.choose.split("=");
      form.elements[name].value = value;
      apply();
    });
  }
  // A link to a server that the filters hide shows every server again.
  addEventListener("hashchange", () => {
    const target = document.getElementById(location.hash.slice(1));
    if (target?.hidden) { form.reset(); apply(); target.scrollIntoView(); }
  });
  apply();
})();
