// The network of a chaos run: one process per node, every way between them through a proxy that can be cut, and for
// each node whether it runs, is stopped or is down. Knows how to do each harm and how to undo it. A node that ends
// without being told to is a finding; it is started again, as an operator would.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { copyFolder, damageFolder } from "../chaos/damage.js";
import { CLIENTS, type Cut, Mesh, withPorts } from "../chaos/mesh.js";
import type { Damage } from "../chaos/schedule.js";
import type { Random } from "../load/random.js";
import { CodedError } from "../types/codes.js";
import type { NodeInfo, Topology } from "../types/topology.js";
import { allConnected, nodesOf, places, primaryOf, startNode, stopNodes } from "./processes.js";

const COMPLAINT_CHARS_MAX = 2000;
const UNASKED_STARTS_MAX = 5; // of one node, so that a run in which it cannot start ends all the same
const UNASKED_PAUSE_MS = 1000;
const REFUSAL_MAX_MS = 20_000; // a node with damaged data has refused by then as a rule, or works
const RECOVER_MAX_MS = 30_000;

interface Actor {
  readonly info: NodeInfo;
  child: ChildProcess;
  state: "up" | "down" | "stopped";
  complaint: string;
  unaskedStarts: number;
  /** Nobody but who damaged its data starts it. */
  isDamaged: boolean;
  /** Its data were damaged: it may refuse to work once. Hears how that ended. */
  onRefused: ((ending: string) => void) | undefined;
}

export class Stage {
  readonly #folder: string;
  readonly #topology: Topology;
  readonly #mesh: Mesh;
  readonly #actors = new Map<string, Actor>();
  readonly #findings: string[] = [];
  #closing = false;

