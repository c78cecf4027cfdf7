// The facts below the video, once a second, and the player.
import { play } from "./player.js";

const at = id => document.getElementById(id);
const video = document.querySelector("video");

function complain(text) {
  at("trouble").textContent = text;
  at("trouble").hidden = !text;
}

function show(facts) {
  const sink = facts.sinks[0];
  at("state").textContent = facts.state;
  at("state").dataset.state = facts.state;
  at("source").textContent = facts.source_state;
  at("sink").textContent = sink ? sink.state : "none";
  at("bitrate").textContent = `${(facts.bitrate_bps / 1e6).toFixed(2)} Mbit/s`;
  at("frames-in").textContent = facts.frames_in.toLocaleString();
  at("frames-out").textContent = facts.frames_out.toLocaleString();
  at("reconnects").textContent = sink ? sink.reconnects : 0;
  complain(facts.text);
}

let failures = 0;
async function look() {
  try {
    const answer = await fetch("status.json");
    if (!answer.ok) throw new Error(answer.statusText);
    show(await answer.json());
    failures = 0;
  } catch {
    failures += 1;
    if (failures < 3) return;
    at("state").textContent = "the demo has ended";
    at("state").dataset.state = "ended";
  }
}

setInterval(look, 1000);
look();
play(video, "hls/front.m3u8").catch(error => complain(`This browser cannot play it: ${error.message}`));
