// Once a minute the page is loaded anew, unless somebody is reading in it; a daemon that is gone is said.
setInterval(async () => {
  if (document.hidden || document.querySelector("details[open]") || String(getSelection())) return;
  try { await fetch("/", { method: "HEAD", cache: "no-store" }); } catch { document.getElementById("stale").hidden = false; return; }
  location.reload();
}, 60000);
