// The films show the same clips: they start together, one button plays them all, and when one drifts all wait for it.
"use strict";
const films = [...document.querySelectorAll("video")];
const button = document.querySelector("#play");
const APART = 0.1; // seconds: less than a frame at 8 frames per second
let playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;
let waiting = true; // until every film shows where it is to go on from

function ready(film) {
  return film.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA && film.videoWidth > 0 && !film.seeking;
}

function show() {
  for (const film of films) {
    const figure = film.closest("figure");
    if (film.error) figure.dataset.state = "failed";
    else if (ready(film)) figure.dataset.state = "ready";
  }
  const failed = films.filter((film) => film.error).length;
  const all = films.length;
  const text = failed ? `${failed} of ${all} films cannot be played by this browser (H.264)` : `${all} films in step`;
  document.querySelector("#films").textContent = text;
}

function apply() {
  button.textContent = playing ? "Pause" : "Play";
  for (const film of films) {
    // A browser may refuse to play, to save power say: then a click on the button asks again.
    if (playing && !waiting && !film.error) film.play().catch(() => {});
    else film.pause();
  }
}

function go_on() {
  if (!waiting || films.some((film) => !ready(film) && !film.error)) return;
  waiting = false;
  show();
  apply();
}

function line_up() {
  const [lead, ...others] = films.filter((film) => !film.error);
  if (waiting || !playing || !lead) return;
  // Around the seam of the loop one is at the end and the other at the start: that is no drift.
  const gaps = others.map((film) => Math.abs(film.currentTime - lead.currentTime));
  if (!gaps.some((gap) => gap > APART && gap < lead.duration - APART)) return;
  waiting = true;
  apply();
  for (const film of others) film.currentTime = lead.currentTime;
}

if (films.length) {
  for (const film of films) {
    film.autoplay = false; // it is for pages without this script
    for (const event of ["loadeddata", "canplay", "seeked", "error"]) film.addEventListener(event, go_on);
  }
  button.addEventListener("click", () => {
    playing = !playing;
    apply();
  });
  setInterval(line_up, 500);
  apply();
  go_on();
}
