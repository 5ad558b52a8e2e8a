
"use strict";
(function () {
  var form = document.getElementById("filters");
  if (!form) { return; }
  var rows = Array.prototype.slice.call(document.querySelectorAll("table.filtered tbody tr"));
  var selects = Array.prototype.slice.call(form.querySelectorAll("select"));
  var search = form.querySelector("input");
  function apply() {
    var wanted = search.value.trim().toLowerCase();
    var shown = 0;
    rows.forEach(function (row) {
      var fits = selects.every(function (s) { return !s.value || row.getAttribute("data-" + s.name) === s.value; });
      if (fits && wanted) { fits = row.textContent.toLowerCase().indexOf(wanted) >= 0; }
      row.hidden = !fits;
      if (fits) { shown += 1; }
    });
    form.querySelector("output").textContent = shown + " of " + rows.length + " shown";
  }
  form.addEventListener("input", apply);
  form.addEventListener("reset", function () { setTimeout(apply, 0); });
  form.addEventListener("submit", function (e) { e.preventDefault(); });
  // report.html?severity=high&status=open shows those rows.
  new URLSearchParams(location.search).forEach(function (value, name) {
    var field = form.elements.namedItem(name);
    if (field) { field.value = value; }
  });
  form.hidden = false;
  apply();
}());
