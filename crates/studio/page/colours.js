// Colours of velocities: viridis (van der Walt and Smith 2015), even in
// lightness also for those who see fewer colours. The louder a note, the
// stronger it stands out from the paper, dark or light.

const VIRIDIS = [
  [68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142],
  [31, 158, 137], [53, 183, 121], [110, 206, 88], [181, 222, 43], [253, 231, 37],
];

function mixed(share) {
  const place = Math.min(Math.max(share, 0), 1) * (VIRIDIS.length - 1);
  const at = Math.min(Math.floor(place), VIRIDIS.length - 2);
  const channel = (i) =>
    Math.round(VIRIDIS[at][i] + (place - at) * (VIRIDIS[at + 1][i] - VIRIDIS[at][i]));
  return `rgb(${channel(0)} ${channel(1)} ${channel(2)})`;
}

const tables = { false: [], true: [] };
for (let velocity = 0; velocity < 128; velocity += 1) {
  const loud = Math.max(0, velocity - 1) / 126;
  tables.false.push(mixed(0.84 * (1 - loud)));
  tables.true.push(mixed(0.24 + 0.76 * loud));
}

const scheme = matchMedia("(prefers-color-scheme: dark)");

/** Whether the page is dark. */
export function isDark() {
  return scheme.matches;
}

/** Calls back when the page becomes dark or light. */
export function onScheme(changed) {
  scheme.addEventListener("change", changed);
}

/** The colour of a MIDI velocity. */
export function velocityColour(velocity) {
  return tables[isDark()][velocity] ?? tables[isDark()][127];
}

/** A colour of the style sheet. */
export function named(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
