// What goes wrong in a run: faults of the planned kinds, at drawn moments, for drawn times. Each knows how to end;
// when the run heals, all end at once. A crash may hit any number of nodes, also all of them, since what is durable
// survives: then progress is owed only after healing.

import { primaryOf } from "../cluster/quorum.js";
import type { ClusterId } from "../types/ids.js";
import { unreachable } from "../types/message.js";
import type { ClusterInfo } from "../types/topology.js";
import { keepOldDisk, loseDisk, loseTail } from "./disks.js";
import type { Draw } from "./draw.js";
import type { EventQueue } from "./events.js";
import type { SimHost } from "./host.js";
import { type Endpoint, FAIR_WEATHER, type Network, type Weather } from "./network.js";
import type { Fault, FaultPlan } from "./plan.js";
import { CRASH_POINTS } from "./surroundings.js";

export interface NemesisOptions {
  readonly queue: EventQueue;
  readonly draw: Draw;
  readonly plan: FaultPlan;
  readonly hosts: readonly SimHost[];
  readonly clusters: readonly ClusterInfo[];
  readonly network: Network;
  readonly clients: readonly Endpoint[];
  readonly note: (text: string) => void;
}

/** Ends a fault. */
type Heal = () => void;

const SKEW_MAX_MS = 5000; // far below what blocks may be ahead (limits.clockAheadMs), as kept clocks are
const GALE: Weather = { loss: 0.3, duplicates: 0.1, overtaken: 0.3, slow: 0.3, slowMs: 1500 };

export class Nemesis {
  readonly #options: NemesisOptions;
  readonly #active = new Set<Heal>();
  readonly #calmWeather: Weather;
  #isOver = false;
  /** Faults so far. */
  count = 0;

  constructor(options: NemesisOptions) {
    this.#options = options;
    this.#calmWeather = options.network.weather;
  }

