// Tables that sort, filter and copy, and a button that stops animations.
// The page says everything without it.
(function () {
  "use strict";

  function make(tag, properties, text) {
    var element = document.createElement(tag);
    Object.keys(properties).forEach(function (name) { element.setAttribute(name, properties[name]); });
    element.textContent = text || "";
    return element;
  }

  function words(cell) { return cell.textContent.replace(/\s+/g, " ").trim(); }

  function rowsOf(table) { return Array.from(table.tBodies[0].rows); }

  function headsOf(table) { return Array.from(table.tHead.rows[table.tHead.rows.length - 1].cells); }

  // The number a cell begins with, a minus of either kind, thousands parted by commas; else none.
  function numberOf(text) {
    var found = /^[^\w+\-−]*([+\-−]?\d[\d,]*(\.\d+)?)/.exec(text);
    return found ? parseFloat(found[1].replace(/,/g, "").replace("−", "-")) : NaN;
  }

  // Numbers by size, words by the alphabet, and what has no number last, whichever way.
  function sort(table, column, descending) {
    var numeric = headsOf(table)[column].dataset.numeric === "yes";
    var keyed = rowsOf(table).map(function (row) {
      var text = words(row.cells[column]);
      return { row: row, text: text, value: numberOf(text) };
    });
    keyed.sort(function (a, b) {
      var order = numeric ? a.value - b.value : a.text.localeCompare(b.text, "en", { numeric: true });
      if (numeric && (isNaN(a.value) || isNaN(b.value))) { return isNaN(a.value) - isNaN(b.value); }
      return descending ? -order : order;
    });
    keyed.forEach(function (each) { table.tBodies[0].appendChild(each.row); });
    headsOf(table).forEach(function (head, i) {
      if (i === column) { head.setAttribute("aria-sort", descending ? "descending" : "ascending"); }
      else { head.removeAttribute("aria-sort"); }
    });
  }

  function isNumeric(table, column) {
    var filled = rowsOf(table).map(function (row) { return words(row.cells[column]); });
    return filled.some(function (text) { return !isNaN(numberOf(text)); }) &&
      filled.every(function (text) { return !isNaN(numberOf(text)) || !/\d/.test(text); });
  }

  function makeSortable(table) {
    headsOf(table).forEach(function (head, column) {
      var button = make("button", { type: "button", "class": "sort" });
      head.dataset.numeric = isNumeric(table, column) ? "yes" : "no";
      while (head.firstChild) { button.appendChild(head.firstChild); }
      head.appendChild(button);
      button.addEventListener("click", function () {
        var before = head.getAttribute("aria-sort");
        sort(table, column, before ? before === "ascending" : head.dataset.numeric === "yes");
      });
    });
  }

  // A row stays if it has every word that was typed, and of every menu what is chosen there.
  function filter(table, typed, menus, status) {
    var chosen = menus.filter(function (menu) { return menu.value; });
    var wanted = typed.toLowerCase().split(/\s+/).filter(Boolean);
    var rows = rowsOf(table), kept = 0;
    rows.forEach(function (row) {
      var text = words(row).toLowerCase();
      row.hidden = !wanted.every(function (word) { return text.indexOf(word) >= 0; }) ||
        !chosen.every(function (menu) { return valuesOf(row, menu.name).indexOf(menu.value) >= 0; });
      kept += row.hidden ? 0 : 1;
    });
    status.textContent = wanted.length || chosen.length ? kept + " of " + rows.length + " rows" : "";
  }

  // What a row says it is of, for menus: a line each.
  function valuesOf(row, name) { return (row.dataset[name] || "").split("\n"); }

  // For every word of data-menus a menu of the values that rows have.
  function menusOf(table) {
    return (table.dataset.menus || "").split(" ").filter(Boolean).map(function (name) {
      var menu = make("select", { name: name, "aria-label": "Show only one " + name });
      var values = new Set();
      rowsOf(table).forEach(function (row) { valuesOf(row, name).forEach(function (value) { values.add(value); }); });
      menu.appendChild(make("option", { value: "" }, "every " + name));
      Array.from(values).filter(Boolean).sort().forEach(function (value) { menu.appendChild(make("option", { value: value }, value)); });
      return menu;
    });
  }

  // What is shown, as rows of {text, bold}.
  function shown(table) {
    var rows = [headsOf(table)];
    rowsOf(table).forEach(function (row) { if (!row.hidden) { rows.push(Array.from(row.cells)); } });
    return rows.map(function (cells) {
      return cells.map(function (cell) { return { text: words(cell), bold: !!cell.querySelector("strong") }; });
    });
  }

  var TEX = {
    "\\": "\\textbackslash{}", "&": "\\&", "%": "\\%", "$": "\\$", "#": "\\#", "_": "\\_",
    "{": "\\{", "}": "\\}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}",
    "−": "$-$", "±": "$\\pm$"
  };

  var WRITERS = {
    LaTeX: function (rows, table) {
      var columns = headsOf(table).map(function (head) { return head.dataset.numeric === "yes" ? "r" : "l"; });
      var lines = rows.map(function (cells) {
        return cells.map(function (cell) {
          var text = cell.text.replace(/[\\&%$#_{}~^−±]/g, function (sign) { return TEX[sign]; });
          return cell.bold ? "\\textbf{" + text + "}" : text;
        }).join(" & ") + " \\\\";
      });
      return ["\\begin{tabular}{" + columns.join("") + "}", "\\toprule", lines[0], "\\midrule"]
        .concat(lines.slice(1), ["\\bottomrule", "\\end{tabular}", ""]).join("\n");
    },
    Markdown: function (rows) {
      var lines = rows.map(function (cells) {
        return "| " + cells.map(function (cell) {
          var text = cell.text.replace(/\|/g, "\\|");
          return cell.bold ? "**" + text + "**" : text;
        }).join(" | ") + " |";
      });
      lines.splice(1, 0, "|" + rows[0].map(function () { return " --- |"; }).join(""));
      return lines.join("\n") + "\n";
    },
    // No cell is a formula: a spreadsheet would compute it.
    CSV: function (rows) {
      return rows.map(function (cells) {
        return cells.map(function (cell) {
          var text = /^[=+\-@]/.test(cell.text) && isNaN(cell.text) ? "'" + cell.text : cell.text;
          return /[",\n]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
        }).join(",");
      }).join("\n") + "\n";
    }
  };

  // Where a browser lends no clipboard the text is there to be copied by hand.
  function offer(text, place, status) {
    function show() {
      var area = place.querySelector("textarea") || place.appendChild(make("textarea", { rows: "6", "aria-label": "The table as text" }));
      area.value = text;
      area.select();
      status.textContent = "press Ctrl-C";
    }
    if (!navigator.clipboard) { show(); return; }
    navigator.clipboard.writeText(text).then(function () { status.textContent = "copied"; }, show);
  }

  function addTools(table) {
    var tools = make("div", { "class": "tools" });
    var status = make("span", { role: "status" });
    var menus = menusOf(table);
    menus.forEach(function (menu) { tools.appendChild(menu); });
    if (rowsOf(table).length > 5 || menus.length) {
      var input = make("input", { type: "search", placeholder: "filter rows", "aria-label": "Filter the rows of: " + words(table.caption) });
      var apply = function () { filter(table, input.value, menus, status); };
      [input].concat(menus).forEach(function (control) { control.addEventListener("input", apply); });
      tools.appendChild(input);
    }
    Object.keys(WRITERS).forEach(function (name) {
      var button = make("button", { type: "button", "aria-label": "Copy as " + name + ": " + words(table.caption) }, name);
      button.addEventListener("click", function () { offer(WRITERS[name](shown(table), table), tools, status); });
      tools.appendChild(button);
    });
    tools.appendChild(status);
    table.parentNode.insertAdjacentElement("beforebegin", tools);
  }

  document.querySelectorAll("table.data").forEach(function (table) {
    if (rowsOf(table).length < 2) { return; }
    makeSortable(table);
    addTools(table);
  });

  // A link of the menu opens what it leads to.
  function unfold() {
    var target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    var fold = target && target.querySelector("details.section");
    if (fold) { fold.open = true; }
  }
  window.addEventListener("hashchange", unfold);
  unfold();

  var button = document.getElementById("motion");
  var pictures = document.querySelectorAll("svg.moving");
  if (button && pictures.length && pictures[0].pauseAnimations) {
    var paused = false;
    button.hidden = false;
    button.addEventListener("click", function () {
      paused = !paused;
      pictures.forEach(function (picture) { if (paused) { picture.pauseAnimations(); } else { picture.unpauseAnimations(); } });
      button.textContent = paused ? "Start the animations" : "Stop the animations";
      button.setAttribute("aria-pressed", String(paused));
    });
  }
})();
