// plotly.js comes from the kernel once a page, and every chart of the page shares it.

const PLOTLY = "__aurigraph_plotly";
const ASK_MS = 8000;
const ASK_TIMES = 4;

async function evaluate(gzipped) {
  const plain = new Blob([gzipped]).stream().pipeThrough(new DecompressionStream("gzip"));
  const source = await new Response(plain).text();
  // As a module of its own it leaves nothing behind, and takes no notice of a module loader in the page.
  const wrapped = `const module={exports:{}},exports=module.exports,define=undefined;\n${source}\nexport default module.exports;`;
  const url = URL.createObjectURL(new Blob([wrapped], { type: "text/javascript" }));
  try {
    return (await import(/* webpackIgnore: true */ url)).default;
  } finally {
    URL.revokeObjectURL(url);
  }
}

// Asks the kernel through one chart; asks again when no answer comes, and gives up with a reason.
function fetchPlotly(link, points) {
  return new Promise((resolve, reject) => {
    let tries = 0;
    let timer;
    const ask = () => {
      if (link.gone || tries >= ASK_TIMES) {
        points.onScript = null;
        reject(new Error("plotly.js did not arrive from the kernel"));
        return;
      }
      tries += 1;
      link.say("plotly");
      timer = setTimeout(ask, ASK_MS * tries);
    };
    points.onScript = (bytes) => {
      points.onScript = null;
      clearTimeout(timer);
      evaluate(bytes).then(resolve, reject);
    };
    ask();
  });
}

// The one that every chart of the page shares; a failure is not shared, the next chart asks anew.
function plotly(link, points) {
  if (!globalThis[PLOTLY]) {
    globalThis[PLOTLY] = fetchPlotly(link, points);
    globalThis[PLOTLY].catch(() => {
      globalThis[PLOTLY] = null;
    });
  }
  return globalThis[PLOTLY];
}
