// The films show the same clips: they start together, one button plays them all, and one that drifts is set right.
"use strict";
const films = [...document.querySelectorAll("video")];
const button = document.querySelector("#play");
const status_line = document.querySelector("#films");
const APART = 0.07; // seconds: half a frame at 8 frames per second
let playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;
let waiting = true;

function ready(film) {
  return film.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA && film.videoWidth > 0;
}

function apply() {
  button.textContent = playing ? "Pause" : "Play";
  for (const film of films) {
    if (!playing) film.pause();
    else if (ready(film)) film.play().catch(() => {});
  }
}

function begin() {
  for (const film of films) film.closest("figure").dataset.state = ready(film) ? "ready" : film.error ? "failed" : "loading";
  if (!waiting || films.some((film) => !ready(film) && !film.error)) return;
  waiting = false;
  const failed = films.filter((film) => film.error).length;
  status_line.textContent = failed
    ? `${failed} of ${films.length} films cannot be played by this browser (H.264)`
    : `${films.length} films in step`;
  for (const film of films) film.currentTime = 0;
  apply();
}

function keep_in_step() {
  const [lead, ...others] = films.filter(ready);
  if (waiting || !playing || !lead) return;
  for (const film of others) {
    const apart = Math.abs(film.currentTime - lead.currentTime);
    // Around the seam of the loop one is at the end and the other at the start: that is no drift.
    if (apart > APART && apart < lead.duration - APART) film.currentTime = lead.currentTime;
  }
}

if (films.length) {
  for (const film of films) {
    film.addEventListener("loadeddata", begin);
    film.addEventListener("error", begin);
  }
  button.addEventListener("click", () => {
    playing = !playing;
    apply();
  });
  setInterval(keep_in_step, 500);
  begin();
}
