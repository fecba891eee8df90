"use strict";

const { stream, events } = document.body.dataset;
const [picture, names, faces, again, template] = ["picture", "names", "faces", "again", "face"].map(
  (id) => document.getElementById(id),
);
let source = null;

// The picture begins with the events, and begins anew when they come back after a break.
function start() {
  again.hidden = true;
  source = new EventSource(events);
  source.onopen = () => { picture.src = `${stream}?${Date.now()}`; };
  source.onmessage = (message) => show(JSON.parse(message.data));
  source.onerror = () => show({ state: "silent", faces: [] });
  source.addEventListener("end", () => {
    source.close();
    show({ state: "ended", faces: [] });
    again.hidden = false;
  });
}

// Nobody looks at a hidden page, and the camera need not stay open for it.
function stop() {
  source.close();
  picture.removeAttribute("src");
}

function show({ state, faces: found = [] }) {
  // A face at its first sight (-1) has no number yet: it comes last, as it will with its number.
  found.sort((a, b) => (a.face < 0) - (b.face < 0) || a.face - b.face);
  say(sentence(state, found));
  while (faces.children.length > Math.max(found.length, 1)) faces.lastChild.remove();
  while (faces.children.length < Math.max(found.length, 1)) faces.append(bars());
  for (const [row, table] of [...faces.children].entries()) fill(table, found[row], found.length);
}

function sentence(state, found) {
  if (state === "lost") return "No picture: the source is lost. It is tried again …";
  if (state === "silent") return "The server does not answer. It is tried again …";
  if (state === "ended") return "The film has ended.";
  if (!found.length) return "No face in view.";
  const said = found.map((face) => (face.state === "ok" ? face.expression : face.text));
  return found.length > 1 ? `${found.length} faces: ${said.join(", ")}` : said[0];
}

// It is read aloud, so it changes only when there is something else to say.
function say(text) {
  if (names.textContent !== text) names.textContent = text;
}

function bars() {
  const table = template.content.firstElementChild.cloneNode(true);
  for (const bar of table.querySelectorAll(".bar")) bar.style.background = bar.dataset.color;
  return table;
}

function fill(table, face, count) {
  const number = [...faces.children].indexOf(table) + 1;
  table.caption.textContent = count > 1 ? `Face ${number}: ${face.text}` : "How likely each is";
  table.classList.toggle("doubtful", Boolean(face) && face.state !== "ok");
  for (const row of table.rows) {
    const score = face ? face.scores[row.dataset.name] : 0;
    row.classList.toggle("top", Boolean(face) && row.dataset.name === face.expression);
    row.querySelector(".bar").style.width = `${100 * score}%`;
    row.querySelector(".figure").textContent = face ? `${Math.round(100 * score)} %` : "–";
  }
}

again.addEventListener("click", start);
document.addEventListener("visibilitychange", () => (document.hidden ? stop() : start()));
show({ state: "live" });
say("Waiting for the picture …");
start();
