// The overview's live feed: rows come in at the top, old ones fall off. Everything is set as text, never as markup.
"use strict";

(function () {
  const LIMIT = 12;
  const PLANES = { llm: "model", mcp: "tool", a2a: "agent" };

  function cell(row, text, className) {
    const element = document.createElement("td");
    element.textContent = text;
    if (className) element.className = className;
    row.appendChild(element);
    return element;
  }

  function money(cost) {
    if (cost === null || cost === undefined) return "unpriced";
    const value = Number(cost);
    if (value === 0) return "0";
    return "$" + (value < 0.01 ? value.toPrecision(2) : value.toFixed(2));
  }

  function rowOf(call) {
    const row = document.createElement("tr");
    row.className = "house-live-new";
    cell(row, call.at.slice(11, 19), "num");
    const what = cell(row, "", "");
    const dot = document.createElement("span");
    dot.className = "house-dot " + (call.outcome === "ok" ? "is-ok" : call.outcome === "aborted" ? "is-warn" : "is-bad");
    dot.title = call.outcome + (call.status ? " (" + call.status + ")" : "");
    what.appendChild(dot);
    what.appendChild(document.createTextNode(call.what));
    const kind = document.createElement("span");
    kind.className = "house-empty";
    kind.textContent = "  " + (PLANES[call.plane] || call.plane) + (call.where ? " at " + call.where : "");
    what.appendChild(kind);
    cell(row, call.who + (call.team ? " · " + call.team : ""));
    cell(row, call.tokens ? call.tokens.toLocaleString("en") : "–", "num");
    cell(row, call.ms + " ms", "num");
    cell(row, (call.estimated ? "~" : "") + money(call.cost), "num");
    return row;
  }

  function start(table) {
    const body = table.querySelector("tbody");
    const state = document.getElementById("house-live-state");
    let wait = 1000;

    function say(text, className) {
      state.textContent = text;
      state.previousElementSibling.className = "house-dot " + className;
    }

    function connect() {
      const scheme = location.protocol === "https:" ? "wss://" : "ws://";
      const socket = new WebSocket(scheme + location.host + "/ws/calls/");
      socket.onopen = function () {
        wait = 1000;
        say("live", "is-ok");
      };
      socket.onmessage = function (message) {
        const empty = document.getElementById("house-live-empty");
        if (empty) empty.remove();
        table.hidden = false;
        for (const call of JSON.parse(message.data).calls) body.prepend(rowOf(call));
        while (body.rows.length > LIMIT) body.deleteRow(-1);
      };
      socket.onclose = function (event) {
        if (event.code === 4404) {
          say("not for you", "is-bad");
          return;
        }
        say("reconnecting…", "is-warn");
        setTimeout(connect, wait);
        wait = Math.min(wait * 2, 30000);
      };
    }

    connect();
  }

  document.addEventListener("DOMContentLoaded", function () {
    const table = document.getElementById("house-live");
    if (table) start(table);
  });
})();