  /** Starts all nodes of the network in `folder`; resolves when all are connected with all. */
  static async open(folder: string, topology: Topology, signal: AbortSignal): Promise<Stage> {
    for (const part of ["data", "logs", "run", "topologies", "copies"]) {
      await mkdir(join(folder, part), { recursive: true, mode: 0o700 });
    }
    const nodes = nodesOf(topology);
    const mesh = await Mesh.open(nodes.map(({ id, address }) => ({ id, port: portOf(address) })));
    const stage = new Stage(folder, topology, mesh);
    try {
      const text = await readFile(places.topology(folder), "utf8");
      for (const id of [...nodes.map((node) => node.id), CLIENTS]) {
        const found = mesh.portsFrom(id);
        const ports = new Map(nodes.map((node) => [portOf(node.address), found.get(node.id) ?? portOf(node.address)]));
        await writeFile(stage.topologyFile(id), withPorts(text, ports));
      }
      for (const info of nodes) stage.#actors.set(info.id, stage.#actor(info));
      await allConnected([...stage.#actors.values()], signal);
      return stage;
    } catch (error) {
      await stage.close();
      throw error;
    }
  }

  private constructor(folder: string, topology: Topology, mesh: Mesh) {
    this.#folder = folder;
    this.#topology = topology;
    this.#mesh = mesh;
  }

  /** The topology as one process sees it, or the clients. */
  topologyFile(id: string): string {
    return join(this.#folder, "topologies", `${id}.yaml`);
  }

  /** What nodes did that they must not. */
  get findings(): readonly string[] {
    return this.#findings;
  }

  nodesOf(cluster: number): readonly NodeInfo[] {
    return this.#topology.clusters.find(({ id }) => id === cluster)?.nodes ?? [];
  }

  get nodes(): readonly NodeInfo[] {
    return nodesOf(this.#topology);
  }

  async primaryOf(cluster: number): Promise<string | undefined> {
    return primaryOf(this.#folder, this.nodesOf(cluster));
  }

  async kill(id: string): Promise<void> {
    const actor = this.#known(id);
    if (actor.state === "down") return;
    actor.state = "down";
    const exit = once(actor.child, "exit");
    actor.child.kill("SIGKILL");
    await exit;
  }

  /** Of a node that is down and whose data are whole, or repaired; any other is left as it is. */
  start(id: string): void {
    const actor = this.#known(id);
    if (actor.state !== "down" || actor.isDamaged || this.#closing) return;
    this.#launch(actor);
  }

  stop(id: string): void {
    const actor = this.#known(id);
    if (actor.state !== "up") return;
    actor.state = "stopped";
    actor.child.kill("SIGSTOP");
  }

  resume(id: string): void {
    const actor = this.#known(id);
    if (actor.state !== "stopped") return;
    actor.state = "up";
    actor.child.kill("SIGCONT");
  }

  cut(cut: Cut): () => void {
    return this.#mesh.cut(cut);
  }

  /** Keeps the state of a node that is down, to be put back by a later damage. */
  async copy(id: string): Promise<void> {
    await copyFolder({ folder: places.data(this.#folder, id), copy: join(this.#folder, "copies", id) });
  }

  /** Damages the data of a node that is down; what was done, in words. */
  async damage(id: string, { damage, random }: { readonly damage: Damage; readonly random: Random }): Promise<string> {
    const folder = places.data(this.#folder, id);
    const copy = join(this.#folder, "copies", id);
    this.#known(id).isDamaged = true;
    return (await damageFolder({ damage, folder, copy, random })) ?? "nothing to damage";
  }

  /**
   * Starts a node whose data were damaged. If it refuses, which it may do late, when it has heard from its cluster, it
   * is recovered and started again. The ending in words.
   */
  async startDamaged(id: string): Promise<string> {
    const actor = this.#known(id);
    actor.isDamaged = false;
    if (actor.state !== "down" || this.#closing) return "not started";
    const refused = new Promise<string>((resolve) => {
      actor.onRefused = resolve;
    });
    this.#launch(actor);
    return Promise.race([refused, pause(REFUSAL_MAX_MS, "it started by itself", { ref: false })]);
  }

  /** Undoes everything: nothing is cut, stopped or down any more. */
  healAll(): void {
    this.#mesh.healAll();
    for (const { info } of this.#actors.values()) {
      this.resume(info.id);
      this.start(info.id);
    }
  }

  /** Ends all nodes, then the proxies. */
  async close(): Promise<void> {
    this.#closing = true;
    for (const { info } of this.#actors.values()) this.resume(info.id);
    await stopNodes([...this.#actors.values()]);
    await this.#mesh.close();
  }

  #known(id: string): Actor {
    const actor = this.#actors.get(id);
    if (actor === undefined) throw new CodedError("unknown-node", `the network has no node ${id}`);
    return actor;
  }

  #actor(info: NodeInfo): Actor {
    const child = startNode(this.#folder, info, true, this.topologyFile(info.id));
    const actor: Actor = {
      info,
      child,
      state: "up",
      complaint: "",
      unaskedStarts: 0,
      isDamaged: false,
      onRefused: undefined,
    };
    this.#watch(actor);
    return actor;
  }

  #launch(actor: Actor): void {
    actor.child = startNode(this.#folder, actor.info, true, this.topologyFile(actor.info.id));
    actor.state = "up";
    actor.complaint = "";
    this.#watch(actor);
  }

  #watch(actor: Actor): void {
    const { child } = actor;
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      actor.complaint = `${actor.complaint}${text}`.slice(-COMPLAINT_CHARS_MAX);
    });
    child.once("exit", (code, signal) => {
      if (this.#closing || actor.child !== child || actor.state === "down") return;
      actor.state = "down";
      if (actor.onRefused !== undefined) return void this.#recover(actor, code ?? signal);
      const why = actor.complaint.trim().split("\n").slice(0, 3).join(" / ");
      this.#findings.push(`node ${actor.info.id} ended by itself with ${code ?? signal}: ${why}`);
      void this.#startUnasked(actor);
    });
  }

  async #startUnasked(actor: Actor): Promise<void> {
    await pause(UNASKED_PAUSE_MS, undefined, { ref: false });
    if (++actor.unaskedStarts <= UNASKED_STARTS_MAX) this.start(actor.info.id);
  }

  /** `sharper node recover`, by the command line as an operator would, and a start. */
  async #recover(actor: Actor, refusal: number | string | null): Promise<void> {
    const { id } = actor.info;
    const { onRefused } = actor;
    actor.onRefused = undefined;
    const args = ["node", "recover", "--topology", this.topologyFile(id), "--node", id];
    args.push("--key", places.key(this.#folder, id), "--data", places.data(this.#folder, id));
    const main = fileURLToPath(new URL("main.js", import.meta.url));
    const child = fork(main, args, { stdio: ["ignore", "ignore", "inherit", "ipc"], timeout: RECOVER_MAX_MS });
    const [code, signal]: readonly unknown[] = await once(child, "exit");
    if (code !== 0) this.#findings.push(`node ${id} could not be recovered: it ended with ${code ?? signal}`);
    this.start(id);
    onRefused?.(`it refused with ${refusal}, recover ended with ${code ?? signal}`);
  }
}

function portOf(address: string): number {
  return Number(/\/tcp\/(\d+)$/.exec(address)?.[1]);
}
