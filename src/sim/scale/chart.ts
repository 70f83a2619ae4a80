// A table of scale runs as a picture (SVG): three panels over the number of clusters, which goes by powers of two.
// Throughput stands on a logarithmic scale beside a line of slope 1 through its first point; messages per transfer and
// latencies stand on scales that begin at 0.

import type { ScaleRow } from "./run.js";

interface Series {
  readonly name: string;
  readonly colour: string;
  readonly dashed?: boolean;
  readonly values: readonly number[];
}

interface Panel {
  readonly title: string;
  readonly logarithmic: boolean;
  readonly series: readonly Series[];
}

/** A scale: where a value stands, and which values are marked. */
interface Axis {
  readonly at: (value: number) => number;
  readonly marks: readonly number[];
}

const WIDTH = 340;
const HEIGHT = 240;
const LEFT = 60;
const TOP = 58;
const GAP = 76;
const BOTTOM = 44;
const INK = "#22262c";
const FAINT = "#d5d9de";
/** Apart in hue and in lightness, so that they differ for all eyes and in print. */
const BLUE = "#2b6cb0";
const ORANGE = "#c2681c";
const GREEN = "#2f855a";
const GREY = "#69717c";
const MARKS = 5;

export function drawChart(rows: readonly ScaleRow[], caption: string): string {
  const panels = panelsOf(rows);
  const width = LEFT + panels.length * (WIDTH + GAP) - GAP / 2;
  const height = TOP + HEIGHT + BOTTOM + 22;
  const clusters = rows.map((row) => row.clusters);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
      `font-family="'Helvetica Neue', Helvetica, Arial, sans-serif" font-size="12" fill="${INK}">`,
    "<title>Throughput, messages and latency over the number of clusters</title>",
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...panels.map((panel, i) => {
      const drawn = drawPanel(panel, clusters);
      return `<g transform="translate(${LEFT + i * (WIDTH + GAP)} ${TOP})">${drawn.join("")}</g>`;
    }),
    text(LEFT, height - 12, caption, `fill="${GREY}" font-size="11"`),
    "</svg>",
    "",
  ].join("\n");
}

function panelsOf(rows: readonly ScaleRow[]): readonly Panel[] {
  const [first] = rows;
  const perCluster = first === undefined ? 0 : first.transfersPerSecond / first.clusters;
  const series = (name: string, colour: string, value: (row: ScaleRow) => number, dashed = false): Series => {
    return { name, colour, dashed, values: rows.map(value) };
  };
  return [
    {
      title: "Transfers per virtual second",
      logarithmic: true,
      series: [
        series("slope 1", GREY, ({ clusters }) => perCluster * clusters, true),
        series("measured", BLUE, ({ transfersPerSecond }) => transfersPerSecond),
      ],
    },
    {
      title: "Messages per transfer",
      logarithmic: false,
      series: [series("measured", GREEN, ({ messagesPerTransfer }) => messagesPerTransfer)],
    },
    {
      title: "Latency, ms",
      logarithmic: false,
      series: [
        series("intra p50", BLUE, ({ intra }) => intra.p50Ms),
        series("intra p99", BLUE, ({ intra }) => intra.p99Ms, true),
        series("cross p50", ORANGE, ({ cross }) => cross.p50Ms),
        series("cross p99", ORANGE, ({ cross }) => cross.p99Ms, true),
      ],
    },
  ];
}

function drawPanel({ title, logarithmic, series }: Panel, clusters: readonly number[]): readonly string[] {
  const x = logarithmicAxis(clusters, WIDTH);
  const values = series.flatMap((each) => each.values).filter((value) => value > 0);
  const y = logarithmic ? logarithmicAxis(values, HEIGHT) : linearAxis(values, HEIGHT);
  const drawn = [text(0, -38, title, 'font-weight="bold" font-size="13"')];
  for (const mark of y.marks) {
    const at = HEIGHT - y.at(mark);
    drawn.push(`<path d="M0 ${round(at)}H${WIDTH}" stroke="${FAINT}"/>`);
    drawn.push(text(-8, at + 4, String(mark), 'text-anchor="end"'));
  }
  for (const count of clusters) {
    const at = x.at(count);
    drawn.push(`<path d="M${round(at)} ${HEIGHT}v5" stroke="${INK}"/>`);
    drawn.push(text(at, HEIGHT + 18, String(count), 'text-anchor="middle"'));
  }
  drawn.push(`<path d="M0 ${HEIGHT}H${WIDTH}" stroke="${INK}"/>`);
  drawn.push(text(WIDTH / 2, HEIGHT + 35, "clusters", 'text-anchor="middle"'));
  series.forEach((each, i) => {
    const points = each.values.flatMap((value, j) =>
      value > 0 ? [{ x: round(x.at(clusters[j] as number)), y: round(HEIGHT - y.at(value)) }] : [],
    );
    const stroke = `stroke="${each.colour}"${each.dashed === true ? ' stroke-dasharray="5 4"' : ""}`;
    drawn.push(
      `<path d="M${points.map((at) => `${at.x} ${at.y}`).join("L")}" fill="none" stroke-width="2" ${stroke}/>`,
    );
    for (const at of points) drawn.push(`<circle cx="${at.x}" cy="${at.y}" r="3" fill="${each.colour}"/>`);
    const left = (i * WIDTH) / Math.max(series.length, 2);
    drawn.push(`<path d="M${round(left)} -20h20" stroke-width="2" ${stroke}/>`, text(left + 25, -16, each.name, ""));
  });
  return drawn;
}

/** Powers of two around the values, at most MARKS of them marked. */
function logarithmicAxis(values: readonly number[], length: number): Axis {
  const low = Math.floor(Math.log2(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log2(Math.max(...values))));
  const step = Math.ceil((high - low) / MARKS);
  const marks: number[] = [];
  for (let power = low; power <= high; power += step) marks.push(2 ** power);
  return { at: (value) => ((Math.log2(value) - low) / (high - low)) * length, marks };
}

/** From 0, marked at round steps. */
function linearAxis(values: readonly number[], length: number): Axis {
  const most = Math.max(0, ...values) || 1;
  const power = 10 ** Math.floor(Math.log10(most / MARKS));
  const step = power * ([1, 2, 5, 10].find((each) => each * power * MARKS >= most) as number);
  const marks = Array.from({ length: Math.ceil(most / step) + 1 }, (_, i) => Number((i * step).toPrecision(6)));
  return { at: (value) => (value / (marks.at(-1) as number)) * length, marks };
}

function text(x: number, y: number, content: string, attributes: string): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escaped}</text>`;
}

function round(value: number): number {
  return Number(value.toFixed(1));
}
