// What is embedded in the page, and how it speaks: every text of its own goes through `say`.

const run = JSON.parse(document.getElementById("data").textContent);

// The English template, or what the page's language has for it, with its values in place.
function say(template, values = {}) {
  return (run.words[template] ?? template).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
