// Counters and gauges of a node (prom-client), fed from the notes of its turns and from the door. Names carry units.

import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Note } from "../types/effects.js";

/** A flat picture of everything, for status files: name with labels -> value. */
export type MetricValues = Readonly<Record<string, number>>;

export class Metrics {
  readonly registry = new Registry();
  readonly #rejected = this.#counter("sharper_rejected_total", "Messages and requests refused, by code", ["code"]);
  readonly #proposed = this.#counter("sharper_proposed_total", "Blocks this node proposed or gave a slot", ["kind"]);
  readonly #recorded = this.#counter("sharper_recorded_total", "Blocks that got a record", ["kind"]);
  readonly #operations = this.#counter("sharper_operations_total", "Operations of recorded blocks", ["kind"]);
  readonly #superProposed = this.#counter("sharper_super_proposed_total", "SUPER-PROPOSEs sent", ["reason"]);
  readonly #other = this.#counter("sharper_events_total", "Rarer events, by kind", ["kind"]);
  readonly #evidence = this.#counter("sharper_evidence_total", "Contradictions found or told by others", ["kind"]);
  readonly #slowWrites = this.#counter("sharper_slow_writes_total", "Durable writes that took too long", []);
  readonly #turn: Histogram;
  readonly #gauges = new Map<string, Gauge>();

  constructor() {
    this.#turn = new Histogram({
      name: "sharper_turn_ms",
      help: "Duration of one turn of the host, its durable write included",
      buckets: [0.25, 0.5, 1, 2, 5, 10, 25, 50, 100, 250, 1000],
      registers: [this.registry],
    });
  }

  onNote(note: Note): void {
    switch (note.kind) {
      case "rejected":
        this.#rejected.inc({ code: note.code });
        break;
      case "proposed":
        this.#proposed.inc({ kind: kindOf(note.clusters, note.requests) });
        break;
      case "recorded": {
        const kind = kindOf(note.block.clusters, note.block.requests.length);
        this.#recorded.inc({ kind });
        this.#operations.inc({ kind }, note.block.operations);
        break;
      }
      case "super-proposed":
        this.#superProposed.inc({ reason: note.conflict ? "conflict" : "chosen" });
        break;
      case "assigned":
      case "queried":
      case "stable":
      case "suspected":
      case "caught-up":
        this.#other.inc({ kind: note.kind });
        break;
      case "decided":
        break;
    }
  }

  /** A crash had cut off a write, which was dropped at the start. */
  onTorn(): void {
    this.#other.inc({ kind: "torn-write" });
  }

  onRejected(code: string): void {
    this.#rejected.inc({ code });
  }

  onSlowWrite(): void {
    this.#slowWrites.inc();
  }

  onEvidence(kind: string): void {
    this.#evidence.inc({ kind });
  }

  onTurn(durationMs: number): void {
    this.#turn.observe(durationMs);
  }

  setGauges(values: Readonly<Record<string, number>>): void {
    for (const [name, value] of Object.entries(values)) {
      let gauge = this.#gauges.get(name);
      if (gauge === undefined) {
        gauge = new Gauge({ name: `sharper_${name}`, help: `Present ${name}`, registers: [this.registry] });
        this.#gauges.set(name, gauge);
      }
      gauge.set(value);
    }
  }

  /** Counters and gauges of ours; the runtime's are in the registry only. */
  async values(): Promise<MetricValues> {
    const values: Record<string, number> = {};
    for (const metric of await this.registry.getMetricsAsJSON()) {
      if (!metric.name.startsWith("sharper_") || metric.name === "sharper_turn_ms") continue;
      for (const { labels, value } of metric.values) {
        const suffix = Object.values(labels).join(",");
        values[suffix === "" ? metric.name : `${metric.name}{${suffix}}`] = value;
      }
    }
    return values;
  }

  #counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }
}

function kindOf(clusters: readonly unknown[], requests: number): string {
  if (requests === 0) return "no-op";
  return clusters.length === 1 ? "intra" : "cross";
}
