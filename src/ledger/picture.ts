// The united ledger as a picture (SVG), in the manner of the paper's figure 6.2: a lane for each cluster, the genesis
// block over all of them, time downwards, intra-shard blocks as boxes in their lane, a cross-shard block as one box
// over the lanes of its clusters. Laid out by hand: a block stands one row below its lowest parent, so that arrows
// point up and blocks that need not wait for each other stand side by side.

import type { ClusterId } from "../types/ids.js";
import { showSequence } from "../types/ids.js";
import { type GraphBlock, type GraphLane, type GraphPlace, type LedgerGraph, labelOf, separatorOf } from "./graph.js";

const LANE_WIDTH = 136;
const LANE_GAP = 26;
const BOX_HEIGHT = 40;
const ROW_HEIGHT = 64;
const MARGIN = 24;
const HEADER_HEIGHT = 44;
const GENESIS_TOP = MARGIN + HEADER_HEIGHT + 18;
const GENESIS_HEIGHT = 28;
const EARLIER_HEIGHT = 34;
const LEGEND_HEIGHT = 46;
const LEGEND_WIDTH_MIN = 620;

const INK = "#22262c";
const FAINT = "#69717c";
/** Apart in hue and in lightness, so that they differ for all eyes and in print. */
const COLOURS = ["#2b6cb0", "#c2681c", "#2f855a", "#a8325a", "#6b4fa3", "#7a6113", "#1f8a99", "#7d4a3a"] as const;
const LANE_TINT = 0.05;
const BOX_TINT = 0.17;

/** Where a block stands. */
interface Placed {
  readonly block: GraphBlock;
  readonly row: number;
  /** Neighbouring lanes in one piece; clusters that are not neighbours make several. */
  readonly pieces: readonly Piece[];
}

interface Piece {
  readonly from: number;
  readonly to: number;
}

