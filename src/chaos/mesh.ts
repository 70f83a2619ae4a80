// All ways between the nodes of a network, and from its clients to them, each through a proxy of its own, and the cuts
// that are in force. Every process has a topology file in which the others' addresses are those of its own proxies to
// them, which changes nothing else: addresses are not part of the network's id.

import { type Direction, LoopbackProxy } from "./proxy.js";

/** The name under which all clients of a run stand in the mesh. */
export const CLIENTS = "clients";

export interface Cut {
  /** Is what `from` sends to `to` lost? */
  readonly blocks: (from: string, to: string) => boolean;
  /** Connections that it touches end at once; else they fall silent. New ones get no answer while it lasts. */
  readonly reset: boolean;
}

export interface Listener {
  readonly id: string;
  readonly port: number;
}

interface Way {
  readonly from: string;
  readonly to: string;
  readonly proxy: LoopbackProxy;
  /** Where `from` finds `to`. */
  readonly port: number;
}

export class Mesh {
  readonly #ways: Way[] = [];
  readonly #cuts = new Set<Cut>();

  static async open(listeners: readonly Listener[]): Promise<Mesh> {
    const mesh = new Mesh();
    for (const from of [...listeners.map(({ id }) => id), CLIENTS]) {
      for (const { id: to, port: targetPort } of listeners) {
        if (from === to) continue;
        const ends = { there: [from, to], back: [to, from] } as const;
        const isBlocked = (direction: Direction): boolean => mesh.#isCut(...ends[direction]);
        const proxy = new LoopbackProxy({ targetPort, isBlocked });
        mesh.#ways.push({ from, to, proxy, port: await proxy.open() });
      }
    }
    return mesh;
  }

  /** The ports under which one process reaches the others. */
  portsFrom(id: string): ReadonlyMap<string, number> {
    return new Map(this.#ways.filter(({ from }) => from === id).map(({ to, port }) => [to, port]));
  }

  /** Holds until the function that it returns is called. */
  cut(cut: Cut): () => void {
    this.#cuts.add(cut);
    for (const { from, to, proxy } of this.#ways) {
      if (cut.blocks(from, to) || cut.blocks(to, from)) proxy.update({ reset: cut.reset });
    }
    return () => {
      if (!this.#cuts.delete(cut)) return;
      for (const { proxy } of this.#ways) proxy.update({ reset: false });
    };
  }

  healAll(): void {
    this.#cuts.clear();
    for (const { proxy } of this.#ways) proxy.update({ reset: false });
  }

  async close(): Promise<void> {
    await Promise.all(this.#ways.map(({ proxy }) => proxy.close()));
  }

  #isCut(from: string, to: string): boolean {
    for (const cut of this.#cuts) if (cut.blocks(from, to)) return true;
    return false;
  }
}

/** A topology's text with other ports; `ports` by the port that stands there. Hosts stay. */
export function withPorts(text: string, ports: ReadonlyMap<number, number>): string {
  return text.replace(/(\/tcp\/)(\d+)/g, (whole, before: string, port: string) => {
    const other = ports.get(Number(port));
    return other === undefined ? whole : `${before}${other}`;
  });
}