  start(): void {
    const { queue, draw, plan } = this.#options;
    if (plan.kinds.length === 0) return;
    queue.after(draw.wait(plan.everyMs), () => {
      if (this.#isOver) return;
      this.#strike(draw.pick(plan.kinds));
      this.start();
    });
  }

  /** No more faults; those there are end now. */
  healAll(): void {
    this.#isOver = true;
    for (const heal of [...this.#active]) heal();
    this.#options.network.weather = FAIR_WEATHER;
    for (const host of this.#options.hosts) this.#revive(host);
    this.#options.note("all faults heal");
  }

  #strike(fault: Fault): void {
    const { queue, draw, plan, note } = this.#options;
    const lasts = draw.magnitude(plan.lastsMs);
    const struck = this.#inflict(fault, lasts);
    if (struck === undefined) return;
    this.count++;
    note(`fault: ${fault} ${struck.what} for ${Math.round(lasts)} ms`);
    const heal = () => {
      if (!this.#active.delete(heal)) return;
      struck.heal();
    };
    this.#active.add(heal);
    queue.after(lasts, () => {
      if (this.#active.has(heal)) note(`healed: ${fault} ${struck.what}`);
      heal();
    });
  }

  /** Undefined: there is nothing left that this could hit. */
  #inflict(fault: Fault, lasts: number): { readonly what: string; readonly heal: Heal } | undefined {
    const { draw, hosts, clusters, network, clients, queue } = this.#options;
    const cluster = draw.pick(clusters);
    const host = draw.pick(hosts);
    switch (fault) {
      case "crash-node":
        return this.#kill(host);
      case "crash-primary":
        return this.#kill(this.#primary(cluster));
      case "crash-villain": {
        const villains = hosts.filter(({ isCorrect }) => !isCorrect);
        return villains.length === 0 ? undefined : this.#kill(draw.pick(villains));
      }
      case "crash-cluster":
        return this.#powerCut(hosts.filter(({ ref }) => ref.cluster === cluster.id));
      case "crash-all":
        return this.#powerCut(hosts);
      case "pause-node":
        return this.#pause(host, lasts);
      case "pause-primary":
        return this.#pause(this.#primary(cluster), lasts);
      case "isolate-node":
        return this.#isolate(host);
      case "isolate-primary":
        return this.#isolate(this.#primary(cluster));
      case "split-cluster": {
        const members = endpointsOf(hosts.filter(({ ref }) => ref.cluster === cluster.id));
        const some = draw.sample(members, draw.integer([1, Math.max(1, members.length - 1)]));
        const rest = members.filter((each) => !some.includes(each));
        return this.#cutBothWays(`${names(hosts, some)} | ${names(hosts, rest)}`, some, rest);
      }
      case "split-network": {
        const far = new Set<ClusterId>(draw.sample(clusters, draw.integer([1, clusters.length])).map(({ id }) => id));
        const isFar = (each: SimHost) => far.has(each.ref.cluster);
        const near = endpointsOf(hosts.filter((each) => !isFar(each)));
        const farClients = draw.some(clients, 0.5);
        const nearClients = clients.filter((each) => !farClients.includes(each));
        const farSide = [...endpointsOf(hosts.filter(isFar)), ...farClients];
        return this.#cutBothWays(`clusters ${[...far].join(", ")} from others`, farSide, [...near, ...nearClients]);
      }
      case "one-way": {
        const others = this.#others(host);
        const deaf = draw.chance(0.5);
        const some = draw.chance(0.5) ? others : draw.some(others, 0.5);
        const pairs = some.map((other) =>
          deaf ? ([other, host.endpoint] as const) : ([host.endpoint, other] as const),
        );
        return this.#cut(`${host.name} ${deaf ? "hears" : "reaches"} ${others.length - some.length} others`, pairs);
      }
      case "cut-clients": {
        const target = draw.chance(0.5) ? [this.#primary(cluster).endpoint] : endpointsOf(this.#membersOf(cluster));
        return this.#cutBothWays(`clients from ${names(hosts, target)}`, clients, target);
      }
      case "clog": {
        const until = queue.now + lasts;
        const others = draw.some(this.#others(host), 0.6);
        for (const other of others) {
          if (draw.chance(0.7)) network.clog(host.endpoint, other, until);
          if (draw.chance(0.7)) network.clog(other, host.endpoint, until);
        }
        return { what: `links of ${host.name}`, heal: () => network.unclog() };
      }
      case "slow-disk": {
        const extra = draw.magnitude([5, 800]);
        host.diskExtraMs = extra;
        return { what: `${host.name} +${Math.round(extra)} ms`, heal: () => (host.diskExtraMs = 0) };
      }
      case "full-disk":
        host.disk.isFull = true;
        return {
          what: host.name,
          heal: () => {
            host.disk.isFull = false;
            this.#revive(host);
          },
        };
      case "lost-tail":
        return loseTail(hosts, draw);
      case "gale":
        network.weather = GALE;
        return { what: "everywhere", heal: () => (network.weather = this.#calmWeather) };
      case "lose-disk":
        return loseDisk(hosts, draw);
      case "old-disk":
        return keepOldDisk(hosts, draw);
      case "clock-jump": {
        host.skewMs = draw.integer([-SKEW_MAX_MS, SKEW_MAX_MS]);
        return { what: `${host.name} to ${host.skewMs} ms`, heal: () => undefined };
      }
      default:
        return unreachable(fault);
    }
  }

  #kill(host: SimHost): { readonly what: string; readonly heal: Heal } | undefined {
    if (host.running === undefined) return undefined;
    const point = this.#options.draw.pick(CRASH_POINTS);
    // Twins are one node to everybody else.
    const both = this.#options.hosts.filter(({ endpoint }) => endpoint === host.endpoint);
    for (const each of both) each.doom(point);
    const heal = () => {
      for (const each of both) this.#revive(each);
    };
    return { what: `${host.name} ${point}`, heal };
  }

  /** All at the same moment; they come back one by one. */
  #powerCut(hosts: readonly SimHost[]): { readonly what: string; readonly heal: Heal } {
    for (const host of hosts) host.crash();
    const heal = () => {
      for (const host of hosts) this.#revive(host);
    };
    return { what: hosts.map(({ name }) => name).join(" "), heal };
  }

  #revive(host: SimHost): void {
    host.spare();
    host.pause.end();
    if (host.running === undefined) host.restart();
  }

  #pause(host: SimHost, lasts: number): { readonly what: string; readonly heal: Heal } {
    host.pause.begin(this.#options.queue.now + lasts);
    return { what: host.name, heal: () => host.pause.end() };
  }

  #isolate(host: SimHost): { readonly what: string; readonly heal: Heal } {
    return this.#cutBothWays(host.name, [host.endpoint], this.#others(host));
  }

  #cutBothWays(what: string, some: readonly Endpoint[], others: readonly Endpoint[]) {
    const pairs = some.flatMap((a) => others.flatMap((b) => [[a, b] as const, [b, a] as const]));
    return this.#cut(what, pairs);
  }

  #cut(what: string, pairs: readonly (readonly [Endpoint, Endpoint])[]) {
    const { network } = this.#options;
    for (const [from, to] of pairs) network.cut(from, to);
    return {
      what,
      heal: () => {
        for (const [from, to] of pairs) network.heal(from, to);
      },
    };
  }

  /** Whom most of the cluster would take for it: the primary of the highest view of a node that is up. */
  #primary(cluster: ClusterInfo): SimHost {
    const members = this.#membersOf(cluster);
    const views = members.map(({ running }) => running?.replica.coordinator.engine.view ?? 0);
    const primary = primaryOf(cluster, Math.max(...views));
    return members.find(({ ref }) => ref.node === primary) as SimHost;
  }

  #membersOf({ id }: ClusterInfo): readonly SimHost[] {
    return this.#options.hosts.filter(({ ref }) => ref.cluster === id);
  }

  #others(host: SimHost): readonly Endpoint[] {
    const { hosts, clients } = this.#options;
    return [...endpointsOf(hosts), ...clients].filter((each) => each !== host.endpoint);
  }
}

function endpointsOf(hosts: readonly SimHost[]): readonly Endpoint[] {
  return [...new Set(hosts.map(({ endpoint }) => endpoint))];
}

function names(hosts: readonly SimHost[], endpoints: readonly Endpoint[]): string {
  return endpoints.map((each) => hosts.find(({ endpoint }) => endpoint === each)?.name ?? "client").join(" ");
}
