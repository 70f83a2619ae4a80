// A simulated node: the loop of node/host.ts over a virtual clock, and a life that can end between any two effects of a
// turn. It drives the real door, turn and replica; what it keeps over a crash is its disk and nothing else. A byzantine
// node is the same, with a villain between it and the world.

import { decodeBlock } from "../cluster/block.js";
import type { Signer } from "../crypto/signature.js";
import { MemoryStore } from "../ledger/memory.js";
import { Ingress } from "../node/ingress.js";
import { expiredReplies } from "../node/prune.js";
import { type Now, Replica } from "../node/replica.js";
import { genesisWrites, restore } from "../node/restore.js";
import { runTurn, type TurnContext, type TurnPlan } from "../node/turn.js";
import type { Block } from "../types/block.js";
import type { Event } from "../types/effects.js";
import { type NodeRef, type PublicKey, showNode } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { ClusterInfo, NodeInfo } from "../types/topology.js";
import { Disk } from "./disk.js";
import type { Draw } from "./draw.js";
import type { Endpoint, Frame } from "./network.js";
import type { Outgoing, SimNode, Villain, VillainContext } from "./observer.js";
import { type CrashPoint, START, type Surroundings } from "./surroundings.js";

export interface SimHostOptions {
  readonly surroundings: Surroundings;
  readonly info: NodeInfo;
  readonly cluster: ClusterInfo;
  readonly endpoint: Endpoint;
  readonly signer: Signer;
  readonly draw: Draw;
  readonly villain: Villain | undefined;
  /** How far its clock is ahead of the virtual one. */
  readonly skewMs: number;
}

/** A node that was told to die in its next turn, and has none, dies after this long. */
const DOOM_MS = 300;
const TOPOLOGY_TEXT = "# A simulated network has no topology file.\n";
/** A timer that is due again at once fires in the next millisecond, as the platform's do. */
const TIMER_MIN_MS = 1;

export class SimHost implements SimNode {
  readonly name: string;
  readonly ref: NodeRef;
  readonly info: NodeInfo;
  readonly cluster: ClusterInfo;
  readonly endpoint: Endpoint;
  readonly signer: Signer;
  readonly isCorrect: boolean;
  readonly disk = new Disk(new MemoryStore());
  running: { readonly replica: Replica; readonly ingress: Ingress } | undefined;
  skewMs: number;
  /** Added to every write: a disk that has become slow. */
  diskExtraMs = 0;
  readonly #surroundings: Surroundings;
  readonly #draw: Draw;
  readonly #villain: Villain | undefined;
  readonly #context: TurnContext;
  readonly #decodeBlock: (bytes: Uint8Array) => Block;
  readonly #inbox: Event[] = [];
  /** What was scheduled for an earlier life does nothing. */
  #life = 0;
  #bootedAt = 0;
  #pausedUntil = 0;
  /** What a pause holds up, in its order. */
  readonly #postponed: (() => void)[] = [];
  #isTurnDue = false;
  #isWriting = false;
  #wakeAt = Number.POSITIVE_INFINITY;
  #doom: CrashPoint | undefined;
  #prunedAt = 0;

