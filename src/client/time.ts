// The clocks and the timers of a client, as one small interface: everything about time that the SDK asks of the world.
// Tests drive a virtual one, so that time-outs and deadlines are tested without waiting.

export interface Time {
  /** Milliseconds since 1970, for what other machines compare with: validUntil. */
  now(): number;
  /** Milliseconds on a clock that is never set, for deadlines and latencies. */
  elapsed(): number;
  /** Calls `action` about every `periodMs` until the returned function is called. */
  every(periodMs: number, action: () => void): () => void;
  /** Within 0..1, different for each client and moment: those who were told to come back do not come all at once. */
  chance(): number;
  /** Calls `action` once, after the input that is already at hand was handled. */
  soon(action: () => void): void;
}

export const systemTime: Time = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  chance: () => Math.random(),
  every(periodMs, action) {
    const timer = setInterval(action, periodMs);
    return () => clearInterval(timer);
  },
  soon: (action) => void setImmediate(action),
};
