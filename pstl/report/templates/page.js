// One button stops and starts every animation; the page says everything without it.
(function () {
  "use strict";
  var button = document.getElementById("motion");
  var pictures = document.querySelectorAll("svg.moving");
  if (!button || !pictures.length || !pictures[0].pauseAnimations) { return; }
  var paused = false;
  button.hidden = false;
  button.addEventListener("click", function () {
    paused = !paused;
    pictures.forEach(function (picture) { if (paused) { picture.pauseAnimations(); } else { picture.unpauseAnimations(); } });
    button.textContent = paused ? "Start the animations" : "Stop the animations";
    button.setAttribute("aria-pressed", String(paused));
  });
  // Details are closed on a screen and wanted on paper.
  var opened = [];
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details:not([open])").forEach(function (part) { part.open = true; opened.push(part); });
  });
  window.addEventListener("afterprint", function () { opened.splice(0).forEach(function (part) { part.open = false; }); });
})();