  constructor(options: SimHostOptions) {
    const { surroundings, info, cluster, endpoint, signer, draw, villain, skewMs } = options;
    const { context, keyOf } = surroundings;
    this.ref = { cluster: info.cluster, node: info.index };
    this.name = showNode(this.ref);
    this.info = info;
    this.cluster = cluster;
    this.endpoint = endpoint;
    this.signer = signer;
    this.isCorrect = villain === undefined;
    this.skewMs = skewMs;
    this.#surroundings = surroundings;
    this.#draw = draw;
    this.#villain = villain;
    const { networkId } = context.topology;
    this.#context = { self: this.ref, model: cluster.model, networkId, signer, keyOf };
    this.#decodeBlock = (bytes) => {
      const decoded = decodeBlock(bytes, context, false);
      if (!decoded.ok) throw new Error(`a stored block is not valid (${decoded.code})`);
      return decoded.value;
    };
    this.disk.write(genesisWrites(context.topology, info.cluster, TOPOLOGY_TEXT), { sync: true });
  }

  get store(): MemoryStore {
    return this.disk.store;
  }

  get isPaused(): boolean {
    return this.#surroundings.queue.now < this.#pausedUntil;
  }

  /** Starts it from its disk, now. */
  async boot(): Promise<void> {
    const { onStart, queue } = this.#surroundings;
    this.#life++;
    this.#forget();
    this.#villain?.remember?.(this, this.#draw.below);
    if (!(await this.#load())) return;
    this.#bootedAt = queue.now;
    this.#prunedAt = queue.now;
    this.#inbox.push({ kind: "tick" });
    onStart(this);
    this.#expectTurn();
  }

  /** Makes the replica of what is on the disk. False: that cannot be done. */
  async #load(): Promise<boolean> {
    const { context, catchUpAtOnceMax, onBroken, onRejected } = this.#surroundings;
    try {
      const restored = await restore(this.store, context, this.ref.cluster);
      const { store: reader, ref: self } = this;
      const options = { self, reader, restored, decodeBlock: this.#decodeBlock, catchUpAtOnceMax };
      const replica = new Replica({ ...context, ...options });
      const ingress = new Ingress({
        ...context,
        self,
        knownBlock: (digest) => replica.knownBlock(digest),
        wants: (message) => replica.wants(message),
        awaits: replica.awaits,
        onRejected: (code, from, kind) => onRejected(this, code, from, kind),
      });
      this.running = { replica, ingress };
      return true;
    } catch (error) {
      this.#life++;
      this.#forget();
      onBroken(this, error);
      return false;
    }
  }

  /** Boots after as long as reading the store takes, unless it is up or was started meanwhile. */
  restart(): void {
    const { queue, tempo } = this.#surroundings;
    const life = this.#life;
    queue.after(this.#draw.number(tempo.bootMs), () =>
      this.running === undefined && life === this.#life ? this.boot() : undefined,
    );
  }

  /** Dies in its next turn, at that point. */
  doom(point: CrashPoint): void {
    if (this.running === undefined) return;
    this.#doom = point;
    this.#later(DOOM_MS, () => {
      if (this.#doom !== undefined) this.crash();
    });
  }

  /** Dies at once; a write under way is lost. */
  crash(): void {
    if (this.running === undefined) return;
    this.#life++;
    this.#forget();
    this.disk.crash(this.#draw.below(this.disk.unsynced + 1));
    this.#surroundings.onCrash(this);
  }

  /** Whoever told it to die thinks better of it. */
  spare(): void {
    this.#doom = undefined;
  }

  /** Stands still, and takes what came meanwhile afterwards. */
  pause(until: number): void {
    const { queue } = this.#surroundings;
    this.#pausedUntil = Math.max(this.#pausedUntil, until);
    queue.at(until, () => this.#goOn());
  }

  /** Goes on before its pause is over. */
  resume(): void {
    this.#pausedUntil = 0;
    this.#goOn();
  }

  #goOn(): void {
    if (this.isPaused) return;
    for (const action of this.#postponed.splice(0)) action();
  }

  /** What arrives is opened at the door and waits for a turn. */
  receive(from: PublicKey, frame: Frame): void {
    if (this.running === undefined) return;
    if (this.isPaused) {
      this.#postpone(() => this.receive(from, frame));
      return;
    }
    const { ingress } = this.running;
    try {
      for (const envelope of frame) {
        if (this.#inbox.length >= limits.inboxMessagesMax) break;
        const event = this.#heard(ingress.open(from, envelope));
        if (event !== undefined) this.#inbox.push(event);
      }
    } catch (error) {
      this.#break(error);
      return;
    }
    this.#expectTurn();
  }

  #heard(event: Event | undefined): Event | undefined {
    if (event === undefined || this.#villain?.hear === undefined) return event;
    return this.#villain.hear(event, this.#villainContext());
  }

  #expectTurn(): void {
    if (this.#isTurnDue || this.#isWriting || this.#inbox.length === 0) return;
    this.#isTurnDue = true;
    this.#later(this.#draw.number(this.#surroundings.tempo.turnMs), () => this.#turn());
  }

  #turn(): void {
    const { tempo } = this.#surroundings;
    if (this.isPaused) {
      this.#postpone(() => this.#turn());
      return;
    }
    this.#isTurnDue = false;
    const replica = this.running?.replica as Replica;
    const events = this.#inbox.splice(0, limits.turnEventsMax);
    if ((replica.wakeAt ?? Number.POSITIVE_INFINITY) <= this.#now().tick) events.push({ kind: "tick" });
    let plan: TurnPlan;
    try {
      plan = runTurn(replica, { now: this.#now(), events }, this.#context);
    } catch (error) {
      this.#break(error);
      return;
    }
    if (this.#doom === "before") {
      this.crash();
      return;
    }
    if (plan.persist.length === 0) {
      this.#perform(plan);
      return;
    }
    this.#isWriting = true;
    this.#later(this.#draw.number(tempo.diskMs) + this.diskExtraMs, () => this.#perform(plan));
  }

  /** The effects of a turn, in the one order: persist, then send (replies last), then what it said to itself. */
  #perform(plan: TurnPlan): void {
    const { onTurn } = this.#surroundings;
    if (this.isPaused) {
      this.#isWriting = true;
      this.#postpone(() => this.#perform(plan));
      return;
    }
    this.#isWriting = false;
    const life = this.#life;
    this.disk.write(plan.persist, { sync: true });
    onTurn(this, plan);
    if (this.#doom === "between") this.crash();
    if (life !== this.#life) return;
    this.#send(plan);
    if (this.#doom !== undefined) {
      this.crash();
      return;
    }
    this.#inbox.unshift(...plan.inbound);
    if ((plan as { readonly reload?: boolean }).reload === true) {
      this.#reload();
      return;
    }
    this.#expectWake();
    this.#expectTurn();
    if (this.running !== undefined) this.#prune(this.running.replica);
  }

  #send({ outbound }: TurnPlan): void {
    const { send } = this.#surroundings;
    let frames = [...outbound].map(([to, frame]) => ({ to, frame, delay: 0 }));
    if (this.#villain?.bend !== undefined) {
      const outgoing = frames.flatMap(({ to, frame }) => frame.map((envelope) => ({ to, envelope })));
      frames = framesOf(this.#villain.bend(outgoing, this.#villainContext()));
    }
    const count = this.#doom === "partly" ? this.#draw.below(frames.length + 1) : frames.length;
    for (const { to, frame, delay } of frames.slice(0, count)) send(this.endpoint, to, frame, delay);
  }

  /** The store has moved on without the replica, which is made anew. What arrives meanwhile waits. */
  #reload(): void {
    const { onStart, tempo } = this.#surroundings;
    this.#isWriting = true;
    this.#later(this.#draw.number(tempo.bootMs), async () => {
      if (!(await this.#load())) return;
      this.#isWriting = false;
      this.#inbox.unshift({ kind: "tick" });
      onStart(this);
      this.#expectTurn();
    });
  }

  #break(error: unknown): void {
    this.#life++;
    this.#forget();
    this.#surroundings.onBroken(this, error);
  }

  #forget(): void {
    this.running = undefined;
    this.#inbox.length = 0;
    this.#postponed.length = 0;
    this.#isTurnDue = false;
    this.#isWriting = false;
    this.#doom = undefined;
    this.#wakeAt = Number.POSITIVE_INFINITY;
  }

  /** A tick when the replica's next timer is due. */
  #expectWake(): void {
    const due = this.running?.replica.wakeAt;
    if (due === undefined) return;
    const { queue } = this.#surroundings;
    const at = Math.max(this.#bootedAt + due, queue.now + TIMER_MIN_MS);
    if (at >= this.#wakeAt) return;
    this.#wakeAt = at;
    this.#later(at - queue.now, () => {
      if (this.#wakeAt !== at) return;
      this.#wakeAt = Number.POSITIVE_INFINITY;
      // The timer may have been put off meanwhile.
      if ((this.running?.replica.wakeAt ?? Number.POSITIVE_INFINITY) > this.#now().tick) {
        this.#expectWake();
        return;
      }
      this.#inbox.push({ kind: "tick" });
      this.#expectTurn();
    });
  }

  /** As the real node does: forgotten replies are not synced, since losing that is no loss. */
  #prune(replica: Replica): void {
    const { queue, tempo } = this.#surroundings;
    if (tempo.pruneMs === 0 || queue.now - this.#prunedAt < tempo.pruneMs) return;
    this.#prunedAt = queue.now;
    const { forgetTime } = replica;
    this.#later(0, async () => {
      this.disk.write(await expiredReplies(this.store, this.#decodeBlock, forgetTime), { sync: false });
    });
  }

  /** Until the pause is over. */
  #postpone(action: () => void): void {
    const life = this.#life;
    this.#postponed.push(() => {
      if (life === this.#life) action();
    });
  }

  /** Later in this life. */
  #later(delay: number, action: () => void | Promise<void>): void {
    const life = this.#life;
    this.#surroundings.queue.after(delay, () => (life === this.#life ? action() : undefined));
  }

  /** The clock may be wrong and jump; ticks count from the start of the process. */
  #now(): Now {
    const { now } = this.#surroundings.queue;
    return { time: Math.floor(START + now + this.skewMs), tick: now - this.#bootedAt };
  }

  #villainContext(): VillainContext {
    const { world } = this.#surroundings;
    return { world, node: this, turn: this.#context, below: this.#draw.below };
  }
}

/** One frame for each receiver and delay, in the order of first mention. */
function framesOf(outgoing: readonly Outgoing[]): { to: PublicKey; frame: Uint8Array[]; delay: number }[] {
  const frames = new Map<string, { to: PublicKey; frame: Uint8Array[]; delay: number }>();
  for (const { to, envelope, delay = 0 } of outgoing) {
    const key = `${to} ${delay}`;
    const known = frames.get(key);
    if (known === undefined) frames.set(key, { to, frame: [envelope], delay });
    else known.frame.push(envelope);
  }
  return [...frames.values()];
}
