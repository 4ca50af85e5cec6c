// Live figures: one cell a figure, painted once and then updated with Plotly.react, which keeps zoom and hidden traces.
const load = () => (window.__catalystPlotly ??= new Promise((done, failed) => {
  const script = document.createElement('script');
  script.src = `${location.pathname.replace(/\/(results|lab|theory|runs)?\/*$/, '')}/app/static/plotly.min.js`;
  script.onload = () => done(window.Plotly);
  script.onerror = () => { window.__catalystPlotly = undefined; failed(new Error('plotly.min.js was not served')); };
  document.head.appendChild(script);
}));

const config = (name) => ({
  responsive: true, displaylogo: false,
  modeBarButtonsToRemove: ['select2d', 'lasso2d', 'autoScale2d', 'zoomIn2d', 'zoomOut2d'],
  toImageButtonOptions: { format: 'svg', filename: `catalyst-${name}` },
});

const cell = (root, name) => {
  let found = root.querySelector(`[data-figure="${name}"]`);
  if (!found) {
    found = document.createElement('figure');
    found.dataset.figure = name;
    found.append(document.createElement('h4'), document.createElement('div'), document.createElement('figcaption'));
    root.appendChild(found);
  }
  return found;
};

// A figure that is purged in the middle of a paint would fail at the paint's next step.
const leave = (place) => Promise.resolve(place.__painting).then(() => window.Plotly?.purge(place.children[1]));

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector('.catalyst-live');
  const figures = JSON.parse(new TextDecoder().decode(data));
  load().then((Plotly) => {
    for (const gone of root.querySelectorAll('[data-figure]')) {
      if (!(gone.dataset.figure in figures)) { leave(gone); gone.remove(); }
    }
    for (const [name, figure] of Object.entries(figures)) {
      const place = cell(root, name);
      if (place.__version === figure.v) continue;
      const [title, plot, caption] = place.children;
      place.style.setProperty('--span', figure.span);
      title.textContent = figure.title;
      caption.textContent = figure.caption;
      plot.setAttribute('aria-label', `${figure.title}. ${figure.caption}`);
      plot.style.height = `${figure.layout.height ?? 320}px`;
      place.__version = figure.v;
      place.__painting = Plotly.react(plot, figure.data, figure.layout, config(name))
        .then(() => { place.dataset.painted = Number(place.dataset.painted ?? 0) + 1; })
        .catch((error) => { if (place.isConnected) console.error(error); });
    }
  }).catch((error) => { root.textContent = `The figures cannot be drawn: ${error.message}. Reload the page.`; });
  return () => root.querySelectorAll('[data-figure]').forEach(leave);
}
