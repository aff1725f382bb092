"use strict";
// The page works from `report` (the segments) and, where the film lies beside it, from its <video>.
const report = JSON.parse(document.getElementById("data").textContent);
const find = (what) => document.querySelector(what);
const film = find("video");
const plot = find(".plot");
let time = 0;
let plays = false;

const clock = (seconds) => {
  const hundredths = Math.round(seconds * 100);
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(hundredths / 360000);
  const minutes = Math.floor(hundredths / 6000) % 60;
  const tail = two(Math.floor(hundredths / 100) % 60) + "." + two(hundredths % 100);
  return hours ? hours + ":" + two(minutes) + ":" + tail : minutes + ":" + tail;
};

// One person's segments in order of time: the one that covers `time`, found by halving.
const covering = (list) => {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (report.segments[list[middle]].start <= time + 1e-6) low = middle + 1; else high = middle;
  }
  const index = low ? list[low - 1] : -1;
  return index >= 0 && time < report.segments[index].end - 1e-6 ? index : -1;
};

const lists = report.people.map(() => []);
report.segments.forEach((segment, index) => lists[segment.person].push(index));
const bars = [];  // by segment; in the page they stand person by person
for (const bar of document.querySelectorAll(".seg")) bars[Number(bar.dataset.segment)] = bar;
const rows = [...document.querySelectorAll("#segments tbody tr")];
const nows = [...document.querySelectorAll(".now li")];
let lit = [];

const show = () => {
  find(".at").textContent = clock(time);
  find(".head").style.left = 100 * time / report.end + "%";
  const current = lists.map(covering);
  current.forEach((index, person) => {
    const [chip, words] = nows[person].querySelectorAll(".chip, .words");
    const segment = report.segments[index];
    chip.className = "chip" + (segment ? " l" + segment.label : "");
    chip.firstChild.textContent = segment ? report.labels[segment.label].initials : "–";
    words.textContent = segment ? report.labels[segment.label].name + segment.sure : "not seen";
  });
  if (current.join() === lit.join()) return;
  for (const index of lit) if (index >= 0) { bars[index].classList.remove("on"); rows[index].classList.remove("on"); }
  for (const index of current) if (index >= 0) { bars[index].classList.add("on"); rows[index].classList.add("on"); }
  lit = current;
};

const seek = (seconds) => {
  time = Math.min(Math.max(seconds, 0), report.end);
  if (plays) film.currentTime = time;
  show();
};

// A hair is added, so that the film shows the segment's own first frame and not the one before.
bars.forEach((bar, index) => bar.addEventListener("click", (event) => {
  event.stopPropagation();
  seek(report.segments[index].start + 0.001);
}));
rows.forEach((row, index) => row.querySelector("button").addEventListener("click", () => {
  seek(report.segments[index].start + 0.001);
  bars[index].scrollIntoView({ block: "nearest", inline: "center" });
}));
plot.addEventListener("click", (event) => {
  const box = plot.getBoundingClientRect();
  seek(report.end * (event.clientX - box.left) / box.width);
});

if (film) {
  const missing = () => {
    plays = false;
    film.hidden = true;
    find(".missing").hidden = false;
  };
  film.addEventListener("loadedmetadata", () => { plays = true; if (time) film.currentTime = time; });
  film.addEventListener("error", missing);
  if (film.error) missing();
  if (film.readyState > 0) plays = true;
  film.addEventListener("seeking", () => { time = film.currentTime; show(); });
  film.addEventListener("timeupdate", () => { time = film.currentTime; show(); });
  const follow = () => {
    if (!film.paused) { time = film.currentTime; show(); }
    requestAnimationFrame(follow);
  };
  requestAnimationFrame(follow);
}

// Round times above and below the plot, as many as there is room for at this zoom.
const STEPS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
const ROOM = 100;  // pixels from one time to the next at least
const axis = () => {
  const width = plot.clientWidth, least = report.end * ROOM / width;
  const step = STEPS.find((one) => one >= least) || 3600 * Math.ceil(least / 3600);
  for (const tick of plot.querySelectorAll(".tick")) tick.remove();
  for (let i = 0; i * step <= report.end + 1e-9; i++) {
    const tick = document.createElement("i"), share = i * step / report.end;
    tick.className = "tick" + (i === 0 ? " first" : width * (1 - share) < ROOM / 2 ? " last" : "");
    tick.style.left = 100 * share + "%";
    tick.dataset.time = step < 1 ? clock(i * step) : clock(i * step).replace(/\.00$/, "");
    plot.append(tick);
  }
};

// What stands in the middle stays there.
find("#zoom").addEventListener("input", (event) => {
  const view = find(".scroll"), middle = (view.scrollLeft + view.clientWidth / 2) / plot.clientWidth;
  plot.style.width = 100 * event.target.value + "%";
  view.scrollLeft = middle * plot.clientWidth - view.clientWidth / 2;
  axis();
});
addEventListener("resize", axis);
axis();

const filter = () => {
  const person = find("#person").value, label = find("#label").value;
  rows.forEach((row, index) => {
    const segment = report.segments[index];
    row.hidden = (person !== "" && segment.person !== Number(person)) || (label !== "" && segment.label !== Number(label));
  });
};
find("#person").addEventListener("change", filter);
find("#label").addEventListener("change", filter);

show();
document.documentElement.dataset.ready = "yes";
