"use strict";
// Decisions by card, kept in this page (and, where the browser allows it, in its memory) until they are exported.
const audit = JSON.parse(document.getElementById("data").textContent);
const cards = [...document.querySelectorAll(".card")];
const decisions = new Map();  // id → {decision, label}
const memory = "tronie-audit-" + audit.hash;
let at = -1;

const remember = () => {
  try { localStorage.setItem(memory, JSON.stringify([...decisions])); } catch { /* a private window: export is enough */ }
};
const facts = (card) => audit.cards[Number(card.dataset.card)];

const paint = (card) => {
  const made = decisions.get(facts(card).id);
  if (made) card.dataset.decision = made.decision; else delete card.dataset.decision;
};

const tell = () => {
  document.getElementById("decided").textContent = decisions.size;
  if (at < 0) return;
  const fact = facts(cards[at]), made = decisions.get(fact.id);
  const words = { accept: "accepted: " + fact.suggested, reject: "rejected, stays " + fact.given, drop: "dropped" };
  const said = made ? " — " + (words[made.decision] || "now " + made.label) : "";
  document.getElementById("chosen").textContent =
    cards[at].title + " Labelled " + fact.given + ", suggested " + fact.suggested + "." + said;
};

const go = (index) => {
  if (index < 0 || index >= cards.length) return;
  if (at >= 0) cards[at].classList.remove("at");
  at = index;
  cards[at].classList.add("at");
  cards[at].focus({ preventScroll: true });
  cards[at].scrollIntoView({ block: "center" });
  tell();
};

const decide = (decision, label) => {
  if (at < 0) return;
  const fact = facts(cards[at]);
  if (decision) decisions.set(fact.id, { decision, label: label || "" }); else decisions.delete(fact.id);
  paint(cards[at]);
  remember();
  if (decision) go(Math.min(at + 1, cards.length - 1));
  tell();
};

const keys = { a: () => decide("accept", facts(cards[at]).suggested), r: () => decide("reject", facts(cards[at]).given),
  d: () => decide("drop"), u: () => decide(""), ArrowRight: () => go(at + 1), ArrowLeft: () => go(at - 1) };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const number = Number(event.key);
  if (number >= 1 && number <= Math.min(audit.labels.length, 9) && at >= 0) decide("relabel", audit.labels[number - 1]);
  else if (keys[event.key] && (at >= 0 || event.key === "ArrowRight")) keys[event.key]();
  else return;
  event.preventDefault();
});
cards.forEach((card, index) => card.addEventListener("click", () => go(index)));

const rows = () => [...decisions].map(([id, made]) => {
  const fact = audit.cards.find((card) => card.id === id) || {};
  return { id, decision: made.decision, label: made.label, given: fact.given || "", suggested: fact.suggested || "" };
});
const cell = (text) => /[",\r\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
const save = (name, type, text) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};
document.getElementById("csv").addEventListener("click", () => {
  const names = ["id", "decision", "label", "given", "suggested"];
  const lines = rows().map((row) => names.map((name) => cell(row[name])).join(","));
  save("decisions.csv", "text/csv", [names.join(","), ...lines].join("\n") + "\n");
});
document.getElementById("json").addEventListener("click", () =>
  save("decisions.json", "application/json", JSON.stringify(rows(), null, 1) + "\n"));

try {
  for (const [id, made] of JSON.parse(localStorage.getItem(memory) || "[]")) decisions.set(id, made);
} catch { /* nothing is remembered */ }
cards.forEach(paint);
tell();
document.documentElement.dataset.ready = "yes";
