// A simulated node: the loop of node/host.ts over a virtual clock, and a life that can end between any two effects of a
// turn. It drives the real door, turn and replica; what it keeps over a crash is its disk and nothing else. A byzantine
// node is the same, with a villain between it and the world.

import type { Signer } from "../crypto/signature.js";
import { MemoryStore } from "../ledger/memory.js";
import { startWrite } from "../node/boot.js";
import type { Ingress } from "../node/ingress.js";
import { expiredReplies } from "../node/prune.js";
import type { Now, Replica } from "../node/replica.js";
import { genesisWrites } from "../node/restore.js";
import { runTurn, type TurnContext, type TurnPlan } from "../node/turn.js";
import type { Block } from "../types/block.js";
import { CodedError } from "../types/codes.js";
import type { Event, Write } from "../types/effects.js";
import { type NodeRef, type PublicKey, showNode } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { ClusterInfo, NodeInfo } from "../types/topology.js";
import { Disk } from "./disk.js";
import { recover } from "./disks.js";
import type { Draw } from "./draw.js";
import type { Endpoint, Frame } from "./network.js";
import type { SimNode, Villain, VillainContext } from "./observer.js";
import { Pause } from "./pause.js";
import { framesOf, framesSent, newProcess, nonceOf, storedBlocks } from "./process.js";
import { type CrashPoint, type Doom, START, type Surroundings } from "./surroundings.js";

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
/** Until somebody has read why a node stopped. */
const OPERATOR_MS = 500;
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
  /** While it is on, the node stands still, and takes what came meanwhile afterwards. */
  readonly pause: Pause;
  running: { readonly replica: Replica; readonly ingress: Ingress } | undefined;
  skewMs: number;
  /** It has lost what it said, knows or does not know it, and does not take part again yet. */
  amnesia: "unaware" | "recovering" | undefined;
  /** Added to every write: a disk that has become slow. */
  diskExtraMs = 0;
  /** The code with which it last refused to start. */
  refusedWith: string | undefined;
  /** Asked at each turn that has effects: does it die in it, and where? */
  fate: ((host: SimHost, plan: TurnPlan) => Doom | undefined) | undefined;
  readonly #surroundings: Surroundings;
  readonly #draw: Draw;
  readonly #villain: Villain | undefined;
  readonly #context: TurnContext;
  readonly #decodeBlock: (bytes: Uint8Array) => Block;
  readonly #inbox: Event[] = [];
  /** What was scheduled for an earlier life does nothing. */
  #life = 0;
  #bootedAt = 0;
  #isTurnDue = false;
  #isWriting = false;
  #wakeAt = Number.POSITIVE_INFINITY;
  #doom: Doom | undefined;
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
    this.pause = new Pause(surroundings.queue);
    this.#draw = draw;
    this.#villain = villain;
    const { networkId } = context.topology;
    this.#context = { self: this.ref, model: cluster.model, networkId, signer, keyOf };
    this.#decodeBlock = storedBlocks(context);
    this.disk.write(this.genesis, { sync: true });
  }

  get store(): MemoryStore {
    return this.disk.store;
  }

  /** Starts it from its disk, now. */
  async boot(): Promise<void> {
    const { onStart, queue } = this.#surroundings;
    this.#life++;
    this.#forget();
    this.#villain?.remember?.(this, this.#draw.below);
    if (this.isCorrect) {
      const refusal = await this.disk.refusal();
      if (refusal !== undefined) return this.#break(refusal);
      this.disk.write([startWrite(this.store, nonceOf(this.#draw))], { sync: true });
    }
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
      const { store, ref, isCorrect, signer } = this;
      this.running = await newProcess({
        context,
        self: ref,
        store,
        decodeBlock: this.#decodeBlock,
        // A byzantine node asks nobody whether it may vote.
        signer: isCorrect ? signer : undefined,
        catchUpAtOnceMax,
        onRejected: (code, from, kind) => onRejected(this, code, from, kind),
      });
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

  /** Dies, and its disk is another one, or less than it was. The operator knows of it, or does not. */
  lose(disk: "unaware" | "recovering", change: (disk: Disk) => void): void {
    this.crash();
    this.amnesia = disk;
    change(this.disk);
    this.#surroundings.onLost(this);
  }

  /** The rows of a new folder. */
  get genesis(): readonly Write[] {
    return genesisWrites(this.#surroundings.context.topology, this.info.cluster, TOPOLOGY_TEXT);
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

  /** What arrives is opened at the door and waits for a turn. */
  receive(from: PublicKey, frame: Frame): void {
    if (this.running === undefined) return;
    if (this.pause.isOn) return this.#postpone(() => this.receive(from, frame));
    const { ingress } = this.running;
    try {
      for (const envelope of frame) {
        if (this.#inbox.length >= limits.inboxMessagesMax) break;
        const event = this.#heard(ingress.open(from, envelope));
        if (event !== undefined) this.#inbox.push(event);
      }
    } catch (error) {
      return this.#break(error);
    }
    this.#expectTurn();
  }

  /** The connection to another node was lost, or is there again. */
  link(node: NodeRef, isUp: boolean): void {
    if (this.running === undefined) return;
    if (this.pause.isOn) return this.#postpone(() => this.link(node, isUp));
    this.#inbox.push({ kind: "link", node, isUp });
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
    if (this.pause.isOn) {
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
    this.#doom ??= this.fate?.(this, plan);
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
    if (this.pause.isOn) {
      this.#isWriting = true;
      this.#postpone(() => this.#perform(plan));
      return;
    }
    this.#isWriting = false;
    const life = this.#life;
    if (this.disk.isFull && plan.persist.length > 0) {
      this.crash();
      return;
    }
    this.disk.write(plan.persist, { sync: true });
    onTurn(this, plan);
    if (plan.notes.some(({ kind }) => kind === "takes-part")) this.amnesia = undefined;
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
    const frames = framesOf(outbound, (said) => this.#villain?.bend?.(said, this.#villainContext()));
    const count = framesSent(frames.length, this.#doom, this.#draw);
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
    if (this.amnesia === "unaware" && error instanceof CodedError) {
      this.refusedWith = error.code;
      this.#surroundings.onRefused(this, error.code);
      this.#surroundings.queue.after(OPERATOR_MS, () => {
        if (this.amnesia === "unaware") recover(this);
        this.restart();
      });
      return;
    }
    this.#surroundings.onBroken(this, error);
  }

  #forget(): void {
    this.running = undefined;
    this.#inbox.length = 0;
    this.pause.forget();
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
    this.pause.postpone(() => {
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