export function drawPicture(graph: LedgerGraph): string {
  const lanes = new Map<ClusterId, number>(graph.lanes.map(({ cluster }, i) => [cluster, i]));
  const placed = placeBlocks(graph, lanes);
  const rows = placed.reduce((most, { row }) => Math.max(most, row + 1), 0);
  const firstRow = GENESIS_TOP + GENESIS_HEIGHT + (graph.lanes.some(({ earlier }) => earlier > 0) ? EARLIER_HEIGHT : 0);
  const sheet = { graph, lanes, placed, rowsTop: firstRow + 26, bottom: firstRow + 26 + rows * ROW_HEIGHT };
  const lanesWidth = graph.lanes.length * (LANE_WIDTH + LANE_GAP) - LANE_GAP;
  const width = Math.max(lanesWidth, LEGEND_WIDTH_MIN) + 2 * MARGIN;
  const height = sheet.bottom + LEGEND_HEIGHT;
  const shift = (width - 2 * MARGIN - lanesWidth) / 2;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
      `font-family="'Helvetica Neue', Helvetica, Arial, sans-serif" fill="${INK}">`,
    "<title>Ledger: the union of all clusters' views</title>",
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<defs>${marker()}${placed.map(gradient).join("")}</defs>`,
    `<g transform="translate(${shift})">`,
    ...graph.lanes.map((lane, i) => drawLane(lane, i, sheet.bottom)),
    drawGenesis(graph.lanes.length),
    ...placed.flatMap(drawBridges.bind(undefined, sheet)),
    ...graph.lanes.map(drawEarlier.bind(undefined, sheet)),
    ...placed.flatMap(drawArrows.bind(undefined, sheet)),
    ...placed.map(drawBlock.bind(undefined, sheet)),
    "</g>",
    drawLegend(width, sheet.bottom + 18),
    "</svg>",
    "",
  ].join("\n");
}

interface Sheet {
  readonly graph: LedgerGraph;
  readonly lanes: ReadonlyMap<ClusterId, number>;
  readonly placed: readonly Placed[];
  readonly rowsTop: number;
  readonly bottom: number;
}

/** The topmost row below all parents in which no lane between the block's own is taken. */
function placeBlocks({ blocks }: LedgerGraph, lanes: ReadonlyMap<ClusterId, number>): readonly Placed[] {
  const nextRow = new Map<number, number>();
  const taken = new Set<string>();
  return blocks.map((block) => {
    const own = block.records.map(({ cluster }) => lanes.get(cluster) as number);
    const first = own[0] as number;
    const span = Array.from({ length: (own.at(-1) as number) - first + 1 }, (_, i) => first + i);
    let row = Math.max(...own.map((lane) => nextRow.get(lane) ?? 0));
    while (span.some((lane) => taken.has(`${lane} ${row}`))) row++;
    for (const lane of span) taken.add(`${lane} ${row}`);
    for (const lane of own) nextRow.set(lane, row + 1);
    return { block, row, pieces: piecesOf(own) };
  });
}

function piecesOf(lanes: readonly number[]): readonly Piece[] {
  const pieces: Piece[] = [];
  for (const lane of lanes) {
    const last = pieces.at(-1);
    if (last?.to === lane - 1) pieces[pieces.length - 1] = { from: last.from, to: lane };
    else pieces.push({ from: lane, to: lane });
  }
  return pieces;
}

function laneLeft(lane: number): number {
  return MARGIN + lane * (LANE_WIDTH + LANE_GAP);
}

function laneCentre(lane: number): number {
  return laneLeft(lane) + LANE_WIDTH / 2;
}

function colour(lane: number): string {
  return COLOURS[lane % COLOURS.length] as string;
}

function drawLane({ cluster, kind }: GraphLane, lane: number, bottom: number): string {
  const left = laneLeft(lane);
  const centre = laneCentre(lane);
  return [
    `<rect x="${left}" y="${MARGIN}" width="${LANE_WIDTH}" height="${bottom - MARGIN}" rx="8" fill="${colour(lane)}" ` +
      `fill-opacity="${LANE_TINT}"/>`,
    `<rect x="${left}" y="${MARGIN}" width="${LANE_WIDTH}" height="${HEADER_HEIGHT}" rx="8" fill="${colour(lane)}"/>`,
    `<text x="${centre}" y="${MARGIN + 20}" text-anchor="middle" fill="#fff" font-size="15" font-weight="600">p` +
      `<tspan font-size="10.5" dy="3">${cluster}</tspan></text>`,
    `<text x="${centre}" y="${MARGIN + 36}" text-anchor="middle" fill="#fff" fill-opacity="0.9" font-size="10.5">` +
      `${kind}</text>`,
  ].join("");
}

function drawGenesis(lanes: number): string {
  const left = laneLeft(0) + 10;
  const width = laneLeft(lanes - 1) + LANE_WIDTH - 10 - left;
  return (
    `<rect x="${left}" y="${GENESIS_TOP}" width="${width}" height="${GENESIS_HEIGHT}" rx="6" fill="#fff" ` +
    `stroke="${INK}" stroke-width="1.4"/>` +
    `<text x="${left + width / 2}" y="${GENESIS_TOP + 19}" text-anchor="middle" font-size="16" font-style="italic" ` +
    `font-family="Georgia, 'Times New Roman', serif">λ</text>`
  );
}

function boxTop({ rowsTop }: Sheet, row: number): number {
  return rowsTop + row * ROW_HEIGHT;
}

function pieceLeft({ from }: Piece): number {
  return laneLeft(from) + 10;
}

function pieceRight({ to }: Piece): number {
  return laneLeft(to) + LANE_WIDTH - 10;
}

/** Between the pieces of one block, behind the arrows of the lanes that it only passes. */
function drawBridges(sheet: Sheet, { row, pieces }: Placed): readonly string[] {
  const middle = boxTop(sheet, row) + BOX_HEIGHT / 2;
  return pieces.slice(1).map((piece, i) => {
    const from = pieceRight(pieces[i] as Piece);
    const width = pieceLeft(piece) - from;
    return (
      `<rect x="${from - 1}" y="${middle - 4}" width="${width + 2}" height="8" fill="#fff" stroke="${INK}" ` +
      `stroke-width="1.2"/>`
    );
  });
}

/** From a block up to its parent in each of its lanes, where that is shown or the genesis block. */
function drawArrows(sheet: Sheet, { block, row }: Placed): readonly string[] {
  return block.records.flatMap(({ cluster, height, parent }) => {
    const lane = sheet.lanes.get(cluster) as number;
    const above = sheet.placed.find(({ block: { digest } }) => digest === parent);
    if (above === undefined && height > 1) return [];
    const to = above === undefined ? GENESIS_TOP + GENESIS_HEIGHT : boxTop(sheet, above.row) + BOX_HEIGHT;
    return [arrow(laneCentre(lane), boxTop(sheet, row), to, lane)];
  });
}

function arrow(x: number, from: number, to: number, lane: number, dashes = ""): string {
  return (
    `<path d="M${x} ${from}V${to + 1.5}" fill="none" stroke="${colour(lane)}" stroke-width="1.6"${dashes} ` +
    `marker-end="url(#parent)" color="${colour(lane)}"/>`
  );
}

/** How many blocks lie between the genesis block and the first one shown, on a dotted line up from that. */
function drawEarlier(sheet: Sheet, { cluster, earlier }: GraphLane, lane: number): string {
  if (earlier === 0) return "";
  const x = laneCentre(lane);
  const top = GENESIS_TOP + GENESIS_HEIGHT;
  const first = sheet.placed.find(({ block }) => block.records.some((place) => place.cluster === cluster));
  return (
    arrow(x, first === undefined ? top + 14 : boxTop(sheet, first.row), top, lane, ' stroke-dasharray="2 4"') +
    `<rect x="${x - 44}" y="${top + 14}" width="88" height="18" rx="9" fill="#fff" stroke="${colour(lane)}" ` +
    `stroke-opacity="0.5"/><text x="${x}" y="${top + 26.5}" text-anchor="middle" font-size="10.5" fill="${FAINT}">` +
    `${earlier} earlier</text>`
  );
}

function drawBlock(sheet: Sheet, { block, row, pieces }: Placed, index: number): string {
  const top = boxTop(sheet, row);
  const isCross = block.records.length > 1;
  const widest = pieces.reduce((best, piece) => (piece.to - piece.from > best.to - best.from ? piece : best));
  const boxes = pieces.map((piece) => {
    const left = pieceLeft(piece);
    const paint = isCross
      ? `fill="url(#block${index})" stroke="${INK}" stroke-width="1.4"`
      : `fill="${tint(colour(piece.from))}" stroke="${colour(piece.from)}" stroke-width="1.4"`;
    const width = pieceRight(piece) - left;
    return `<rect x="${left}" y="${top}" width="${width}" height="${BOX_HEIGHT}" rx="6" ${paint}/>`;
  });
  const texts = pieces.map((piece) => {
    const shown = piece === widest ? block.records : placesIn(sheet, block, piece);
    return drawText(sheet, { block, shown, x: (pieceLeft(piece) + pieceRight(piece)) / 2, top });
  });
  const title = `<title>${block.digest}, ${block.requests} requests</title>`;
  return `<g>${title}${boxes.join("")}${texts.join("")}</g>`;
}

function placesIn({ lanes }: Sheet, { records }: GraphBlock, { from, to }: Piece): readonly GraphPlace[] {
  return records.filter(({ cluster }) => {
    const lane = lanes.get(cluster) as number;
    return lane >= from && lane <= to;
  });
}

interface BoxText {
  readonly block: GraphBlock;
  readonly shown: readonly GraphPlace[];
  readonly x: number;
  readonly top: number;
}

function drawText({ graph }: Sheet, { block, shown, x, top }: BoxText): string {
  const requests = `${block.requests} request${block.requests === 1 ? "" : "s"}`;
  return (
    `<text x="${x}" y="${top + 17}" text-anchor="middle" font-size="14"><tspan font-style="italic" ` +
    `font-family="Georgia, 'Times New Roman', serif">t</tspan><tspan font-size="10" dy="3">` +
    `${labelOf(shown, separatorOf(graph))}</tspan></text>` +
    `<text x="${x}" y="${top + 33}" text-anchor="middle" font-size="9.5" fill="${FAINT}">` +
    `${showSequence(block.finalSequence)} · ${requests}</text>`
  );
}

/** A cross-shard box has the colours of its lanes, each in its own lane. */
function gradient({ block, pieces }: Placed, index: number): string {
  if (block.records.length < 2) return "";
  const left = pieceLeft(pieces[0] as Piece);
  const right = pieceRight(pieces.at(-1) as Piece);
  const lanes = pieces.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, i) => from + i));
  const stops = lanes.map((lane) => {
    const offset = ((laneCentre(lane) - left) / (right - left)).toFixed(4);
    return `<stop offset="${offset}" stop-color="${tint(colour(lane))}"/>`;
  });
  return (
    `<linearGradient id="block${index}" gradientUnits="userSpaceOnUse" x1="${left}" x2="${right}" y1="0" y2="0">` +
    `${stops.join("")}</linearGradient>`
  );
}

function marker(): string {
  return (
    `<marker id="parent" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6.5" markerHeight="6.5" orient="auto">` +
    `<path d="M0 0.8L7.5 4L0 7.2Z" fill="context-stroke"/></marker>`
  );
}

function drawLegend(width: number, top: number): string {
  const items = [
    "box in a lane: intra-shard block",
    "box over lanes: cross-shard block",
    "arrow: parent in that view",
    "17.3: final sequence, counter.cluster",
  ];
  const text = items.join("  ·  ");
  return (
    `<text x="${width / 2}" y="${top + 4}" text-anchor="middle" font-size="10.5" fill="${FAINT}">` + `${text}</text>`
  );
}

/** A light, opaque version of a colour. */
function tint(hex: string): string {
  const mixed = [1, 3, 5].map((at) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16);
    return Math.round(255 - (255 - value) * BOX_TINT)
      .toString(16)
      .padStart(2, "0");
  });
  return `#${mixed.join("")}`;
}
