const form = document.getElementById("filter");
const rows = [...document.querySelectorAll("#matches tbody tr")];
const texts = rows.map((row) => row.textContent.toLowerCase());
const show = () => {
  const words = form.text.value.toLowerCase().split(/\s+/);
  let count = 0;
  rows.forEach((row, i) => {
    const rule = form.rule.value;
    const found = (!rule || row.cells[0].textContent === rule) && words.every((w) => texts[i].includes(w));
    row.hidden = !found;
    count += found;
  });
  form.count.value = `${count.toLocaleString("en")} shown`;
};
form.hidden = false;
form.addEventListener("input", show);
form.addEventListener("submit", (event) => event.preventDefault());
show();
